"""Models that edit a picture as they are told, beside diffusers' pipelines for them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionXLInstructPix2PixPipeline,
)
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.errors import BadOptionError
from tests.support.beside_diffusers import Last, prompts
from tests.support.editors import seeing_more
from tests.support.tiny import BETAS, tiny_pipeline
from tests.support.tiny_kin import tiny_sdxl
from tests.support.written import save_file_of

TOLERANCE = 2e-5
WINTER = "a red fox"
CLASSES: dict[str, Any] = {
    "1": StableDiffusionInstructPix2PixPipeline,
    "XL": StableDiffusionXLInstructPix2PixPipeline,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each family that edits."""
    where = tmp_path_factory.mktemp("editors")
    built = {"1": tiny_pipeline(), "XL": tiny_sdxl()}
    for name, pipeline in built.items():
        seeing_more(pipeline).save_pretrained(where / name)
        index = where / name / "model_index.json"
        said = json.loads(index.read_text()) | {"_class_name": CLASSES[name].__name__}
        index.write_text(json.dumps(said))
    return {name: where / name for name in built}


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


def picture(seed: int) -> Image.Image:
    """Return a smooth picture of many colours."""
    small = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8)
    return Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC)


@torch.inference_mode()
def theirs(folder: Path, kind: str, **options: Any) -> torch.Tensor:
    scheduler = DDIMScheduler(
        **BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )
    pipeline = CLASSES[kind].from_pretrained(folder, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    sizes = {"height": 64, "width": 64} if kind == "XL" else {}
    latents: torch.Tensor = pipeline(
        WINTER,
        negative_prompt="a bowl",
        latents=noise,
        num_inference_steps=5,
        output_type="latent",
        **sizes,
        **options,
    ).images
    return latents


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize(("scale", "image_scale"), [(7.5, 1.5), (4.0, 2.5), (5.0, 1.0)])
def test_what_is_edited_is_theirs(
    folders: dict[str, Path],
    store: ModelStore,
    kind: str,
    scale: float,
    image_scale: float,
) -> None:
    shown = picture(1)
    wanted = theirs(
        folders[kind], kind, image=shown, guidance_scale=scale,
        image_guidance_scale=image_scale,
    )  # fmt: skip
    last = Last()
    asked = prompts(
        folders[kind], WINTER, init_image=shown, prompt_strength=scale,
        image_guidance=image_scale, negative_prompt="a bowl",
    )  # fmt: skip
    (result,) = imagine(asked, store=store, observer=last)
    given = last.latents[0]
    assert (given - wanted).abs().max() < TOLERANCE * wanted.abs().max()
    again = ImaginePrompt.from_dict({**result.prompt.to_dict(), "init_image": shown})
    assert (again.image_guidance, again.init_image_strength) == (image_scale, 0)


def test_pictures_are_edited_together_as_alone(
    folders: dict[str, Path], store: ModelStore
) -> None:
    fields: dict[str, Any] = {"image_guidance": 2.0, "sampler_type": "k_euler_a"}
    asked = prompts(
        folders["1"], WINTER, "a bowl of fruit", **fields, init_image=picture(1)
    )
    asked[1] = ImaginePrompt.from_dict({**asked[1].to_dict(), "init_image": picture(2)})
    together, alone = Last(), []
    results = [*imagine(asked, store=store, observer=together)]
    for each in asked:
        last = Last()
        next(imagine(each, store=store, observer=last))
        alone.append(last.latents[0])
    assert len(results) == 2
    for number, latents in enumerate(alone):
        assert torch.allclose(together.latents[number], latents, atol=1e-4)
    assert not torch.allclose(alone[0], alone[1], atol=1e-2)


def test_a_mask_keeps_what_is_not_to_be_edited(
    folders: dict[str, Path], store: ModelStore
) -> None:
    shown, half = picture(1), Image.new("L", (64, 64))
    half.paste(255, (0, 0, 32, 64))
    (asked,) = prompts(folders["1"], WINTER, init_image=shown, mask_image=half)
    result = next(imagine(asked, store=store))
    drawn = np.asarray(result.image("modified_original"), float)
    away = np.abs(drawn - np.asarray(shown, float))
    assert away[:, 56:].max() == 0 and away[:, :24].mean() > 10


def test_one_file_edits_as_its_folder_does(
    folders: dict[str, Path], store: ModelStore, tmp_path: Path
) -> None:
    file = tmp_path / "editor.safetensors"
    save_file_of(CLASSES["1"].from_pretrained(folders["1"]), file)
    latents = []
    for place in (folders["1"], file):
        last = Last()
        asked = prompts(place, WINTER, init_image=picture(1), image_guidance=2.0)
        next(imagine(asked[0], store=store, observer=last))
        latents.append(last.latents[0])
    # a file does not tell the heads of so small a text encoder
    assert (latents[0] - latents[1]).abs().max() < 0.05 * latents[0].abs().max()


def test_what_cannot_be_edited_is_said(
    folders: dict[str, Path], store: ModelStore, tiny_folder: Path
) -> None:
    (blind,) = prompts(folders["1"], WINTER)
    with pytest.raises(BadOptionError, match="edits an image as the prompt says"):
        next(imagine(blind, store=store))
    (plain,) = prompts(tiny_folder, WINTER, init_image=picture(1), image_guidance=2)
    with pytest.raises(BadOptionError, match="image_guidance has nothing to do"):
        next(imagine(plain, store=store))
    with pytest.raises(BadOptionError, match="image_guidance needs an init_image"):
        ImaginePrompt(WINTER, image_guidance=1.5)
