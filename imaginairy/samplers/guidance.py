"""What keeps strong guidance from burning pictures: formulas on clean latents.

Each takes a batch and treats every picture of it by itself.
"""

from dataclasses import dataclass
from math import ceil, inf

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning


@dataclass(frozen=True)
class Projection:
    """Adaptive projected guidance (Sadat et al. 2024, arXiv:2410.02416)."""

    parallel: float = 0.0
    """How much is kept of what only makes the picture stronger, eta there."""
    radius: float = 15.0
    """The norm that the difference of both predictions is held to, r there."""
    momentum: float = -0.5
    """How much of the differences before is added, beta there."""


@dataclass(frozen=True)
class Threshold:
    """See `thresholded`."""

    share: float
    """The quantile that is cut off at."""
    strength: float = 1.0
    """That of the guidance to whose range latents are held; 1 is none."""


@dataclass(frozen=True)
class Limits:
    """How guidance is limited; by default it is not."""

    rescale: float = 0.0
    """See `rescaled`."""
    low: float = 0.0
    high: float = inf
    """There is guidance at levels above `low` up to `high` (Kynkaanniemi et al. 2024,
    arXiv:2404.07724, eq. 5)."""
    perpendicular: float = 0.0
    """The weight of what to avoid where only what does not touch the prompt counts, see
    `perpendicular_to`."""
    nothing: Conditioning | None = None
    """What the network is told of no prompt at all, for that."""
    projection: Projection | None = None
    threshold: Threshold | None = None

    def reach(self, level: float) -> bool:
        """Tell whether there is guidance at a level."""
        return self.low < level <= self.high


def between(levels: list[float], start: float, end: float) -> tuple[float, float]:
    """Return the levels above the first of which and up to the second steps are.

    Args:
        levels: those of all steps, with the one to end on.
        start: the share of the steps to leave out first.
        end: the share after which no more are taken.
    """
    steps = len(levels) - 1
    first, last = (ceil(steps * share - 1e-9) for share in (start, end))
    return levels[last] if last < steps else 0.0, levels[first] if first else inf


def rescaled(guided: Tensor, followed: Tensor, share: float) -> Tensor:
    """Give as much contrast to what is guided as what follows the prompt has, in part.

    Lin et al. 2023, arXiv:2305.08891, eq. 15 and 16; on what the network predicts.
    """
    kept = followed.std(dim=_all(followed), keepdim=True)
    found = guided.std(dim=_all(guided), keepdim=True)
    return share * guided * (kept / found) + (1 - share) * guided


def perpendicular_to(direction: Tensor, other: Tensor) -> Tensor:
    """Return the part of `other` that is perpendicular to a direction.

    Armandpour et al. 2023, arXiv:2304.04968, eq. 7.
    """
    return other - _along(direction, other)


def projected(
    difference: Tensor, followed: Tensor, way: Projection, before: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Turn the difference that guidance goes along from the followed prediction.

    Sadat et al. 2024, arXiv:2410.02416, algorithm 1.

    Args:
        before: what the second of the results was at the prediction before.

    Returns:
        The difference, and what adds up over the predictions.
    """
    if before is not None:
        difference = difference + way.momentum * before
    summed = difference
    norm = difference.square().sum(dim=_all(difference), keepdim=True).sqrt()
    difference = difference * (way.radius / norm).clamp(max=1)
    along = _along(followed, difference)
    return difference - along + way.parallel * along, summed


def thresholded(guided: Tensor, usual: Tensor, share: float) -> Tensor:
    """Hold each channel of clean latents to the range that it has in others.

    Dynamic thresholding (Saharia et al. 2022, arXiv:2205.11487, section 2.3) as it is
    done on latents, which have no fixed range: distances from the channel's mean are
    cut off at their quantile s, and divided so that s becomes the largest of the
    others. What is less stays as it is.
    """
    mean = guided.mean(dim=(2, 3), keepdim=True)
    away, most = guided - mean, usual - usual.mean(dim=(2, 3), keepdim=True)
    most = most.abs().amax(dim=(2, 3), keepdim=True)
    reached = away.abs().flatten(2).quantile(share, dim=2)[..., None, None]
    reached = torch.maximum(reached, most)
    held = away.clamp(-reached, reached) * (most / reached)
    return mean + torch.where(reached > 0, held, away)


def _along(direction: Tensor, other: Tensor) -> Tensor:
    """Return the part of `other` that is parallel to a direction."""
    product = (direction * other).sum(dim=_all(other), keepdim=True)
    square = direction.square().sum(dim=_all(other), keepdim=True)
    return torch.where(square > 0, product / square, 0.0) * direction


def _all(latents: Tensor) -> tuple[int, ...]:
    """Return all dimensions but that of the batch."""
    return tuple(range(1, latents.ndim))
