"""What is written of a model besides its tensors, what is merged, what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from imaginairy.adapters.acting import acting
from imaginairy.adapters.file import read_adapter
from imaginairy.conversion.convert import convert
from imaginairy.errors import BadOptionError, CannotSaveError, CheckpointError
from imaginairy.lora import Lora, parse_lora
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.store import ModelStore
from imaginairy.sources.rows import BUNDLED_FOLDER
from tests.support.limits import files_of_at_most
from tests.support.written import said, same, tensors, weights_of

Model = Callable[[str, str], Path]
UNET = "model.diffusion_model."
CONV = f"{UNET}input_blocks.0.0"
STORYBOOK = BUNDLED_FOLDER / "storybook"


def listed(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# --- precision ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp16", torch.float16), ("bf16", torch.bfloat16), ("fp32", torch.float32)],
)
def test_numbers_are_cast_once_and_whole_ones_stay(
    precision: Any, dtype: torch.dtype, model: Model, tmp_path: Path
) -> None:
    base, out = model("sdxl", "file"), tmp_path / "out.safetensors"
    convert(str(base), str(out), precision=precision)
    before, after = load_file(base), tensors(out)
    assert {each.dtype for each in after.values()} == {dtype, torch.int64}
    for name, tensor in before.items():
        assert after[name].equal(tensor.to(dtype))


def test_numbers_that_a_type_cannot_hold_are_refused(
    model: Model, tmp_path: Path
) -> None:
    base, out = tmp_path / "big.safetensors", tmp_path / "out.safetensors"
    held = load_file(model("sd1", "file"))
    held[f"{CONV}.bias"][0] = 70_000
    save_file(held, base)
    with pytest.raises(CheckpointError, match="becomes too large for float16"):
        convert(str(base), str(out), precision="fp16")
    assert listed(tmp_path) == ["big.safetensors"]
    convert(str(base), str(out), precision="bf16")


# --- what it says of itself -----------------------------------------------------------


def test_metadata_are_kept_and_say_what_it_is(model: Model, tmp_path: Path) -> None:
    base, out = tmp_path / "fox.safetensors", tmp_path / "out.safetensors"
    own = {
        "modelspec.license": "MIT", "modelspec.title": "Fox", "modelspec.date": "2024",
        "modelspec.resolution": "64x96", "modelspec.encoder_layer": "2",
        "modelspec.hash_sha256": "0" * 64, "sshs_model_hash": "1", "größe": "{}",
    }  # fmt: skip
    save_file(load_file(model("sd1", "file")), base, own)
    (tmp_path / "tokenizer").symlink_to(model("sd1", "file").parent / "tokenizer")
    convert(str(base), str(out), precision="fp16")
    kept = {k: v for k, v in own.items() if "hash" not in k}
    assert said(out) == {
        **kept, "format": "pt", "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1", "modelspec.precision": "fp16",
        "modelspec.prediction_type": "epsilon",
    }  # fmt: skip
    assert read_checkpoint(out).clip_skip == 2
    folder = tmp_path / "folder"
    convert(str(out), f"{folder}/")
    assert said(folder / "unet/diffusion_pytorch_model.safetensors") == said(out)


V = {"prediction_type": "v_prediction"}
ZERO = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
PLAYGROUND = {"_class_name": "EDMDPMSolverMultistepScheduler", "sigma_data": 0.5}
COSXL = {
    "_class_name": "EDMEulerScheduler", "sigma_data": 1.0, "sigma_max": 120.0,
    "sigma_schedule": "exponential", **V,
}  # fmt: skip
LATENTS = {
    "scaling_factor": 0.5, "latents_mean": [-1.6574, 1.886, -1.383, 2.5155],
    "latents_std": [8.4927, 5.9022, 6.5498, 5.2299],
}  # fmt: skip


@pytest.fixture(scope="module")
def unmarked(model: Model, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The tensors of the file of a model of usual noise."""
    plain = tmp_path_factory.mktemp("unmarked") / "plain.safetensors"
    convert(str(model("sdxl", "folder")), str(plain))
    return {*tensors(plain)}


