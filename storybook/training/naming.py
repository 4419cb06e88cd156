"""Teach networks that look at pictures what each place of a picture shows.

A layer that only training needs names what every patch shows, so that a network's eyes
learn from all of a scene at once, whatever it is asked to do with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from storybook.world.phrases import NAMES

GAIN = 4.0
"""How much more it counts to miss what is there than to see what is not."""


class Named(nn.Module):
    """A network, and a layer that names what the patches of its pictures show.

    Args:
        network: what is trained.
        width: of what it knows about a patch.
        finest: into how many places a patch is cut, each way.
    """

    def __init__(self, network: nn.Module, width: int, finest: int = 1) -> None:
        super().__init__()
        self.network = network
        self.finest = finest
        self.shows = nn.Linear(width, len(NAMES) * finest**2)

    def error(self, seen: Tensor, shown: Tensor) -> Tensor:
        """Compare what patches seem to show with what they do.

        Args:
            seen: what is known of each patch, (pictures, 1 + patches, width); the
                first row is not of a patch.
            shown: from `shares_of`, for each picture.
        """
        guessed = self.spread(self.shows(seen[:, 1:]).float())
        return F.binary_cross_entropy_with_logits(guessed, shown, 1 + GAIN * shown)

    def spread(self, values: Tensor) -> Tensor:
        """Lay out values of patches, (rows, patches, channels * finest * finest).

        Returns:
            (rows, channels, side * finest, side * finest).
        """
        side = math.isqrt(values.shape[1])
        grid = values.transpose(1, 2).unflatten(2, (side, side))
        return F.pixel_shuffle(grid, self.finest)


def shares_of(
    labels: np.ndarray, paths: Sequence[tuple[str, ...]], places: int
) -> Tensor:
    """Return how much of each place every name fits, (NAMES, places, places).

    Args:
        labels: which of the parts each pixel belongs to, (side, side).
        paths: the names of each part.
    """
    indices = torch.from_numpy(np.ascontiguousarray(labels)).long()
    parts = F.one_hot(indices, len(paths)).permute(2, 0, 1).float()
    shares = F.avg_pool2d(parts, len(labels) // places)
    fits = torch.tensor([[float(name in path) for path in paths] for name in NAMES])
    return torch.einsum("np,phw->nhw", fits, shares)


@torch.no_grad()
def begin_with_places(places: Tensor, spread: float = 0.1) -> None:
    """Start with waves across and down the picture, so that neighbours are alike.

    Args:
        places: what is added to each patch, (..., 1 + side * side, width); the first
            row is not of a patch.
        spread: the waves' height.
    """
    places = places.view(-1, places.shape[-1])
    side, quarter = math.isqrt(len(places) - 1), places.shape[1] // 4
    lengths = torch.logspace(0, 1, quarter) * 2
    waves = torch.arange(side)[:, None] * 2 * math.pi / lengths
    line = torch.cat([waves.sin(), waves.cos()], dim=1)
    down, across = line.repeat_interleave(side, dim=0), line.repeat(side, 1)
    places[1:, : 4 * quarter] = spread * torch.cat([down, across], dim=1)
