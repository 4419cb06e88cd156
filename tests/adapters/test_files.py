"""What adapters' files hold is used or named, and refused in one sentence."""

import json
import logging
import random as chance
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from imaginairy.adapters.acting import acting
from imaginairy.adapters.file import Adapter, read_adapter
from imaginairy.errors import CheckpointError
from imaginairy.lora import Lora
from imaginairy.models.drawing import DrawingModel
from tests.support.adapters import KINDS, flat, kohya, of_kind, random, saved
from tests.support.pickles import Call, Global, save

Made = Callable[..., Adapter]
QUERY = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
SHAPE = (32, 32)
PLACE = f"lora_unet_{flat(QUERY)}"


def lora(path: str = QUERY) -> dict[str, Tensor]:
    return dict(kohya("lora_unet_", {path: SHAPE}))


def refusal(read: Callable[..., Any], *args: Any) -> str:
    """Return the one sentence with which something is refused."""
    with pytest.raises(CheckpointError) as caught:
        read(*args)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def test_what_has_no_place_is_said_once(
    model: DrawingModel, made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    more = lora("down_blocks.7.attentions.0.proj_in") | {"a": torch.zeros(1)}
    adapter = made(lora() | more)
    caplog.set_level(logging.WARNING, logger="imaginairy")
    found = adapter.found_in(model)
    assert adapter.found_in(model) is found
    assert {*found.unused} == {*more}
    assert [each.getMessage() for each in caplog.records] == [
        f"{adapter.path}: 4 of its 7 tensors have no place in this model and are not "
        f"used ({', '.join(sorted(more)[:3])}, ...)."
    ]


def test_what_no_model_needs_is_not_said(
    model: DrawingModel, made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    spare = dict(kohya("lora_te1_", {"text_projection": (48, 48)}))
    assert made(lora() | spare).found_in(model).unused == []
    assert not caplog.records


def test_where_nothing_has_a_place_it_is_refused(
    model: DrawingModel, made: Made
) -> None:
    other = made(lora("blocks.3.to_q"))
    assert refusal(other.found_in, model) == (
        f"'{other.path}' is a LoRA and fits no layer of this model, which is Stable "
        "Diffusion 1.x: its tensors are lora_unet_blocks_3_to_q.alpha, "
        "lora_unet_blocks_3_to_q.lora_down.weight, "
        "lora_unet_blocks_3_to_q.lora_up.weight."
    )
    wide = made(dict(kohya("lora_unet_", {QUERY: (32, 64)})))
    assert "fits no layer of this model" in refusal(wide.found_in, model)


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "Stable Diffusion XL (SDXL)"),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v/lora"},
         "Stable Diffusion 2.x"),
        ({"ss_base_model_version": "flux1"}, "Flux.1"),
    ],
)  # fmt: skip
def test_one_for_another_family_is_refused_by_its_name(
    model: DrawingModel, made: Made, said: dict[str, str], title: str
) -> None:
    adapter = made(lora(), **said)
    assert refusal(adapter.found_in, model) == (
        f"'{adapter.path}' is a LoRA for {title}; the model is Stable Diffusion 1.x."
    )


def test_its_family_may_be_said(model: DrawingModel, made: Made) -> None:
    assert made(lora(), ss_base_model_version="sd_v1").found_in(model).unused == []


@pytest.mark.parametrize(
    ("name", "shape", "title"),
    [
        (f"{PLACE}.lambda_layer", (4,),
         "a T-LoRA, whose rank depends on the time step"),
        (f"{PLACE}.oft_blocks", (2, 4, 8, 8), "a BOFT"),
        (f"base_model.model.{QUERY}.boft_R", (1, 3, 4, 4), "a BOFT"),
        (f"base_model.model.{QUERY}.oft_R.weight", (4, 3), "an OFT as PEFT stores it"),
        (f"{PLACE}.reshape_weight", (2,),
         "a LoRA that makes layers larger, as a control LoRA does"),
    ],
)  # fmt: skip
def test_kinds_that_are_not_supported_are_refused_by_name(
    made: Made, name: str, shape: tuple[int, ...], title: str
) -> None:
    message = refusal(made, lora() | {name: torch.zeros(shape)})
    assert f" is {title} ('" in message
    assert message.endswith("'), which is not supported.")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["lora_up.weight", "alpha"])
