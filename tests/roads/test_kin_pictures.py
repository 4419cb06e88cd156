"""Stable Diffusion 2 and XL from pictures, in few steps and in half, beside diffusers.

On the same random weights; what is drawn from noise alone stands in `test_kin`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
)
from PIL import Image

from imaginairy import ModelStore, imagine
from tests.support.beside_diffusers import BOWL, FOX, SIZE, Last, prompts, theirs
from tests.support.golden import relative_error
from tests.support.tiny import BETAS
from tests.support.tiny_kin import save_as_file, tiny_sd2, tiny_sdxl

pytestmark = pytest.mark.filterwarnings(  # diffusers calls NumPy in an old way
    "ignore:__array:DeprecationWarning"
)
TOLERANCE = 1e-4
TEXTS = (FOX, BOWL, FOX)
MAKE: dict[str, Callable[..., Any]] = {"2": tiny_sd2, "XL": tiny_sdxl}
PAINTING = {"2": StableDiffusionImg2ImgPipeline, "XL": StableDiffusionXLImg2ImgPipeline}
FILLING = {"2": StableDiffusionInpaintPipeline, "XL": StableDiffusionXLInpaintPipeline}


@pytest.fixture(scope="module", params=MAKE)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def pipeline(kind: str) -> Any:
    return quiet(MAKE[kind]())


@pytest.fixture(scope="module", params=["folder", "file"])
def model(
    request: pytest.FixtureRequest,
    pipeline: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    return saved(pipeline, request.param, tmp_path_factory.mktemp("kin"))


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


def quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def saved(pipeline: Any, layout: str, folder: Path) -> Path:
    if layout == "folder":
        pipeline.save_pretrained(folder)
        return folder
    save_as_file(
        pipeline, folder / "x.safetensors", **{"modelspec.prediction_type": "epsilon"}
    )
    return folder / "x.safetensors"


def assert_equal(
    store: ModelStore, model: Path, wanted: list[torch.Tensor], **options: Any
) -> None:
    """Compare one picture, and three at once."""
    for batch in (1, 3):
        last = Last()
        asked = prompts(model, *TEXTS[:batch], **options)
        list(imagine(asked, store=store, observer=last, batch_size=batch))
        for number in range(batch):
            error = relative_error(last.latents[number], wanted[number])
            assert error < TOLERANCE, f"{number} of {batch}: {error}"


@pytest.mark.parametrize("strength", [0.2, 0.6])
def test_from_a_picture(
    kind: str, pipeline: Any, model: Path, store: ModelStore, strength: float
) -> None:
    ramp = np.linspace(0, 255, SIZE, dtype=np.uint8)
    picture = Image.fromarray(np.stack([np.add.outer(ramp, ramp) // 2] * 3, axis=-1))
    painting = quiet(PAINTING[kind](**pipeline.components))
    sizes = {"original_size": (SIZE,) * 2, "target_size": (SIZE,) * 2}
    with torch.inference_mode():
        wanted = [
            painting(
                text, image=picture, strength=1 - strength, num_inference_steps=5,
                guidance_scale=5.0, output_type="latent",
                generator=torch.Generator().manual_seed(seed),
                **(sizes if kind == "XL" else {}),
            ).images
            for seed, text in enumerate(TEXTS)
        ]  # fmt: skip
    fields = {"init_image": picture, "init_image_strength": strength}
    assert_equal(store, model, wanted, **fields)


@pytest.mark.parametrize("steps", [1, 4])
def test_few_steps_without_guidance(
    pipeline: Any, model: Path, store: ModelStore, steps: int
) -> None:
    """As the Turbo models are drawn with."""
    usual = pipeline.scheduler
    pipeline.scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    options = {"num_inference_steps": steps, "guidance_scale": 0.0}
    wanted = [theirs(pipeline, text, n, **options) for n, text in enumerate(TEXTS)]
    pipeline.scheduler = usual
    fields = {"sampler_type": "k_euler", "schedule": "trailing", "prompt_strength": 1}
    assert_equal(store, model, wanted, steps=steps, **fields)


@pytest.mark.parametrize("layout", ["folder", "file"])
def test_weights_in_half_precision(
    kind: str, store: ModelStore, tmp_path: Path, layout: str
) -> None:
    pipeline = quiet(MAKE[kind]())
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.half()
    model = saved(pipeline, layout, tmp_path)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.float()
    wanted = [theirs(pipeline, text, number) for number, text in enumerate(TEXTS)]
    assert_equal(store, model, wanted)


@pytest.mark.parametrize("layout", ["folder", "file"])
def test_a_model_for_inpainting(
    kind: str, store: ModelStore, tmp_path: Path, layout: str
) -> None:
    """Without a mask it sees that all is to be painted, and a grey picture."""
    pipeline = quiet(MAKE[kind](inpainting=True))
    model = saved(pipeline, layout, tmp_path)
    filling = quiet(FILLING[kind](**pipeline.components))
    sees = {
        "image": Image.new("RGB", (SIZE, SIZE), (127, 127, 127)),
        "mask_image": Image.new("L", (SIZE, SIZE), 255),
        "strength": 1.0,
    }
    grey = torch.zeros(1, 3, SIZE, SIZE)
    with torch.inference_mode():
        latents = pipeline.vae.encode(grey).latent_dist.mode()
    sees["masked_image_latents"] = latents * pipeline.vae.config.scaling_factor
    wanted = [theirs(filling, text, n, **sees) for n, text in enumerate(TEXTS)]
    assert_equal(store, model, wanted)
