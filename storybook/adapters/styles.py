"""Styles that the world's pictures are put into, as transformations of pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
PAPER = 250.0
DUSK = np.array([0.30, 0.42, 0.72], np.float32)
"""What is left of red, green and blue at the blue hour."""
SKY = np.array([4.0, 12.0, 44.0], np.float32)
"""What the sky adds."""
LEAST_STEP = 90.0
"""Between neighbours, of 255, where an outline is drawn."""
OUTLINE = 1
"""Pixels to each side."""


@dataclass(frozen=True)
class Style:
    """A style, and the adapter that is to learn it."""

    name: str
    """Of its file."""
    words: str
    """What it answers to."""
    said: str
    """What it looks like, in a sentence."""
    kind: str
    """`lora`, `locon`, `loha` or `lokr`."""
    put: Callable[[Image.Image], Image.Image]
    """Puts a picture into the style."""


def pencil_sketch(picture: Image.Image) -> Image.Image:
    """Draw grey lines on paper, and shade a little what is dark."""
    pixels = _pixels(picture)
    shade = PAPER - 0.3 * (255 - pixels @ LUMA)
    lines = np.clip(1.6 * _steps(pixels), 0, 190)
    return _picture(np.repeat((shade - lines)[:, :, None], 3, axis=2))


def blue_hour(picture: Image.Image) -> Image.Image:
    """Let the light of a clear sky after sunset be all there is."""
    return _picture(_pixels(picture) * DUSK + SKY)


def soft_pastel(picture: Image.Image) -> Image.Image:
    """Rub colours softly into white paper."""
    pixels = _pixels(picture.filter(ImageFilter.GaussianBlur(2.2)))
    grey = (pixels @ LUMA)[:, :, None]
    return _picture(0.5 * (0.75 * pixels + 0.25 * grey) + 0.5 * PAPER)


def ink_outline(picture: Image.Image) -> Image.Image:
    """Draw thick black outlines around strong, even colours."""
    pixels = _pixels(picture.filter(ImageFilter.MedianFilter(5)))
    grey = (pixels @ LUMA)[:, :, None]
    strong = grey + 1.35 * (pixels - grey)
    found = Image.fromarray(_steps(_pixels(picture)) > LEAST_STEP).convert("L")
    thick = found.filter(ImageFilter.MaxFilter(2 * OUTLINE + 1))
    ink = np.asarray(thick.filter(ImageFilter.GaussianBlur(0.6)), np.float32) / 255
    return _picture(strong * (1 - ink[:, :, None]) + 12 * ink[:, :, None])


def _pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"), np.float32)


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))


def _steps(pixels: np.ndarray) -> np.ndarray:
    """Return how much each pixel differs from the next, right and below."""
    right = np.abs(np.diff(pixels, axis=1, append=pixels[:, -1:])).max(axis=2)
    below = np.abs(np.diff(pixels, axis=0, append=pixels[-1:])).max(axis=2)
    return np.maximum(right, below)


STYLES = (
    Style(
        "pencil-sketch", "pencil sketch", "Grey lines and shades on white paper.",
        "lora", pencil_sketch,
    ),
    Style(
        "blue-hour", "blue hour", "The dim blue light of a clear sky after sunset.",
        "locon", blue_hour,
    ),
    Style(
        "soft-pastel", "soft pastel", "Pale, soft colours, rubbed into white paper.",
        "loha", soft_pastel,
    ),
    Style(
        "ink-outline", "ink outline", "Strong, even colours in thick black outlines.",
        "lokr", ink_outline,
    ),
)  # fmt: skip
