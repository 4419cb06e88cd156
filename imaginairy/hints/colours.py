"""Hints of a picture's colours: blurred, coarse, stirred or turned around."""

import numpy as np
import numpy.typing as npt

from imaginairy.hints.lines import Pixels

WAVE = 256
"""Pixels from one place to the next that shuffling moves by chance."""


def blur(pixels: Pixels, sigma: float) -> Pixels:
    """Smooth a picture by a Gaussian of so many pixels."""
    import cv2

    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def tile(pixels: Pixels) -> Pixels:
    """Return the picture itself, of which details are drawn anew."""
    return pixels


def colours(pixels: Pixels, cell: int) -> Pixels:
    """Return a grid of squares, each of the mean colour of what it covers.

    Args:
        cell: pixels of a square's side; those at the edges may be cut.
    """
    import cv2

    height, width = pixels.shape[:2]
    small = max(1, round(width / cell)), max(1, round(height / cell))
    coarse = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    large = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(large, np.uint8)


def shuffle(pixels: Pixels, seed: int) -> Pixels:
    """Move what a picture shows to places of chance, smoothly; its colours stay.

    Each pixel is taken from where two smooth fields of random numbers say, one for
    x and one for y, that each reach from one side of the picture to the other.
    """
    import cv2

    height, width = pixels.shape[:2]
    chance = np.random.default_rng(seed)
    across, down = (_field(chance, height, width, side) for side in (width, height))
    moved = cv2.remap(
        pixels, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(moved, np.uint8)


def invert(pixels: Pixels) -> Pixels:
    """Turn light to dark: black lines on white become the white ones that hints are."""
    return np.asarray(255 - pixels, np.uint8)


def _field(
    chance: np.random.Generator, height: int, width: int, side: int
) -> npt.NDArray[np.float32]:
    """Return smooth random numbers (height, width) from 0 to `side - 1`."""
    import cv2

    coarse = chance.random((height // WAVE + 3, width // WAVE + 3), dtype=np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = float(smooth.min()), float(smooth.max())
    share = (smooth - low) / max(high - low, 1e-6)
    return np.asarray(share * (side - 1), np.float32)
