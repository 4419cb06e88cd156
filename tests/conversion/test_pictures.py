"""A converted model draws what it drew before, here to the bit; diffusers reads it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from safetensors.torch import save_file

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.conversion.convert import convert
from imaginairy.conversion.extract import Wanted, extract
from tests.support.pictures import pixels
from tests.support.written import said, tensors

Model = Callable[[str, str], Path]
SMALL: dict[str, Any] = {
    "seed": 3, "steps": 2, "width": 64, "height": 64, "upscale": False,
    "sampler_type": "ddim", "prompt_strength": 3.0,
}  # fmt: skip
PIPELINES = {
    "sd1": StableDiffusionPipeline,
    "sd2": StableDiffusionPipeline,
    "sdxl": StableDiffusionXLPipeline,
    "sdxl-refiner": StableDiffusionXLImg2ImgPipeline,
}


@pytest.fixture(autouse=True)
def quietly() -> Iterator[None]:
    """Show no bars of diffusers."""
    diffusers.utils.logging.disable_progress_bar()
    yield
    diffusers.utils.logging.enable_progress_bar()


def drawn(model: Path | str, prompt: str = "a red fox", **more: Any) -> Any:
    """Draw a picture in float32 and return its pixels."""
    asked = ImaginePrompt(prompt, model=str(model), **{**SMALL, **more})
    result = next(imagine(asked, store=ModelStore("cpu", "full")))
    return pixels(result.images["generated"])


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_pictures_are_the_same_to_the_bit(
    family: str, model: Model, tmp_path: Path
) -> None:
    before = drawn(model(family, "folder"))
    convert(str(model(family, "folder")), f"{tmp_path}/file.safetensors")
    convert(f"{tmp_path}/file.safetensors", f"{tmp_path}/folder/")
    for name in ("file.safetensors", "folder"):
        assert (drawn(tmp_path / name) == before).all()


def test_the_bundled_model_draws_the_same_out_of_a_file(tmp_path: Path) -> None:
    convert("storybook", f"{tmp_path}/whole.safetensors", precision="fp32")
    before = drawn("storybook", "a bowl of oranges")
    assert (drawn(f"{tmp_path}/whole.safetensors", "a bowl of oranges") == before).all()


@pytest.mark.parametrize("family", PIPELINES)
def test_diffusers_reads_the_folder(family: str, model: Model, tmp_path: Path) -> None:
    """And finds in it what it wrote itself."""
    convert(str(model(family, "file")), f"{tmp_path}/folder/")
    kind: Any = PIPELINES[family]
    ours = kind.from_pretrained(tmp_path / "folder", local_files_only=True)
    theirs = kind.from_pretrained(model(family, "folder"), local_files_only=True)
    assert type(ours) is type(theirs)
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        first, second = (getattr(each, name, None) for each in (ours, theirs))
        if second is None:
            assert first is None
            continue
        assert type(first) is type(second)
        held, wanted = first.state_dict(), second.state_dict()
        assert held.keys() == wanted.keys()
        assert all(held[key].equal(wanted[key]) for key in wanted)
    for name in ("tokenizer", "tokenizer_2"):
        first, second = (getattr(each, name, None) for each in (ours, theirs))
        assert first is None or first("a red fox").input_ids == (
            second("a red fox").input_ids
        )
    assert ours.scheduler.config.prediction_type == "epsilon"


def test_diffusers_reads_the_file(model: Model, tmp_path: Path) -> None:
    """Where it can be told the sizes: of Stable Diffusion 1's UNet and autoencoder."""
    out = tmp_path / "out.safetensors"
    convert(str(model("sd1", "folder")), str(out))
    for part, kind in (
        ("unet", diffusers.UNet2DConditionModel), ("vae", diffusers.AutoencoderKL)
    ):  # fmt: skip
        config = str(model("sd1", "folder"))
        read = kind.from_single_file(
            str(out), config=config, subfolder=part, local_files_only=True
        )
        theirs = kind.from_pretrained(config, subfolder=part, local_files_only=True)
        held, wanted = read.state_dict(), theirs.state_dict()
        assert held.keys() == wanted.keys()
        assert all(held[key].equal(wanted[key]) for key in wanted)


def test_a_model_with_what_was_extracted_draws_nearly_what_the_other_does(
    tmp_path: Path,
) -> None:
    """Nearer by more than 20 dB than the model without it."""
    base, other = f"{tmp_path}/base.safetensors", f"{tmp_path}/other.safetensors"
    convert("storybook", base, precision="fp32")
    held = tensors(Path(base))
    chance = torch.Generator().manual_seed(1)
    for name, tensor in held.items():
        if name.startswith("model.diffusion_model.") and tensor.ndim > 1:
            flat = tensor.flatten(1)
            thin = torch.randn(len(flat), 2, generator=chance)
            more = thin @ torch.randn(2, flat.shape[1], generator=chance)
            held[name] = tensor + (0.1 * tensor.std() * more).reshape(tensor.shape)
    save_file(held, other, {"imaginairy.config": _config(base)})
    (tmp_path / "other.tokenizer").symlink_to(tmp_path / "base.tokenizer")
    extract(base, other, f"{tmp_path}/lora.safetensors", Wanted(rank=2))
    wanted = drawn(other, "a red circle")
    with_it = drawn(base, "a red circle", loras=[f"{tmp_path}/lora.safetensors"])
    assert _psnr(drawn(base, "a red circle"), wanted) < 25
    assert _psnr(with_it, wanted) > 45


def _config(file: str) -> str:
    return said(Path(file))["imaginairy.config"]


def _psnr(first: Any, second: Any) -> float:
    """Return how near two pictures are, in decibels."""
    error = float(((first.astype(float) - second.astype(float)) ** 2).mean())
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
