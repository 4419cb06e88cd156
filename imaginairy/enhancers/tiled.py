"""Run an upscaler over a picture of any size, tile by tile, in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, product
from math import ceil

import torch
from torch import Tensor

from imaginairy.networks.rrdbnet import mirror

FADE = 4
"""Pixels on either side of a border across which neighbours fade into each other."""
MARGIN = 10
"""Pixels by which the picture is mirrored beyond its right and bottom edges."""
ALIGNMENT = 4
"""Tiles begin at multiples of this, so that pixels are folded alike in all of them."""


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in pixels of the small picture."""

    start: int
    stop: int
    """Its borders; those inside the picture are faded across."""
    size: int
    """Pixels of the whole picture along this axis."""

    @property
    def drawn(self) -> tuple[int, int]:
        """From where to where it is drawn."""
        return max(0, self.start - FADE), min(self.size, self.stop + FADE)

    def seen(self, overlap: int) -> tuple[int, int]:
        """From where to where the network must look."""
        first, last = self.start - FADE - overlap, self.stop + FADE + overlap
        return max(0, first // ALIGNMENT * ALIGNMENT), _aligned(last)

    def weights(self, scale: int) -> Tensor:
        """Say how much each row counts; those of all tiles add up to 1 everywhere."""
        first, last = self.drawn
        rows = first + (torch.arange((last - first) * scale) + 0.5) / scale
        weights = torch.ones_like(rows)
        if self.start > 0:
            weights *= ((rows - (self.start - FADE)) / (2 * FADE)).clamp(0, 1)
        if self.stop < self.size:
            weights *= ((self.stop + FADE - rows) / (2 * FADE)).clamp(0, 1)
        return weights


def upscale_tiled(
    network: Callable[[Tensor], Tensor],
    image: Tensor,
    *,
    scale: int,
    channels: int = 3,
    tile: int | None,
    overlap: int,
    on_tile: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Enlarge pictures (n, 3, h, w) in [0, 1]; return (n, channels, scale h, scale w).

    The network computes where the picture lies; the result is put together on the
    CPU, as float32 in [0, 1]. As in Real-ESRGAN, the picture is mirrored a little
    beyond its right and bottom edges.

    Args:
        network: maps pictures to pictures `scale` times as large.
        channels: of the pictures that it makes; those that it takes may have others.
        tile: largest side of a tile, about; None takes the picture whole.
        overlap: pixels that a tile sees beyond what it draws. A network that looks no
            further draws the same tiled and whole.
        on_tile: told, after each tile, how many are done and how many there are.
    """
    height, width = image.shape[2:]
    grid = list(product(*(spans(size, tile=tile or size) for size in (height, width))))
    extended = mirror(image, right=MARGIN, bottom=MARGIN)
    canvas = torch.zeros(len(image), channels, scale * height, scale * width)
    with torch.no_grad():
        for done, (rows, columns) in enumerate(grid, start=1):
            top, bottom = rows.seen(overlap)
            left, right = columns.seen(overlap)
            enlarged = network(extended[:, :, top:bottom, left:right])
            place = _cut(canvas, scale, rows.drawn, columns.drawn)
            drawn = _cut(
                enlarged,
                scale,
                (rows.drawn[0] - top, rows.drawn[1] - top),
                (columns.drawn[0] - left, columns.drawn[1] - left),
            )
            weights = rows.weights(scale)[:, None] * columns.weights(scale)
            place += drawn.to(canvas) * weights
            if on_tile is not None:
                on_tile(done, len(grid))
    return canvas.clamp_(0, 1)


def spans(size: int, *, tile: int) -> list[Span]:
    """Divide an axis evenly into tiles of about `tile` pixels at most."""
    count = ceil(size / max(tile, 2 * FADE))
    step = _aligned(ceil(size / count))
    borders = [*range(0, size, step), size]
    return [Span(start, stop, size) for start, stop in pairwise(borders)]


def _cut(
    picture: Tensor, scale: int, rows: tuple[int, int], columns: tuple[int, int]
) -> Tensor:
    """Return the view of an enlarged picture between pixels of the small one."""
    (top, bottom), (left, right) = rows, columns
    return picture[:, :, scale * top : scale * bottom, scale * left : scale * right]


def _aligned(pixels: int) -> int:
    return ceil(pixels / ALIGNMENT) * ALIGNMENT
