"""What is drawn on: a picture made to fit, and what of it stays.

Pictures in, pictures out. A mask here is Pillow's `L`, white where the picture stays.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageChops

from imaginairy.images import painted, upright_rgb
from imaginairy.log import log

SPECK = 8
"""Levels of 255 by which saving as jpg makes black and white uneven."""


@dataclass(frozen=True)
class Canvas:
    """A picture to start from, at the size it is worked on and at its own."""

    original: Image.Image
    """RGB, upright, of any size."""
    picture: Image.Image
    """The same at working size."""
    original_keep: Image.Image | None = None
    keep: Image.Image | None = None


def canvas_of(image: Image.Image, size: tuple[int, int]) -> Canvas:
    """Take a picture to the size (width, height) at which it is worked on."""
    original = upright_rgb(image)
    return Canvas(original, resized(original, size))


def with_mask(canvas: Canvas, mask: Image.Image, *, keeps: bool) -> Canvas:
    """Add a mask: its white is what stays where `keeps`, and what is painted if not.

    What is clear in it counts as black. A mask of another size than the picture is
    stretched over it.

    Raises:
        BadImageError: nobody can tell what white is in it.
    """
    mask = painted(mask)
    keep = mask if keeps else ImageChops.invert(mask)
    return replace(
        canvas,
        original_keep=resized(keep, canvas.original.size),
        keep=resized(keep, canvas.picture.size),
    )


def say_if_pointless(canvas: Canvas) -> None:
    """Warn where a mask paints all or nothing, or nothing to the half."""
    assert canvas.original_keep is not None
    painting = 255 - np.asarray(canvas.original_keep)
    least, most = int(painting.min()), int(painting.max())
    if most <= SPECK:
        log.warning("The mask paints nothing: all of the init image stays.")
    elif least >= 255 - SPECK:
        log.warning("The mask paints everything: nothing of the init image stays.")
    elif most < 255 / 2:
        log.warning(
            "The mask paints nothing by more than %.0f %%: it is nowhere brighter.",
            100 * most / 255,
        )


def outpainted(
    image: Image.Image, margins: tuple[int, int, int, int], size: tuple[int, int]
) -> Canvas:
    """Put margins (up, right, down, left), in pixels, around a picture, to be painted.

    They begin as the picture's edge, drawn out, which gives a start its colours. The
    whole is then taken to a size (width, height).
    """
    up, right, down, left = margins
    around = ((up, down), (left, right))
    inner = np.asarray(upright_rgb(image))
    original = Image.fromarray(np.pad(inner, (*around, (0, 0)), mode="edge"))
    stays = np.pad(np.full(inner.shape[:2], 255, np.uint8), around)
    return with_mask(canvas_of(original, size), Image.fromarray(stays), keeps=True)


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a picture of another size; one of this size as it is."""
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS)