def test_numbers_that_are_not_finite_are_refused(
    model: DrawingModel, made: Made, part: str, number: float
) -> None:
    tensors = lora()
    tensors[f"{PLACE}.{part}"] = torch.full_like(tensors[f"{PLACE}.{part}"], number)
    adapter = made(tensors)

    def enter() -> None:
        with acting(model, [(adapter, Lora("it"))]):
            pass

    assert refusal(enter) == (
        f"'{adapter.path}' holds numbers that are not finite (NaN or infinity) in 1 of "
        f"its tensors ({PLACE}.{part}), so the file is broken; fetch it again."
    )


def test_a_rank_that_only_fills_the_memory_fits_nothing(
    model: DrawingModel, made: Made
) -> None:
    one = torch.zeros(1)
    huge = {
        f"{PLACE}.lora_down.weight": one.expand(33, 32),
        f"{PLACE}.lora_up.weight": one.expand(32, 33),
    }
    assert "fits no layer" in refusal(made(huge).found_in, model)


def test_tensors_of_any_shape_act_or_fit_nowhere(
    model: DrawingModel, made: Made
) -> None:
    """What is there of a kind may be broken in any way."""
    draw = chance.Random(3)
    wanted = model.network.get_submodule(
        "down.0.blocks.0.transformer.blocks.0.self_attention.query"
    )
    acted = 0
    for kind in KINDS:
        for _ in range(4):
            tensors = {
                f"{PLACE}.{suffix}": each
                for suffix, each in of_kind(kind, SHAPE).items()
            }
            spoilt = draw.choice(sorted(tensors))
            shape = [draw.choice((0, 1, 2, 32)) for _ in range(draw.randrange(5))]
            dtype = draw.choice((torch.float32, torch.int64, torch.bool))
            tensors[spoilt] = torch.ones(shape, dtype=dtype)
            try:
                adapter = made(tensors)
                with acting(model, [(adapter, Lora("it"))]), torch.inference_mode():
                    given = wanted(torch.ones(3, 32))
                assert given.shape == (3, 32)
                acted += 1
            except CheckpointError as error:
                assert "\n" not in str(error)
    assert 8 < acted < 40


def test_what_is_no_adapter_is_refused(tmp_path: Path, made: Made) -> None:
    assert refusal(made, {"layer.weight": torch.zeros(2)}).endswith(
        "holds layer.weight, which is no LoRA or one of its kin."
    )
    word = refusal(made, {"emb_params": torch.zeros(2, 768)})
    assert word.endswith(
        "is a textual inversion for Stable Diffusion 1.x, which is no LoRA or one of "
        "its kin; give it with --embedding."
    )
    rest = refusal(made, {"lora_te_it.alpha": torch.zeros(())})
    assert rest.endswith("is a LoRA and holds no whole change: only lora_te_it.alpha.")
    text = tmp_path / "text.safetensors"
    text.write_text("words")
    assert str(text) in refusal(read_adapter, text)


def test_a_pickle_is_read_and_runs_nothing(model: DrawingModel, tmp_path: Path) -> None:
    file = tmp_path / "it.pt"
    torch.save(lora(), file)
    assert read_adapter(file).found_in(model).unused == []
    save({**lora(), "more": Call(Global("os", "system"), "true")}, file)
    assert "could run code, and was refused" in refusal(read_adapter, file)


def test_alpha_is_read_in_every_form(made: Made) -> None:
    down, up = random(4, 32), random(32, 4)
    for alpha, scale in (
        (None, 1.0),
        (torch.tensor(2.0), 0.5),
        (torch.tensor([2.0]), 0.5),
        (torch.tensor(8, dtype=torch.int64), 2.0),
        (torch.tensor(2.0, dtype=torch.bfloat16), 0.5),
        (torch.tensor(2.0).to(torch.float8_e4m3fn), 0.5),
        (torch.tensor(0.0), 1.0),
    ):
        tensors = {f"{PLACE}.lora_down.weight": down, f"{PLACE}.lora_up.weight": up}
        if alpha is not None:
            tensors[f"{PLACE}.alpha"] = alpha
        found = made(tensors).delta(PLACE)
        assert found is not None
        assert found[0].thin()[2] == scale