@pytest.mark.parametrize(
    ("noise", "latents", "markers"),
    [
        (V, {}, {"v_pred"}),
        ({**V, **ZERO}, {}, {"v_pred", "ztsnr"}),
        (ZERO, {}, {"ztsnr"}),
        ({"rescale_betas_zero_snr": True}, {}, {"ztsnr"}),
        ({"beta_end": 0.02, "set_alpha_to_one": True}, {}, set()),
        ({"trained_betas": [1e-5 * n for n in range(1, 1001)]}, {}, set()),
        (PLAYGROUND, LATENTS, {"edm_mean", "edm_std"}),
        (COSXL, {}, {"edm_vpred.sigma_max", "edm_vpred.sigma_min"}),
    ],
)
def test_noise_and_latents_come_through_a_file(
    noise: dict[str, Any],
    latents: dict[str, Any],
    markers: set[str],
    unmarked: set[str],
    model: Model,
    tmp_path: Path,
) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out.safetensors"
    shutil.copytree(model("sdxl", "folder"), folder)
    for name, more in (("scheduler/scheduler", noise), ("vae/", latents)):
        file = folder / f"{name}{'_' if name[-1] != '/' else ''}config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **more}))
    before = read_checkpoint(folder)
    convert(str(folder), str(out))
    after = read_checkpoint(out)
    assert (after.schedule, after.says_prediction) == (before.schedule, True)
    assert after.parts["autoencoder"].config == before.parts["autoencoder"].config
    assert tensors(out).keys() - unmarked == markers
    convert(str(out), f"{tmp_path}/again/")
    assert read_checkpoint(tmp_path / "again").schedule == before.schedule
    convert(str(out), f"{tmp_path}/again.safetensors")
    assert tensors(tmp_path / "again.safetensors").keys() == tensors(out).keys()


def test_what_a_network_is_asked_is_written(model: Model, tmp_path: Path) -> None:
    """No other program asks it, so whoever reads the folder would take it for noise."""
    base = tmp_path / "m" / "v.safetensors"
    base.parent.mkdir()
    held = load_file(model("sd2", "file"))
    held[f"{UNET}out.2.bias"] -= 10
    save_file(held, base)
    (base.parent / "tokenizer").symlink_to(model("sd2", "file").parent / "tokenizer")
    convert(str(base), f"{tmp_path}/folder/")
    schedule = (tmp_path / "folder/scheduler/scheduler_config.json").read_text()
    assert json.loads(schedule)["prediction_type"] == "v_prediction"
    convert(str(base), f"{tmp_path}/out.safetensors")
    says = said(tmp_path / "out.safetensors")
    assert says["modelspec.architecture"] == "stable-diffusion-v2-768-v"
    assert says["modelspec.prediction_type"] == "v"


@pytest.mark.parametrize(
    "written", ["[]", "{", '{"unet": 3}', '{"unet": {"norm_num_groups": "many"}}',
                '{"index": {"force_zeros_for_empty_prompt": 3}}', "[" * 100_000],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(
    written: str, model: Model, tmp_path: Path
) -> None:
    file = tmp_path / "a.safetensors"
    said = {"imaginairy.config": written}
    save_file(load_file(model("sd1", "file")), file, said)
    with pytest.raises(CheckpointError, match=r"'.*a\.safetensors' has "):
        read_checkpoint(file)


# --- what is left out, and what goes with it ------------------------------------------


def test_what_nothing_reads_is_named_and_left_out(model: Model, tmp_path: Path) -> None:
    base, out = tmp_path / "ema.safetensors", tmp_path / "out.safetensors"
    more = {
        f"model_ema.{name}": torch.ones(2) for name in ("decay", "diffusion_modelx")
    }
    save_file({**load_file(model("sd1", "file")), **more, "betas": torch.ones(9)}, base)
    done = convert(str(base), str(out))
    assert sorted(done.unread) == ["betas", *sorted(more)]
    assert not {*more, "betas"} & tensors(out).keys()


def test_what_else_lies_in_a_folder_goes_into_another(tmp_path: Path) -> None:
    convert("storybook", f"{tmp_path}/again/")
    assert same(weights_of(STORYBOOK), weights_of(tmp_path / "again"))
    before = {path for path in listed(STORYBOOK) if "." in path}
    assert {path for path in listed(tmp_path / "again") if "." in path} == before
    words = (tmp_path / "again" / "words.json").read_bytes()
    assert words == (STORYBOOK / "words.json").read_bytes()


# --- merged ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of the UNet and of the text encoder of the tiny models."""
    chance = torch.Generator().manual_seed(4)
    held = {}
    for name, (out, taken) in {
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q": (
            32,
            32,
        ),
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q": (64, 64),
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj": (48, 48),
    }.items():
        held[f"{name}.lora_up.weight"] = torch.randn(out, 2, generator=chance)
        held[f"{name}.lora_down.weight"] = torch.randn(2, taken, generator=chance)
        held[f"{name}.alpha"] = torch.tensor(1.0)
    file = tmp_path_factory.mktemp("loras") / "style.safetensors"
    save_file(held, file, {"ss_base_model_version": "sd_v1"})
    return file


