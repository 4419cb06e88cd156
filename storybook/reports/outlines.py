"""Tell outlines of shapes by their pixels, with no network that could be mistaken."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from storybook.reports.color_check import name_pixels
from storybook.reports.orders import Order
from storybook.world.canvas import SIZE, Point
from storybook.world.shapes import OUTLINES

SIDE = 64
"""Pixels each way that outlines are compared in."""
LEAST = 40
"""Pixels that are a shape."""


def outlines(picture: Image.Image, order: Order) -> tuple[str, ...]:
    """Return which outline each asked colour has, from left to right.

    Nothing where the colour is hardly seen.
    """
    names = name_pixels(picture.resize((SIZE, SIZE), Image.Resampling.BOX))
    parts = np.array_split(names, len(order.colors), axis=1)
    seen = (part == each for part, each in zip(parts, order.colors, strict=True))
    return tuple(nearest_outline(each) for each in seen)


def nearest_outline(mask: np.ndarray) -> str:
    """Return the name of the outline that covers nearly the same, or nothing."""
    if mask.sum() < LEAST:
        return ""
    mask = centred(mask)
    shares = {name: overlap(mask, other) for name, other in drawn_outlines().items()}
    return max(shares, key=lambda name: shares[name])


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the common share of what two masks cover together."""
    return float((one & other).sum() / (one | other).sum())


def centred(mask: np.ndarray) -> np.ndarray:
    """Return a mask moved and scaled so that its middle and its area are as others'."""
    rows, columns = np.nonzero(mask)
    scale = (SIDE / 2) / np.sqrt(len(rows))
    places = (np.arange(SIDE) + 0.5 - SIDE / 2) / scale
    y = np.rint(places + rows.mean()).astype(int)
    x = np.rint(places + columns.mean()).astype(int)
    inside = (y >= 0) & (y < mask.shape[0])
    across = (x >= 0) & (x < mask.shape[1])
    found = mask[np.ix_(y.clip(0, mask.shape[0] - 1), x.clip(0, mask.shape[1] - 1))]
    return found & inside[:, None] & across


@cache
def drawn_outlines() -> dict[str, np.ndarray]:
    """Return what each of the world's outlines covers, by name."""
    return {name: centred(_filled(points)) for name, points in OUTLINES.items()}


def _filled(points: Sequence[Point]) -> np.ndarray:
    image = Image.new("1", (4 * SIDE, 4 * SIDE))
    corners = [((x + 2) * SIDE, (y + 2) * SIDE) for x, y in points]
    ImageDraw.Draw(image).polygon(corners, fill=1)
    return np.asarray(image)