def test_what_the_header_says_of_alpha_counts(made: Made) -> None:
    said = {
        "unet.lora_alpha": 6, "unet.r": 2, "text_encoder.lora_alpha": 9,
        "unet.alpha_pattern": {"attn2.to_k": 8}, "unet.use_rslora": False,
    }  # fmt: skip
    ends = {f"unet.{QUERY}": 2.0, "unet.mid_block.attn2.to_k": 8 / 3}
    ends |= {"text_encoder.layers.1.q_proj": 3.0}
    tensors = {
        f"{path}.{name}.weight": torch.zeros(shape)
        for path in ends
        for name, shape in (("lora_A", (3, 8)), ("lora_B", (8, 3)))
    }
    adapter = made(tensors, lora_adapter_metadata=json.dumps(said))
    for path, scale in ends.items():
        found = adapter.delta(path)
        assert found is not None
        assert found[0].thin()[2] == pytest.approx(scale)


@pytest.mark.parametrize("said", ["{", '{"unet.lora_alpha": "much"}', "[" * 5000])
def test_what_the_header_says_is_refused_in_a_sentence(made: Made, said: str) -> None:
    refusal(lambda: made(lora(), lora_adapter_metadata=said))


@pytest.mark.parametrize(
    "said", ["[]", '{"lora_alpha": []}', '{"alpha_pattern": 3}', "nonsense", ""]
)
def test_a_config_beside_it_is_refused_in_a_sentence(tmp_path: Path, said: str) -> None:
    tensors = {"base_model.model.x.lora_A.weight": torch.zeros(2, 3)}
    saved(tmp_path / "adapter_model.safetensors", tensors)
    (tmp_path / "adapter_config.json").write_text(said)
    assert "adapter_config.json" in refusal(read_adapter, tmp_path)


def test_a_folder_of_diffusers_is_read(model: DrawingModel, tmp_path: Path) -> None:
    down, up = random(2, 32), random(32, 2)
    saved(
        tmp_path / "pytorch_lora_weights.safetensors",
        {f"unet.{QUERY}.lora_A.weight": down, f"unet.{QUERY}.lora_B.weight": up},
    )
    assert read_adapter(tmp_path).found_in(model).unused == []


@pytest.mark.parametrize(
    "spelled",
    [
        f"unet.{QUERY}.lora.{{}}.weight",
        f"unet.{QUERY.replace('.to_q', '.processor.to_q_lora')}.{{}}.weight",
        f"{QUERY.replace('.to_q', '.processor.to_q_lora')}.{{}}.weight",
        f"unet.{QUERY.replace('.to_q', '.to_q_lora')}.{{}}.weight",
        f"base_model.model.{QUERY}.lora_{{}}.default.weight",
        f"base_model.model.unet.{QUERY}.lora_{{}}.weight",
        "text_encoder.text_model.encoder.layers.1.self_attn.to_q_lora.{}.weight",
        "text_encoder.text_model.encoder.layers.1.self_attn.to_out_lora.{}.weight",
        "text_encoder.text_model.encoder.layers.1.self_attn.out_proj"
        ".lora_linear_layer.{}.weight",
        "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_{}.weight",
        "base_model.model.text_model.encoder.layers.0.self_attn.k_proj.lora_{}.weight",
        "text_encoder.encoder.layers.0.self_attn.k_proj.lora_{}.weight",
    ],
)
def test_old_and_rare_spellings_are_known(
    model: DrawingModel, made: Made, spelled: str
) -> None:
    is_text = "encoder" in spelled
    width, out = (48 if is_text else 32), (96 if "fc1" in spelled else 0)
    peft = "_model.model" in spelled or "encoder.encoder" in spelled
    ends = ("A", "B") if peft else ("down", "up")
    tensors = {
        spelled.format(end): torch.zeros(shape)
        for end, shape in zip(ends, ((2, width), (out or width, 2)), strict=True)
    }
    found = made(tensors).found_in(model)
    assert found.unused == []
    assert {*found.deltas} == {"text" if is_text else "denoiser"}


def test_learned_words_that_come_with_it_are_named(
    model: DrawingModel, made: Made
) -> None:
    words = {
        "bundle_emb.zorb.string_to_param.*": torch.zeros(2, 48),
        "bundle_emb.a.b.clip_l": torch.zeros(1, 48),
    }
    adapter = made(lora() | words)
    assert {name: {*held} for name, held in adapter.embeddings.items()} == {
        "zorb": {"string_to_param.*"},
        "a.b": {"clip_l"},
    }
    assert adapter.found_in(model).unused == []