@pytest.mark.parametrize("given", ["=0.8", ",unet=0.5,text=-1", ",in=0.5,mid=0,out=0"])
def test_adapters_are_merged_as_they_act(
    given: str, lora: Path, model: Model, tmp_path: Path
) -> None:
    base, out = str(model("sd1", "folder")), tmp_path / "out.safetensors"
    wanted = parse_lora(f"{lora}{given}")
    convert(base, str(out), loras=[wanted])
    plain, merged = (
        ModelStore("cpu", "full").get(name).diffusion.networks
        for name in (base, str(out))
    )
    model_of = SimpleNamespace(
        family=read_checkpoint(out).family, networks=plain,
        network=plain["denoiser"], device=torch.device("cpu"),
    )  # fmt: skip
    before = {role: dict(net.state_dict()) for role, net in plain.items()}
    changed = 0
    with acting(model_of, [(read_adapter(lora), wanted)], merged=True):
        for role, network in plain.items():
            for name, tensor in network.state_dict().items():
                ours = merged[role].state_dict()[name]
                assert torch.allclose(ours, tensor, atol=1e-6), name
                changed += not ours.equal(before[role][name])
    assert changed == (1 if "mid=0" in given else 3) + ("mid=0" in given)
    assert (
        said(out)["modelspec.merged_from"] == f"model, style{given.replace(',', ' ')}"
    )


def test_of_two_layers_of_a_file_that_are_one_only_the_changed_third_changes(
    model: Model, tmp_path: Path
) -> None:
    """As of OpenCLIP's, where queries, keys and values lie in one matrix."""
    name = "lora_te2_text_model_encoder_layers_1_self_attn_k_proj"
    file, out = tmp_path / "l.safetensors", tmp_path / "out.safetensors"
    up, down = torch.ones(40, 1), torch.ones(1, 40)
    ends = {"lora_up.weight": up, "lora_down.weight": down}
    save_file({f"{name}.{end}": tensor for end, tensor in ends.items()}, file)
    convert(str(model("sdxl", "file")), str(out), loras=[Lora(str(file), 0.25)])
    before, after = load_file(model("sdxl", "file")), tensors(out)
    other = "conditioner.embedders.1.model.transformer.resblocks.1.attn.in_proj_weight"
    assert {n for n in before if not before[n].equal(after[n])} == {other}
    query, key, value = (after[other] - before[other]).chunk(3)
    assert not query.any() and not value.any()
    assert torch.allclose(key, torch.full((40, 40), 0.25), atol=1e-6)


MIDDLE = "lora_unet_mid_block_attentions_0_transformer_blocks_0"


