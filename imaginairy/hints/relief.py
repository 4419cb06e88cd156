"""Hints of how near things are, which way they face and where they end.

Models say that in numbers; here these become pictures.
"""

import numpy as np
import numpy.typing as npt

from imaginairy.hints.lines import Pixels, stacked

STEEP = 0.02
"""Share of the whole depth over a hundredth of a picture's width by which a surface is
turned half away."""


def depth(nearness: npt.NDArray[np.float32]) -> Pixels:
    """Return how near things are in grey, the nearest white."""
    return stacked((255 * _levelled(nearness)).round())


def normal(nearness: npt.NDArray[np.float32]) -> Pixels:
    """Return which way surfaces face, as colours.

    Red grows to the right, green upwards, blue towards the viewer; half is neither. A
    wall that is faced is (128, 128, 255).
    """
    import cv2

    smooth = cv2.GaussianBlur(_levelled(nearness), (0, 0), 1.0)
    unit = nearness.shape[1] / 100 / STEEP
    across, down = (
        cv2.Sobel(smooth, cv2.CV_32F, *way, ksize=3, scale=unit / 8)
        for way in ((1, 0), (0, 1))
    )
    facing = np.stack([-across, down, np.ones_like(smooth)], axis=2)
    unit_long = facing / np.linalg.norm(facing, axis=2, keepdims=True)
    return np.asarray((unit_long * 127.5 + 127.5).round(), np.uint8)


def softedge(edges: npt.NDArray[np.float32]) -> Pixels:
    """Return how sure it is of edges, (height, width) in [0, 1], in grey."""
    return stacked((255 * np.clip(edges, 0, 1)).round())


def _levelled(nearness: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bring numbers to the range from 0 to 1."""
    low, high = float(nearness.min()), float(nearness.max())
    return ((nearness - low) / max(high - low, 1e-9)).astype(np.float32)
