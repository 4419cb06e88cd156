"""Models without a VAE, and files that are given as one and are none."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from imaginairy import ModelStore
from imaginairy.errors import CheckpointError, UnknownModelError
from imaginairy.models.inspection import inspected
from tests.support.checkpoints import write_hollow
from tests.support.taesd import save_halves, tiny_taesd
from tests.support.tiny import tiny_pipeline
from tests.support.tiny_kin import save_as_file, tiny_sd2, tiny_sdxl
from tests.support.vaes import LAYOUTS, asked, pictures, save


@pytest.fixture(scope="module")
def theirs() -> Any:
    """Another VAE than that of the tiny model."""
    return tiny_pipeline(seed=3).vae


@pytest.fixture(scope="module")
def kept() -> ModelStore:
    return ModelStore("cpu")


# --- models that have none ------------------------------------------------------------


def lacking(layout: str, folder: Path) -> Path:
    """Save a model without a VAE."""
    if layout == "folder":
        tiny_pipeline().save_pretrained(folder)
        shutil.rmtree(folder / "vae")
        return folder
    file = folder / "model.safetensors"
    save_as_file(tiny_sd2(), file)
    tensors = load_file(file)
    return save({n: t for n, t in tensors.items() if "first_stage" not in n}, file)


@pytest.mark.parametrize("layout", ["folder", "file"])
def test_a_model_without_one_draws_with_one_and_is_refused_without(
    theirs: Any, tmp_path: Path, layout: str
) -> None:
    (tmp_path / "other").mkdir()
    vae = LAYOUTS["CompVis"](theirs, tmp_path / "other")
    model, store = lacking(layout, tmp_path), ModelStore("cpu")
    for _ in range(2):
        [picture] = pictures(asked(model, vae=str(vae)), store=store)
        assert picture.std() > 1
        with pytest.raises(CheckpointError) as refused:
            pictures(asked(model), store=store)
        assert str(refused.value) == (
            f"'{model}' has no autoencoder (VAE); give one with --vae, or a model that "
            "has one."
        )
    found = inspected(model)
    assert (
        found.usable and "Its autoencoder (VAE): give one with --vae." in found.missing
    )
    with pytest.raises(CheckpointError, match=r" that has no(ne| VAE); give "):
        store.get(str(model), vae=str(model))


def test_a_decoder_alone_does_not_do_for_a_model_without_one(tmp_path: Path) -> None:
    file = save_halves(tiny_taesd(), tmp_path / "half", ".safetensors", "decoder")
    model = lacking("folder", tmp_path)
    with pytest.raises(CheckpointError) as refused:
        pictures(asked(model, vae=str(file)), store=ModelStore("cpu"))
    assert str(refused.value) == (
        f"'{model}' has no autoencoder (VAE), and '{file}' only decodes; give a whole "
        "one with --vae, or a model that has one."
    )


# --- what is refused ------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, tuple[int, ...]], str]] = {
    "16 channels": (
        {
            "decoder.conv_in.weight": (512, 16, 3, 3),
            "decoder.up.0.block.0.conv1.weight": (128, 128, 3, 3),
        },
        "is a VAE for 16 channels of latents; '{model}' draws on 4; give a VAE of "
        "Stable Diffusion 1.x.",
    ),
    "a LoRA": (
        {"lora_unet_mid_block_attentions_0.lora_down.weight": (4, 8)},
        "is no VAE but a LoRA; give a VAE, or a model that has one.",
    ),
    "a TAESD": (
        {"decoder.layers.0.weight": (64, 4, 3, 3),
         "decoder.layers.2.conv.0.weight": (64, 64, 3, 3)},
        "cannot be used: its decoder has a first convolution and no last one.",
    ),
    "nothing known": (
        {"lorry.weight": (2,)},
        "is no VAE but a file of other weights; give a VAE",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_none_is_refused_as_what_it_is(
    kept: ModelStore, tiny_folder: Path, tmp_path: Path, kind: str
) -> None:
    shapes, said = REFUSED[kind]
    write_hollow(tmp_path / "x.safetensors", shapes)
    with pytest.raises(CheckpointError) as refused:
        kept.get(str(tiny_folder), vae=str(tmp_path / "x.safetensors"))
    message = str(refused.value)
    assert message.startswith(f"'{tmp_path / 'x.safetensors'}' ")
    assert said.format(model=tiny_folder) in message


def test_that_of_another_family_is_refused(
    kept: ModelStore, tiny_folder: Path, tmp_path: Path
) -> None:
    tiny_sdxl().save_pretrained(tmp_path / "folder")
    save_as_file(tiny_sdxl(), tmp_path / "model.safetensors")
    for name in ("folder", "model.safetensors"):
        with pytest.raises(CheckpointError) as refused:
            kept.get(str(tiny_folder), vae=str(tmp_path / name))
        assert str(refused.value) == (
            f"'{tmp_path / name}' has the VAE of Stable Diffusion XL, whose latents "
            f"are not those of Stable Diffusion 1.x, which '{tiny_folder}' draws; give "
            "a VAE of that."
        )
    with pytest.raises(CheckpointError, match="'sdxl-vae-fp16-fix' has the VAE of St"):
        kept.get(str(tiny_folder), vae="sdxl-vae-fp16-fix")  # before it is fetched
    with pytest.raises(UnknownModelError, match="There is no VAE 'sdxl-vae'; give one"):
        kept.get(str(tiny_folder), vae="sdxl-vae")


def test_one_of_other_squares_or_settings_is_refused(
    kept: ModelStore, tiny_folder: Path, tmp_path: Path
) -> None:
    small = AutoencoderKL(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    file = save(small.state_dict(), tmp_path / "small.safetensors")
    with pytest.raises(CheckpointError, match="4 channels for 2 x 2 pixels; Stable D"):
        kept.get(str(tiny_folder), vae=str(file))
    tiny_pipeline().vae.save_pretrained(tmp_path / "vae")
    config = tmp_path / "vae" / "config.json"
    said = json.loads(config.read_text())
    config.write_text(json.dumps({**said, "use_quant_conv": False}))
    with pytest.raises(CheckpointError, match=r"has use_quant_conv 'False'; only 'Tr"):
        kept.get(str(tiny_folder), vae=str(tmp_path / "vae"))


def test_broken_weights_are_laid_to_the_vae(
    tiny_folder: Path, theirs: Any, tmp_path: Path
) -> None:
    named = {
        name: tensor * float("nan") for name, tensor in theirs.state_dict().items()
    }
    file = save(named, tmp_path / "nan.safetensors")
    with pytest.raises(
        Exception, match=f"of '{tiny_folder}' with the VAE '{file}' gav"
    ):
        pictures(asked(tiny_folder, vae=str(file)), store=ModelStore("cpu"))
