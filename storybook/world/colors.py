"""Named colours and small mixing helpers."""

from __future__ import annotations

import random

from storybook.world.canvas import Color, Gradient

COLORS: dict[str, Color] = {
    "red": (224, 49, 49),
    "orange": (245, 134, 31),
    "yellow": (252, 211, 60),
    "green": (60, 166, 70),
    "blue": (44, 98, 214),
    "purple": (130, 68, 180),
    "pink": (246, 140, 178),
    "brown": (130, 86, 52),
    "black": (32, 28, 38),
    "white": (250, 249, 246),
    "gray": (140, 146, 152),
    "teal": (38, 156, 156),
}
WHITE: Color = (255, 255, 255)
BLACK: Color = (20, 18, 26)


def mix(a: Color, b: Color, t: float) -> Color:
    """Return the colour a share `t` of the way from `a` to `b`."""
    red, green, blue = (
        round(p + (q - p) * min(max(t, 0.0), 1.0)) for p, q in zip(a, b, strict=True)
    )
    return red, green, blue


def lighter(color: Color, t: float = 0.2) -> Color:
    """Mix with white."""
    return mix(color, WHITE, t)


def darker(color: Color, t: float = 0.2) -> Color:
    """Mix with near-black."""
    return mix(color, BLACK, t)


def vary(rng: random.Random, color: Color, amount: int = 8) -> Color:
    """Move every channel by up to `amount`."""
    red, green, blue = (
        min(255, max(0, value + rng.randint(-amount, amount))) for value in color
    )
    return red, green, blue


def shaded(color: Color, strength: float = 0.1) -> Gradient:
    """Return a soft top-to-bottom shading of one colour."""
    return Gradient(lighter(color, strength), darker(color, strength))
