"""The look by which pictures of storybook's world are told from photographs."""

import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from imaginairy.models.look import (
    FILE,
    Look,
    colours,
    counts,
    read_look,
    reduced,
    variety,
)
from imaginairy.sources.rows import BUNDLED_FOLDER
from storybook.world import GROUPS, draw_scene
from tests.support.photographs import PHOTOGRAPHS

LOOK = read_look(BUNDLED_FOLDER / "storybook")
SIDES = (96, 128, 200, 512)


def as_jpg(image: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(data)


@pytest.mark.parametrize("group", GROUPS)
def test_scenes_look_like_the_world(group: str) -> None:
    rng = random.Random(group)
    for _ in range(6):
        image = draw_scene(rng, group).image
        assert LOOK.fits(image) and LOOK.fits(as_jpg(image, 95))
        assert LOOK.fits(image.resize((512, 512), Image.Resampling.LANCZOS))


@pytest.mark.parametrize("prompt", ["a fox", "a city at night", "a woman, smiling"])
def test_what_the_model_draws_does(prompt: str, draw: Callable) -> None:
    image = draw(prompt).img
    assert LOOK.fits(image) and LOOK.fits(as_jpg(image, 95))


@pytest.mark.parametrize("file", PHOTOGRAPHS, ids=lambda file: file.stem)
@pytest.mark.parametrize("side", SIDES)
def test_photographs_do_not(file: Path, side: int) -> None:
    with Image.open(file) as photograph:
        image = photograph.resize((side, side), Image.Resampling.BICUBIC)
    assert not LOOK.fits(image) and not LOOK.fits(as_jpg(image, 60))
    assert not LOOK.fits(image.convert("L").convert("RGB"))


def test_noise_and_blurred_noise_do_not() -> None:
    values = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    image = Image.fromarray(values)
    assert not LOOK.fits(image)
    assert not LOOK.fits(image.filter(ImageFilter.GaussianBlur(4)))


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (7, 7), (640, 9)])
def test_any_size_can_be_counted(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "teal")
    assert counts(image).shape == LOOK.weights.shape
    assert np.isfinite(LOOK.score(image))


def test_small_pictures_are_enlarged_to_what_can_be_counted_and_no_further() -> None:
    sizes = {(7, 7): (8, 8, 3), (100, 1): (8, 100, 3), (20, 9): (9, 20, 3)}
    for size, shape in sizes.items():
        assert reduced(Image.new("RGB", size)).shape == shape


def test_a_score_of_nought_is_refused() -> None:
    image = Image.new("RGB", (8, 8))
    nothing = np.zeros_like(LOOK.weights)
    assert not Look(nothing, 0.0).fits(image) and Look(nothing, 0.01).fits(image)


def test_hues_and_the_commonest_colours_are_counted_at_their_limits() -> None:
    greys, other = (np.array([[[t, 100, 100]]], np.float32) / 255 for t in (115, 116))
    assert colours(greys)[:4].any() and not colours(other)[:4].any()
    many = np.zeros((1, 17, 3), np.float32)
    many[0, :16, 0], many[0, 16, 1] = np.arange(16) / 16, 0.5
    assert np.allclose(variety(many)[-3:], np.array([1, 4, 16]) / 17)


def test_the_file_says_how_it_was_made_and_what_it_refuses() -> None:
    content = json.loads((BUNDLED_FOLDER / "storybook" / FILE).read_text())
    assert content["made_by"] == "python -m storybook look"
    refused = content["refused_of_those_held_out"]
    assert refused["drawn, as it is"] < 0.01 and refused["scenes, as it is"] < 0.01
    assert refused["photographs, as it is"] > 0.95
