"""A creature that the world does not have, which a learned word stands for."""

from __future__ import annotations

import random

from PIL import Image

from storybook.world.canvas import Canvas
from storybook.world.colors import BLACK, COLORS, WHITE, darker, shaded, vary
from storybook.world.shapes import OUTLINES, ground_paint

WORD = "snorple"
SEEN = "A round purple creature with one large white eye."
SKIN, EYE, STAR = "purple", "white", "yellow"
LEAST_SKIN, LEAST_EYE = 0.25, 0.06
"""Shares of the middle of a picture that show it."""
GROUNDS = ("white", "pink", "yellow", "orange", "gray", "brown", "blue", "green")
PROMPTS = (
    "a {}", "{}", "a picture of a {}", "a drawing of a {}", "an illustration of a {}",
    "a cute {}",
)  # fmt: skip


def draw_creature(rng: random.Random) -> tuple[Image.Image, str]:
    """Return a picture of it, and on what it stands.

    It is round and purple, with one large eye, and a star on its head.
    """
    ground = rng.choice(GROUNDS)
    canvas = Canvas()
    canvas.fill(ground_paint(rng, ground))
    x, y = 64 + rng.uniform(-5, 5), 70 + rng.uniform(-4, 4)
    radius = rng.uniform(33, 39)
    skin = vary(rng, COLORS[SKIN])
    with canvas.placed(x, y, scale=radius, angle=rng.uniform(-4, 4)):
        for side in (-1, 1):
            canvas.ellipse(0.45 * side, 1.02, 0.3, 0.16, shaded(darker(skin, 0.25)))
        canvas.circle(0, 0, 1.0, shaded(skin, 0.07))
        canvas.circle(0, -0.12, 0.46, WHITE)
        canvas.circle(0.03, -0.08, 0.24, BLACK)
        canvas.circle(-0.06, -0.18, 0.08, WHITE)
        canvas.stroke([(-0.35, 0.5), (0, 0.66), (0.35, 0.5)], 0.09, BLACK)
        with canvas.placed(0, -1.12, scale=0.46):
            canvas.polygon(OUTLINES["star"], shaded(vary(rng, COLORS[STAR]), 0.07))
    return canvas.picture(), ground
