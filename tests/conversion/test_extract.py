"""A LoRA of what two models differ in: found back, and as good as the other model."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from imaginairy.adapters.file import read_adapter
from imaginairy.conversion.convert import convert
from imaginairy.conversion.extract import Like, Wanted, extract
from imaginairy.conversion.low_rank import thin
from imaginairy.errors import BadOptionError, CheckpointError
from imaginairy.lora import Lora
from tests.support.written import said, tensors

Model = Callable[[str, str], Path]
RANK = 3
UNREAD = "cond_stage_model.model.transformer.resblocks.3."
"""The last layer of Stable Diffusion 2's text encoder, at its tiny size."""
UNCHANGED = ("first_stage_model.", UNREAD)
NO_LAYER = ("embedding", "norm", "ln_", "layer_norm")


def is_layer(name: str, tensor: Tensor) -> bool:
    """Tell whether a tensor of a file is the weight of a layer that a LoRA changes."""
    others = name.startswith(UNCHANGED) or any(part in name for part in NO_LAYER)
    return tensor.ndim > 1 and tensor.is_floating_point() and not others


def moved(tensor: Tensor, rank: int, chance: torch.Generator) -> Tensor:
    """Return a weight with a difference of a rank; of a fused one, of each third."""
    flat = tensor.flatten(1)
    thirds = flat.shape[0] == 3 * flat.shape[1] and rank < flat.shape[1]
    parts = flat.chunk(3) if thirds else [flat]
    more = [
        torch.randn(len(part), rank, generator=chance)
        @ torch.randn(rank, part.shape[1], generator=chance)
        for part in parts
    ]
    return tensor + 0.02 * torch.cat(more).reshape(tensor.shape)


