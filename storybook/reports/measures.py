"""What styles change in pictures, in numbers; nothing here needs a network."""

from __future__ import annotations

import numpy as np
from PIL import Image

DARK = 48
"""Of 255; what is darker is ink."""


def colourfulness(picture: Image.Image) -> float:
    """Return how far channels are from grey, on average, of 255."""
    pixels = _pixels(picture)
    return float(np.abs(pixels - pixels.mean(axis=2, keepdims=True)).mean())


def brightness(picture: Image.Image) -> float:
    """Return the mean of all channels, of 255."""
    return float(_pixels(picture).mean())


def blueness(picture: Image.Image) -> float:
    """Return the share of blue in all light."""
    pixels = _pixels(picture)
    return float(pixels[:, :, 2].sum() / max(1.0, pixels.sum()))


def edges(picture: Image.Image) -> float:
    """Return how much neighbours differ in brightness, on average, of 255."""
    grey = _pixels(picture).mean(axis=2)
    steps = (np.abs(np.diff(grey, axis=axis)).mean() for axis in (0, 1))
    return float(sum(steps))


def ink(picture: Image.Image) -> float:
    """Return the share of pixels that are nearly black."""
    return float((_pixels(picture).mean(axis=2) < DARK).mean())


def _pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"), np.float32)


MEASURES = {
    "colourfulness": colourfulness,
    "brightness": brightness,
    "blue": blueness,
    "edges": edges,
    "ink": ink,
}