def test_biases_are_changed_with_their_weights_or_it_is_refused(
    model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What makes outputs of a layer stronger changes the bias too, as PEFT has it."""
    file, out = tmp_path / "l.safetensors", tmp_path / "out.safetensors"
    place = f"{MIDDLE}_attn1_to_out_0"
    word = {"bundle_emb.zorb.string_to_param.*": torch.ones(1, 48)}
    save_file({f"{place}.ia3_l": torch.full((64, 1), 3.0), **word}, file)
    convert(str(model("sd1", "file")), str(out), loras=[Lora(str(file), 0.5)])
    assert caplog.messages == [
        f"{file}: its learned words (zorb) do not go into the model, which reads them "
        "as plain text."
    ]
    before, after = load_file(model("sd1", "file")), tensors(out)
    changed = {name for name in before if not before[name].equal(after[name])}
    other = "model.diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_out.0"
    assert changed == {f"{other}.weight", f"{other}.bias"}
    for name in changed:
        assert torch.allclose(after[name], 2 * before[name])
    save_file({f"{MIDDLE}_attn1_to_q.diff_b": torch.ones(64)}, file)
    with pytest.raises(CheckpointError, match="a bias, and models of that kind have"):
        convert(str(model("sd1", "file")), str(out), loras=[Lora(str(file))], yes=True)


# --- refused --------------------------------------------------------------------------


def test_nonsense_is_refused_in_a_sentence(
    lora: Path, model: Model, tmp_path: Path
) -> None:
    base, out = str(model("sd1", "file")), f"{tmp_path}/out.safetensors"
    (tmp_path / "notes").mkdir()
    words = lora.parent / "words.safetensors"
    save_file({"bundle_emb.zorb.string_to_param.*": torch.zeros(2, 48)}, words)
    (tmp_path / "notes" / "a.txt").write_text("mine")
    (tmp_path / "there.safetensors").write_text("mine")
    (tmp_path / "pipe.safetensors").symlink_to("/dev/zero")
    for error, why, asked in (
        (CheckpointError, "a LoRA for Stable Diffusion 1", (str(lora), out)),
        (CheckpointError, "is a LoRA.*; the model is Stable Diffusion XL",
         (str(model("sdxl", "file")), out, {"loras": [Lora(str(lora))]})),
        (CheckpointError, "learned words and changes no layer, so there is nothing",
         (base, out, {"loras": [Lora(str(words))]})),
        (BadOptionError, "leave the @ away",
         (base, out, {"loras": [Lora(str(lora), end=0.5)]})),
        (BadOptionError, "is the name of neither", (base, f"{tmp_path}/out.ckpt")),
        (BadOptionError, "is not the name of a file",
         (base, f"{tmp_path}/out", {"layout": "file"})),
        (BadOptionError, "is the name of a file; give one without",
         (base, out, {"layout": "folder"})),
        (BadOptionError, "give another place to write to", (base, base, {"yes": True})),
        (BadOptionError, "give another place to write to",
         (base, out, {"loras": [Lora(str(lora))], "out": str(lora), "yes": True})),
        (BadOptionError, "give another place to write to",
         (str(model("sd1", "folder")), f"{model('sd1', 'folder')}/unet/",
          {"yes": True})),
        (BadOptionError, "is in '.*', which is read and stays as it is; give another",
         (str(model("sd1", "folder")), f"{model('sd1', 'folder')}/out.safetensors")),
        (BadOptionError, "no folder of a model, so it is not written over",
         (base, f"{tmp_path}/notes/", {"yes": True})),
        (BadOptionError, "is there already; give another name, or --yes",
         (base, f"{tmp_path}/there.safetensors")),
        (BadOptionError, "give the name of a file",
         (base, f"{tmp_path}/pipe.safetensors", {"yes": True})),
    ):  # fmt: skip
        name, place, *more = asked
        options: dict[str, Any] = dict(more[0]) if more else {}  # type: ignore[arg-type]
        place = options.pop("out", place)
        with pytest.raises(error, match=why):
            convert(str(name), str(place), **options)
    assert listed(tmp_path) == [
        "notes", "notes/a.txt", "pipe.safetensors", "there.safetensors"
    ]  # fmt: skip


def test_it_is_known_before_whether_there_is_room(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**6))
    for out in ("out.safetensors", "out/"):
        with pytest.raises(CannotSaveError, match=r"976 KiB are free, and 'out"):
            convert(str(model("sd1", "file")), f"{tmp_path}/{out}")
    assert not listed(tmp_path)


@pytest.mark.parametrize("out", ["out.safetensors", "out/"])
def test_a_disk_that_is_full_half_way_leaves_what_was_there(
    out: str, model: Model, tmp_path: Path
) -> None:
    base = str(model("sd1", "folder"))
    with files_of_at_most(1_000_000), pytest.raises(OSError):
        convert(base, f"{tmp_path}/{out}")
    assert not listed(tmp_path)
    convert(base, f"{tmp_path}/{out}")
    before = listed(tmp_path)
    with files_of_at_most(1_000_000), pytest.raises(OSError):
        convert(base, f"{tmp_path}/{out}", precision="bf16", yes=True)
    assert listed(tmp_path) == before
    convert(base, f"{tmp_path}/{out}", precision="bf16", yes=True)
    assert listed(tmp_path) == before


def test_how_far_it_is_is_told(model: Model, tmp_path: Path) -> None:
    sizes: list[int] = []
    counts: list[int] = []

    def watched(size: int) -> Callable[[int], None]:
        sizes.append(size)
        return counts.append

    for out in ("out.safetensors", "out/"):
        done = convert(str(model("sd1", "file")), f"{tmp_path}/{out}", watched=watched)
        assert sizes.pop() == done.size == sum(counts)
        counts.clear()
