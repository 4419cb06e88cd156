"""What images say to the attentions of a network, beside what a text says.

Ye et al. 2023 (arXiv:2308.06721), section 3.2.2: each attention to the text looks at
the image too, by keys and values of its own, and adds what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

Pair = tuple[Tensor, Tensor]
"""Keys and values, (batch, m, width) each."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What one attention finds in an image."""

    key: Tensor
    """(batch, m, width)."""
    value: Tensor
    share: Tensor | float
    """How much of it counts, of all or of each token, (batch, 1, tokens, 1)."""


class Switch:
    """Whether an image has a say now; all copies of its context share it."""

    on = True


@dataclass(frozen=True, eq=False)
class ImageContext:
    """What an image says to each of the attentions that look at it."""

    pairs: Mapping[Hashable, Pair]
    """By the attention; one that is not here does not look at it."""
    scales: Mapping[Hashable, float]
    """How much what it finds counts, by the attention."""
    region: Tensor | None = None
    """Where in the picture it has a say, (batch, 1, height, width) in [0, 1]; it is
    resized to the places of each attention. None for everywhere."""
    switch: Switch = field(default_factory=Switch)

    def seen_by(self, attention: Hashable, size: tuple[int, int]) -> Seen | None:
        """Return what an attention finds; None where it has no say there.

        Args:
            size: height and width of the places that it attends from.
        """
        scale = self.scales.get(attention, 0.0)
        if not (self.switch.on and scale and attention in self.pairs):
            return None
        key, value = self.pairs[attention]
        return Seen(key, value, scale * self._region(size, key.dtype))

    def _region(self, size: tuple[int, int], dtype: torch.dtype) -> Tensor | float:
        if self.region is None:
            return 1.0
        places = F.interpolate(self.region.float(), size=size, mode="bicubic")
        return places.flatten(2)[..., None].to(dtype)

    def mapped(self, change: Callable[[Tensor], Tensor]) -> ImageContext:
        """Do the same to all that lies along the batch."""
        pairs = {at: (change(k), change(v)) for at, (k, v) in self.pairs.items()}
        region = None if self.region is None else change(self.region)
        return replace(self, pairs=pairs, region=region)

    @classmethod
    def stacked(cls, several: Sequence[ImageContext]) -> ImageContext:
        """Lay several of one image prompt along the batch.

        Raises:
            ValueError: some have a region and others none.
        """
        first, *_ = several
        pairs = {
            at: (
                torch.cat([each.pairs[at][0] for each in several]),
                torch.cat([each.pairs[at][1] for each in several]),
            )
            for at in first.pairs
        }
        regions = [each.region for each in several if each.region is not None]
        if regions and len(regions) < len(several):
            raise ValueError(
                f"Of {len(several)} image contexts, {len(regions)} have a region."
            )
        return replace(
            first, pairs=pairs, region=torch.cat(regions) if regions else None
        )
