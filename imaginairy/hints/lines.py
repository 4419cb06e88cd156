"""Hints of edges and lines, white on black, found by OpenCV."""

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""A picture: (height, width, 3), RGB, 0 to 255."""

PAPER = 6.0
"""Pixels of blur that turn a picture into what its lines are darker than."""
FAINT = 4.0
"""How much darker than its surroundings a pixel may be and be no line yet."""
STROKE = 3
"""Pixels that a scribble's stroke is wide, before it is smoothed."""


def canny(pixels: Pixels, low: float, high: float) -> Pixels:
    """Find edges by Canny's detector (Canny, 1986), one pixel wide.

    Args:
        low: how steep an edge has to be to go on from a sure one.
        high: how steep it has to be to be sure.
    """
    import cv2

    return stacked(cv2.Canny(np.ascontiguousarray(pixels), low, high))


def lines(pixels: Pixels) -> Pixels:
    """Find what is darker than its surroundings, as drawn lines are.

    A difference of Gaussians, scaled so that the strongest hundredth is white.
    """
    import cv2

    values = pixels.astype(np.float32)
    paper = cv2.GaussianBlur(values, (0, 0), PAPER)
    darker = np.clip((paper - values).max(axis=2) - FAINT, 0, None)
    strong = darker[darker > 0]
    white = float(np.percentile(strong, 99)) if strong.size else 1.0
    return stacked((np.clip(darker / white, 0, 1) * 255).round())


def scribble(pixels: Pixels, low: float, high: float) -> Pixels:
    """Draw a picture's main edges with a broad stroke, as a hand does roughly."""
    import cv2

    smooth = cv2.GaussianBlur(pixels, (0, 0), STROKE)
    edges = cv2.Canny(smooth, low, high)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (STROKE, STROKE))
    broad = cv2.GaussianBlur(cv2.dilate(edges, brush), (0, 0), STROKE / 2)
    return stacked(np.where(broad > 127, 255, 0))


def stacked(grey: npt.NDArray[np.generic]) -> Pixels:
    """Return grey values (height, width) as RGB."""
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