@pytest.fixture(scope="session")
def tuned(
    model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Give a model of a family that differs from another by a low rank everywhere."""
    made: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in made:
            chance = torch.Generator().manual_seed(5)
            before = load_file(model(family, "file"))
            after = {
                name: moved(tensor, RANK, chance) if is_layer(name, tensor) else tensor
                for name, tensor in before.items()
            }
            file = tmp_path_factory.mktemp(family) / "tuned.safetensors"
            save_file(after, file)
            for name in ("tokenizer", "tokenizer_2"):
                folder = model(family, "file").parent / name
                if folder.is_dir():
                    (file.parent / name).symlink_to(folder)
            made[family] = file
        return made[family]

    return get


def apart(first: Path, second: Path) -> float:
    """Return how far the tensors of two files are apart, at most, of their size."""
    one, other = tensors(first), tensors(second)
    assert one.keys() == other.keys()
    return max(
        float((one[name] - other[name]).norm() / max(other[name].norm(), 1e-6))
        for name in one
        if one[name].is_floating_point()
    )


@pytest.mark.parametrize(
    ("family", "like"),
    [("sd1", "kohya"), ("sd1", "peft"), ("sd2", "peft"), ("sdxl", "kohya"),
     ("sdxl", "peft"), ("sdxl-refiner", "kohya")],
)  # fmt: skip
def test_a_known_difference_is_found_back_and_makes_the_other_model(
    family: str, like: Like, model: Model, tuned: Callable[[str], Path], tmp_path: Path
) -> None:
    base, other = str(model(family, "file")), str(tuned(family))
    lora, merged = tmp_path / "l.safetensors", tmp_path / "m.safetensors"
    done = extract(base, other, str(lora), Wanted(rank=RANK, like=like))
    assert done.size == lora.stat().st_size
    assert done.share > 0.999999 and not done.others
    assert done.layers == sum(name.endswith(("_up.weight", "_B.weight"))
                              for name in tensors(lora))  # fmt: skip
    assert {tensor.dtype for tensor in tensors(lora).values()} == {torch.float16}
    assert apart(Path(base), Path(other)) > 0.05
    convert(base, str(merged), loras=[Lora(str(lora))])
    known = tmp_path / "known.safetensors"
    convert(other, str(known))
    assert apart(merged, known) < 1e-3


def test_names_are_those_that_trainers_write(
    model: Model, tuned: Callable[[str], Path], tmp_path: Path
) -> None:
    for family, like, wanted in (
        ("sd1", "kohya", {
            "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
            "lora_unet_down_blocks_0_downsamplers_0_conv", "lora_unet_conv_in",
            "lora_te_text_model_encoder_layers_1_self_attn_q_proj"}),
        ("sdxl", "kohya", {
            "lora_unet_input_blocks_1_1_transformer_blocks_1_attn2_to_k",
            "lora_unet_input_blocks_3_0_op", "lora_unet_label_emb_0_0",
            "lora_te1_text_model_encoder_layers_0_mlp_fc1",
            "lora_te2_text_model_encoder_layers_0_self_attn_k_proj",
            "lora_te2_text_projection"}),
        ("sdxl", "peft", {
            "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0",
            "text_encoder.text_model.encoder.layers.0.self_attn.v_proj",
            "text_encoder_2.text_projection"}),
    ):  # fmt: skip
        lora = tmp_path / f"{family}-{like}.safetensors"
        wants = Wanted(rank=1, like=like)  # type: ignore[arg-type]
        extract(str(model(family, "file")), str(tuned(family)), str(lora), wants)
        assert wanted <= {*read_adapter(lora).layers}


def test_it_says_what_it_is_and_of_what_it_was_made(
    model: Model, tuned: Callable[[str], Path], tmp_path: Path
) -> None:
    base, other, lora = model("sdxl", "file"), tuned("sdxl"), tmp_path / "l.safetensors"
    extract(str(base), str(other), str(lora), Wanted(rank=2, conv_rank=1))
    says = said(lora)
    assert says["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert says["ss_base_model_version"] == "sdxl_base_v1-0"
    assert (says["ss_network_dim"], says["ss_network_alpha"]) == ("2", "2")
    assert json.loads(says["ss_network_args"]) == {"conv_dim": "1", "conv_alpha": "1"}
    sums = [sha256(file.read_bytes()).hexdigest() for file in (base, other)]
    assert says["ss_new_sd_model_hash"] == sums[0]
    origin = json.loads(says["imaginairy.extracted_from"])
    assert [origin[each]["sha256"] for each in ("from", "to")] == sums


def test_ranks_are_those_that_are_wanted(
    model: Model, tuned: Callable[[str], Path], tmp_path: Path
) -> None:
    base, other, lora = model("sd1", "file"), tuned("sd1"), tmp_path / "l.safetensors"

    def ranks(wanted: Wanted) -> tuple[float, set[int], set[int]]:
        done = extract(str(base), str(other), str(lora), wanted, yes=True)
        downs = [t for n, t in tensors(lora).items() if n.endswith("_down.weight")]
        wide = {len(each) for each in downs if each.shape[2:] == (3, 3)}
        return done.share, {len(each) for each in downs} - wide, wide

    share, plain, wide = ranks(Wanted(rank=2, conv_rank=1))
    assert (plain, wide) == ({2}, {1}) and 0.3 < share < 0.999
    share, plain, wide = ranks(Wanted(rank=1, conv_rank=0))
    assert (plain, wide) == ({1}, set())
    share, plain, wide = ranks(Wanted(keep=0.6))
    assert 0.6 <= share < 0.95 and plain | wide <= {1, 2}


def test_what_has_no_place_in_a_lora_is_told(model: Model, tmp_path: Path) -> None:
    base, other = model("sd1", "file"), tmp_path / "b.safetensors"
    held = load_file(base)
    name = "model.diffusion_model.input_blocks.0.0."
    held[f"{name}weight"] = held[f"{name}weight"] + 0.1
    held[f"{name}bias"] = held[f"{name}bias"] + 0.1
    save_file(held, other)
    (tmp_path / "tokenizer").symlink_to(base.parent / "tokenizer")
    done = extract(str(base), str(other), str(tmp_path / "l.safetensors"))
    assert (done.layers, done.others) == (1, ["denoiser.conv_in.bias"])


def test_models_that_are_alike_or_no_pair_are_refused(
    model: Model, tuned: Callable[[str], Path], tmp_path: Path
) -> None:
    out = str(tmp_path / "l.safetensors")
    same = (str(model("sd1", layout)) for layout in ("file", "folder"))
    for pair, why in (
        ((*same,), "differ in no layer that a LoRA can change"),
        ((str(model("sd1", "file")), str(model("sdxl", "file"))),
         "are of Stable Diffusion 1.x and of Stable Diffusion XL; give two models of"),
        ((str(model("sd1", "file")), "storybook"), "are of different sizes; give two"),
    ):  # fmt: skip
        with pytest.raises(BadOptionError, match=why):
            extract(*pair, out)
    base = str(model("sd1", "file"))
    with pytest.raises(BadOptionError, match="is not the name of a file"):
        extract(base, str(tuned("sd1")), f"{tmp_path}/")
    with pytest.raises(BadOptionError, match="give another place to write to"):
        extract(base, str(tuned("sd1")), base, yes=True)
    assert not (tmp_path / "l.safetensors").exists()


def test_a_model_that_is_not_finite_is_refused(model: Model, tmp_path: Path) -> None:
    base, other = model("sd1", "file"), tmp_path / "b.safetensors"
    held = load_file(base)
    held["model.diffusion_model.out.2.weight"][0, 0, 0, 0] = torch.nan
    save_file(held, other)
    (tmp_path / "tokenizer").symlink_to(base.parent / "tokenizer")
    with pytest.raises(CheckpointError, match="'lora_unet_conv_out' is not finite"):
        extract(str(base), str(other), str(tmp_path / "l.safetensors"))


@pytest.mark.parametrize("shape", [(20, 30), (500, 400), (300, 700)])
def test_the_strongest_directions_of_a_matrix(shape: tuple[int, int]) -> None:
    """As a whole decomposition has them; large matrices are looked at by chance."""
    chance = torch.Generator().manual_seed(2)
    before = torch.random.get_rng_state()
    matrix = torch.randn(shape, generator=chance) / torch.arange(1, shape[1] + 1) ** 1.5
    left, strengths, right = torch.linalg.svd(matrix, full_matrices=False)
    best = (left[:, :5] * strengths[:5]) @ right[:5]
    found = thin(matrix, 5)
    assert torch.dist(found.up @ found.down, best) / best.norm() < 1e-3
    assert found.held == pytest.approx(float(best.square().sum()), rel=1e-4)
    assert found.whole == pytest.approx(float(matrix.square().sum()), rel=1e-4)
    again = thin(matrix, 5)
    assert again.up.equal(found.up)
    assert torch.random.get_rng_state().equal(before)
    assert thin(matrix, 5, keep=0.5).up.shape[1] == 1
