"""The image prompt that comes with the bundled model: its colours are those shown."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.image_prompt import ImageReference
from imaginairy.sources.image_prompts import locate_image_prompt

SIDE, SEEDS = 128, (1, 2)
RED, BLUE = (214, 48, 49), (60, 110, 220)
NEAR = 60
"""Apart of colours, of 255 in each channel, that are still the same."""


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


def circle() -> Image.Image:
    """A red circle on a blue ground, as nobody asked for."""
    image = Image.new("RGB", (SIDE, SIDE), BLUE)
    ImageDraw.Draw(image).ellipse((36, 36, 92, 92), RED)
    return image


def drawn(
    store: ModelStore, text: str, *images: ImageReference
) -> Sequence[np.ndarray]:
    """Draw small, in few steps, from each seed."""
    asked = [
        ImaginePrompt(
            text, model="storybook", seed=seed, steps=8, upscale=False,
            image_prompts=images,
        )
        for seed in SEEDS
    ]  # fmt: skip
    return [np.asarray(result.img, int) for result in imagine(asked, store=store)]


def share(picture: np.ndarray, color: tuple[int, int, int]) -> float:
    """Return the share of a picture that has about a color."""
    return float((np.abs(picture - color).max(axis=2) < NEAR).mean())


def test_a_red_circle_that_is_shown_is_drawn_as_a_text_names_its_shape(
    store: ModelStore,
) -> None:
    alone = drawn(store, "a circle")
    off = drawn(store, "a circle", ImageReference(circle(), weight=0.0))
    assert [each.tobytes() for each in off] == [each.tobytes() for each in alone]
    shown = drawn(store, "a circle", ImageReference(circle()))
    for picture, before in zip(shown, alone, strict=True):
        border = np.concatenate(
            [picture[:8].reshape(-1, 3), picture[-8:].reshape(-1, 3)]
        )
        assert np.abs(np.median(border, axis=0) - BLUE).max() < NEAR
        assert share(picture, RED) > 0.05 > share(before, RED)
        assert share(picture, BLUE) > 0.4 > share(before, BLUE)


def test_it_is_the_one_that_is_meant_where_none_is_named() -> None:
    row = locate_image_prompt(None, "sd1", bundled=True)
    assert row.name == "storybook-image-prompt"
    assert row.weights.path.stat().st_size < 2e6
