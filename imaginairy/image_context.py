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
    bias: Tensor | None = None
    """What is added to how much is looked at each of the m, (batch, 1, 1, m)."""


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
    portions: Tensor | None = None
    """How much each of the m is looked at beside the others, (batch, m), above 0: twice
    as much is as if it were there twice. None where all are alike."""

    def seen_by(self, attention: Hashable, size: tuple[int, int]) -> Seen | None:
        """Return what an attention finds; None where it has no say there.

        Args:
            size: height and width of the places that it attends from.
        """
        scale = self.scales.get(attention, 0.0)
        if not (self.switch.on and scale and attention in self.pairs):
            return None
        key, value = self.pairs[attention]
        share = scale * self._region(size, key.dtype)
        if self.portions is None:
            return Seen(key, value, share)
        return Seen(key, value, share, self.portions.log()[:, None, None].to(key.dtype))

    def _region(self, size: tuple[int, int], dtype: torch.dtype) -> Tensor | float:
        if self.region is None:
            return 1.0
        places = F.interpolate(self.region.float(), size=size, mode="bicubic")
        return places.flatten(2)[..., None].to(dtype)

    def mapped(self, change: Callable[[Tensor], Tensor]) -> ImageContext:
        """Do the same to all that lies along the batch."""
        pairs = {at: (change(k), change(v)) for at, (k, v) in self.pairs.items()}
        region, portions = (
            None if part is None else change(part)
            for part in (self.region, self.portions)
        )
        return replace(self, pairs=pairs, region=region, portions=portions)

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
        return replace(
            first,
            pairs=pairs,
            region=_laid([each.region for each in several], "a region"),
            portions=_laid([each.portions for each in several], "portions"),
        )


@dataclass(frozen=True, eq=False)
class Beheld:
    """What the images of a batch say to a network, and in which steps."""

    follow: tuple[ImageContext, ...]
    avoid: tuple[ImageContext, ...]
    """What is said where that is to be avoided, in the same order and by the same
    switches."""
    spans: tuple[tuple[float, float], ...]
    """The shares of the steps from which, and up to which, each has a say."""

    def at(self, step: int, steps: int) -> None:
        """Let those speak whose step it is, counted from 0, of so many."""
        for each, (start, end) in zip(self.follow, self.spans, strict=True):
            each.switch.on = start <= step / steps and (step + 1) / steps <= end

    @property
    def speaking(self) -> tuple[bool, ...]:
        """Which of them have a say now."""
        return tuple(each.switch.on for each in self.follow)


def _laid(parts: Sequence[Tensor | None], what: str) -> Tensor | None:
    """Lay one part of several along the batch, or none where none has it."""
    there = [part for part in parts if part is not None]
    if there and len(there) < len(parts):
        raise ValueError(f"Of {len(parts)} image contexts, {len(there)} have {what}.")
    return torch.cat(there) if there else None
