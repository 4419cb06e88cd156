"""Tell by their pixels whether pictures of shapes have the colours asked for."""

from __future__ import annotations

import numpy as np
from PIL import Image

from storybook.reports.orders import Order
from storybook.world.canvas import SIZE
from storybook.world.colors import COLORS

BORDER = 5
"""Pixels along the edges that show the ground."""


def check(picture: Image.Image, order: Order) -> tuple[bool, bool]:
    """Tell whether the ground, and whether the asked colours in place, are there."""
    names = name_pixels(picture.resize((SIZE, SIZE), Image.Resampling.BOX))
    edge = np.ones(names.shape, bool)
    edge[BORDER:-BORDER, BORDER:-BORDER] = False
    ground = commonest(names[edge])
    inside = names[BORDER:-BORDER, BORDER:-BORDER]
    parts = np.array_split(inside, len(order.colors), axis=1)
    seen = tuple(commonest(part[part != ground]) for part in parts)
    return ground == order.ground, seen == order.colors


def name_pixels(picture: Image.Image) -> np.ndarray:
    """Return the nearest named colour of every pixel, (height, width) of names."""
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    table = np.array(list(COLORS.values()), np.float32)
    distances = np.square(pixels[:, :, None] - table).sum(axis=-1)
    return np.array(list(COLORS))[distances.argmin(axis=-1)]


def commonest(names: np.ndarray) -> str:
    """Return the most frequent name, or nothing where there is none."""
    if names.size == 0:
        return ""
    values, counts = np.unique(names, return_counts=True)
    return str(values[counts.argmax()])
