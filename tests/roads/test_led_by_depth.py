"""Stable Diffusion 2 led by depth, beside diffusers, on the same random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionDepth2ImgPipeline
from PIL import Image

from imaginairy import ModelStore, imagine
from imaginairy.conversion.convert import convert
from imaginairy.errors import BadOptionError
from imaginairy.models.inspection import inspected
from tests.support.beside_diffusers import BOWL, FOX, SIZE, Last, prompts
from tests.support.golden import relative_error
from tests.support.pictures import distance, pixels
from tests.support.tiny_kin import save_as_file, tiny_depth, tiny_sd2

pytestmark = pytest.mark.filterwarnings(  # diffusers calls NumPy in an old way
    "ignore:__array:DeprecationWarning"
)
TOLERANCE = 1e-4
TEXTS = (FOX, BOWL, FOX)
RAMP = np.linspace(0, 255, SIZE, dtype=np.uint8)
PICTURE = Image.fromarray(np.stack([np.add.outer(RAMP, RAMP) // 2] * 3, axis=-1))


def depth(number: int = 0, size: tuple[int, int] = (SIZE, SIZE)) -> Image.Image:
    """Return how near something is, of another size than is drawn where asked."""
    across, down = np.meshgrid(*(np.linspace(-1, 1, side) for side in size))
    far = np.hypot(across - 0.3 * number, down + 0.2 * number)
    return Image.fromarray((220 - 120 * far).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def pipeline() -> Any:
    led = tiny_depth()
    led.set_progress_bar_config(disable=True)
    return led


@pytest.fixture(scope="module", params=["folder", "file"])
def model(
    request: pytest.FixtureRequest,
    pipeline: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("led")
    if request.param == "folder":
        pipeline.save_pretrained(folder)
        return folder
    file = folder / "led.safetensors"
    estimator = {"depth_model.model.scratch.layer1_rn.weight": torch.zeros(1)}
    save_as_file(pipeline, file, estimator, **{"modelspec.prediction_type": "epsilon"})
    return file


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


@pytest.mark.parametrize("size", [(SIZE, SIZE), (96, 72)])
def test_from_a_picture_and_its_depth_it_equals_diffusers(
    pipeline: Any, model: Path, store: ModelStore, size: tuple[int, int]
) -> None:
    near = [depth(number, size) for number in range(3)]
    with torch.inference_mode():
        wanted = [
            pipeline(
                text, image=PICTURE, strength=0.8, num_inference_steps=5,
                depth_map=torch.from_numpy(np.array(near[seed]))[None].float(),
                guidance_scale=5.0, output_type="latent",
                generator=torch.Generator().manual_seed(seed),
            ).images
            for seed, text in enumerate(TEXTS)
        ]  # fmt: skip
    fields = {"init_image": PICTURE, "init_image_strength": 0.2}
    asked = [
        replace(each, depth_image=near[number])
        for number, each in enumerate(prompts(model, *TEXTS, **fields))
    ]
    for batch in (1, 3):
        last = Last()
        list(imagine(asked[:batch], store=store, observer=last, batch_size=batch))
        for number in range(batch):
            error = relative_error(last.latents[number], wanted[number])
            assert error < TOLERANCE, f"{number} of {batch}: {error}"


def test_of_noise_alone_the_depth_leads(model: Path, store: ModelStore) -> None:
    """What is near tells by itself: no picture is needed, and another depth draws
    another; its range does not matter, and one that is the same all over says none."""
    [asked] = prompts(model, FOX, depth_image=depth())
    half = depth().point([each // 2 for each in range(256)])
    drawn = {
        "depth": asked,
        "weak": replace(asked, depth_image=half),
        "other": replace(asked, depth_image=depth(2)),
        "flat": replace(asked, depth_image=Image.new("L", (9, 9), 200)),
        "black": replace(asked, depth_image=Image.new("L", (9, 9))),
    }
    results = imagine([*drawn.values()], store=store, batch_size=5)
    seen = {name: each.img for name, each in zip(drawn, results, strict=True)}
    assert distance(seen["depth"], seen["weak"]) < 1
    assert distance(seen["depth"], seen["other"]) > 1
    assert distance(seen["depth"], seen["flat"]) > 1
    assert np.array_equal(pixels(seen["flat"]), pixels(seen["black"]))


def test_a_mask_keeps_what_it_does_not_show(model: Path, store: ModelStore) -> None:
    mask = Image.new("L", (SIZE, SIZE))
    mask.paste(255, (40, 0, SIZE, SIZE))
    [asked] = prompts(
        model, FOX, init_image=PICTURE, mask_image=mask, depth_image=depth()
    )
    [result] = imagine(asked, store=store)
    change = np.abs(pixels(result.img) - pixels(PICTURE))
    assert not change[:, :24].any()
    assert change[:, 48:].mean() > 5


def test_a_depth_is_given_where_it_leads_and_nowhere_else(
    model: Path, store: ModelStore, tmp_path: Path
) -> None:
    [led] = prompts(model, FOX)
    with pytest.raises(BadOptionError, match="is led by depth; give depth_image"):
        list(imagine(led, store=store))
    tiny_sd2().save_pretrained(tmp_path)
    [plain] = prompts(tmp_path, FOX)
    given = replace(plain, depth_image=depth())
    with pytest.raises(BadOptionError, match="depth_image has nothing to do"):
        list(imagine(given, store=store))
    with pytest.raises(BadOptionError, match="is led by depth; give depth_image"):
        list(imagine(replace(plain, refiner=f"{model}@0.5"), store=store))
    [result] = imagine(replace(given, refiner=f"{model}@0.5"), store=store)
    assert distance(result.img, next(iter(imagine(plain, store=store))).img) > 0.5


def test_it_is_converted_and_told_as_what_it_is(model: Path, tmp_path: Path) -> None:
    said = inspected(model)
    assert said.what == "a model of Stable Diffusion 2.x that is led by depth"
    convert(str(model), f"{tmp_path}/folder/")
    loaded = StableDiffusionDepth2ImgPipeline.from_pretrained(
        tmp_path / "folder", depth_estimator=None, feature_extractor=None
    )
    assert loaded.unet.config.in_channels == 5
    assert inspected(tmp_path / "folder").what == said.what
