"""From a raw mask to one to paint with: smoothed, and cut with a margin."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

MEDIAN = 11
"""Side of the square that the median is taken of; takes away specks."""
THRESHOLD = 0.5
MARGIN = 10
"""Pixels that a cut mask grows on every side, so that no rim is left unpainted."""
BLOCK_BYTES = 2**22
"""What the windows of a few rows may take up while their medians are sought."""


class FinishedMask(NamedTuple):
    """Two masks of one shape, (height, width), uint8, 255 where something is."""

    binary: npt.NDArray[np.uint8]
    """0 or 255."""
    grayscale: npt.NDArray[np.uint8]
    """How much of it is there, before the cut."""


def postprocess(mask: npt.ArrayLike) -> FinishedMask:
    """Smooth a mask (height, width) with values in [0, 1], and cut it."""
    import cv2

    smooth = median_blur(np.asarray(mask, dtype=np.float32))
    cut = np.where(smooth < THRESHOLD, 0, 255).astype(np.uint8)
    side = 2 * MARGIN + 1
    binary = cv2.dilate(cut, np.ones((side, side), np.uint8))
    return FinishedMask(
        np.asarray(binary, dtype=np.uint8), (smooth * 255).astype(np.uint8)
    )


def median_blur(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the exact medians of each value's surroundings, mirrored at the edges.

    OpenCV has this for floats up to a side of 5 only.
    """
    height, width = values.shape
    padded = np.pad(values, MEDIAN // 2, mode="reflect")
    windows = sliding_window_view(padded, (MEDIAN, MEDIAN))
    medians = np.empty_like(values)
    count, middle = MEDIAN**2, MEDIAN**2 // 2
    rows = max(1, BLOCK_BYTES // (width * count * values.itemsize))
    for top in range(0, height, rows):
        block = windows[top : top + rows].reshape(-1, width, count)
        medians[top : top + rows] = np.partition(block, middle)[:, :, middle]
    return medians
