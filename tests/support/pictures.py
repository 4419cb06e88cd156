"""Ways to look at pictures in tests."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from imaginairy import ModelStore

COLOURS = {
    "red": (226, 52, 46),
    "orange": (245, 134, 36),
    "yellow": (250, 208, 50),
    "green": (62, 165, 66),
    "blue": (42, 94, 214),
    "purple": (132, 68, 178),
    "white": (250, 248, 245),
    "black": (30, 28, 34),
}
"""The storybook world's plain colours, about."""


def pixels(image: Image.Image) -> np.ndarray:
    """Return a picture as (h, w, 3) floats from 0 to 255."""
    return np.asarray(image.convert("RGB"), dtype=np.float64)


def distance(a: Image.Image, b: Image.Image) -> float:
    """Return the mean difference of two pictures' values, from 0 to 255."""
    return float(np.abs(pixels(a) - pixels(b)).mean())


def furthest(a: Image.Image, b: Image.Image) -> float:
    """Return the largest difference of two pictures' values, from 0 to 255."""
    return float(np.abs(pixels(a) - pixels(b)).max())


def is_same(a: Image.Image, b: Image.Image) -> bool:
    """Tell whether pictures are the same but for rounding, as where one of them was
    drawn beside others and one alone.
    """
    return furthest(a, b) <= 1


def assert_same(a: Image.Image, b: Image.Image) -> None:
    """Judge that pictures are the same but for rounding."""
    assert is_same(a, b), f"they differ by up to {furthest(a, b):g} of 255"


def share(image: Image.Image, colour: str, box: tuple[int, ...] | None = None) -> float:
    """Return the share of a picture (or a box of it) that is nearest to a colour."""
    seen = pixels(image.crop(box) if box else image)
    names = list(COLOURS)
    palette = np.array([COLOURS[name] for name in names], dtype=np.float64)
    nearest = ((palette**2).sum(axis=1) - 2 * seen @ palette.T).argmin(axis=-1)
    return float((nearest == names.index(colour)).mean())


def border(image: Image.Image, width: int = 8) -> Image.Image:
    """Return the four edges of a picture, as one strip of rows."""
    seen = pixels(image).astype(np.uint8)
    edges = [seen[:width], seen[-width:]]
    edges += [seen[:, :width].swapaxes(0, 1), seen[:, -width:].swapaxes(0, 1)]
    return Image.fromarray(np.concatenate(edges, axis=0))


def noise(mode: str, size: tuple[int, int] = (7, 5)) -> Image.Image:
    """Draw a picture of random pixels."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands)[: 2 if bands == 1 else 3]
    values = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(values, mode)


def squares(image: Image.Image, scale: int = 4) -> Image.Image:
    """Repeat every pixel."""
    size = (scale * image.width, scale * image.height)
    return image.resize(size, Image.Resampling.NEAREST)


def brightness(image: Image.Image, box: tuple[int, ...] | None = None) -> float:
    """Return the mean of a picture's values (or a box's), from 0 to 255."""
    return float(pixels(image.crop(box) if box else image).mean())


@cache
def _comparing() -> "ModelStore":
    """Keep what tells how well phrases fit loaded, as most pages ask it often."""
    from imaginairy import ModelStore

    return ModelStore("cpu")


def likeliest(image: Image.Image, *phrases: str) -> str:
    """Return which of some phrases fits a picture of the bundled model best."""
    from imaginairy import find_img_text_similarity

    found = find_img_text_similarity(
        image, phrases, model="storybook-clip", store=_comparing()
    )
    return max(found, key=lambda each: each[1])[0]


def changed(before: Image.Image, after: Image.Image) -> np.ndarray:
    """Return which pixels of two pictures differ, (height, width)."""
    return (
        (np.asarray(before) != np.asarray(after))
        .reshape(*before.size[::-1], -1)
        .any(-1)
    )
