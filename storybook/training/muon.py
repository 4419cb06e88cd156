"""Muon: steps along matrices that are made orthogonal first.

Jordan et al. 2024, scaled as by Liu et al. 2025 (arXiv:2502.16982), so that one
learning rate serves it and AdamW. From one checkpoint of this UNet, 272 steps of it
brought the error of the weights lower than 426 of AdamW, which took as long; that of
their running means came out level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from storybook import settings
from storybook.training.workers import Team

MOMENTUM = 0.95
DECAY = 0.01
SCALE = 0.2
"""Root mean square of a step, at a learning rate of 1."""
LEAST = 65
"""Rows and columns of a matrix that is worth it; AdamW takes the smaller ones."""
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 1 if settings.REHEARSAL else 4


def matrices_of(module: nn.Module) -> list[nn.Parameter]:
    """Return the weights of linear layers and convolutions that are large enough."""
    weights = {
        id(layer.weight): layer.weight
        for layer in module.modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    }
    return [each for each in weights.values() if min(each.flatten(1).shape) >= LEAST]


def orthogonalized(matrix: Tensor) -> Tensor:
    """Bring all singular values of a matrix near to 1 (Newton and Schulz)."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-12)
    a, b, c = QUINTIC
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Train matrices together with a team: each worker makes some steps, for all.

    Args:
        matrices: what to train, with gradients that the team has averaged.
        rate: learning rate.
        team: the workers, all of whom do this.
    """

    def __init__(self, matrices: list[nn.Parameter], rate: float, team: Team) -> None:
        super().__init__(matrices, {"lr": rate})
        self.team = team
        self.owners = share_out([work(each) for each in matrices], team.size)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Take one step; gradients hold what was stepped along afterwards."""
        assert closure is None
        (group,) = self.param_groups
        for each, owner in zip(group["params"], self.owners, strict=True):
            if each not in self.state:
                self.state[each]["momentum"] = torch.zeros_like(each)
            momentum = self.state[each]["momentum"]
            momentum.lerp_(each.grad, 1 - MOMENTUM)
            if owner == self.team.rank:
                ahead = each.grad.lerp(momentum, MOMENTUM)
                each.grad.copy_(orthogonalized(ahead.flatten(1)).view_as(ahead))
        self.team.share([each.grad for each in group["params"]], self.owners)
        for each in group["params"]:
            longer = max(each.flatten(1).shape)
            each.mul_(1 - group["lr"] * DECAY)
            each.sub_(each.grad, alpha=group["lr"] * SCALE * longer**0.5)


def work(matrix: Tensor) -> float:
    """Return how long it takes to make a matrix orthogonal, in some unit."""
    rows, columns = matrix.flatten(1).shape
    return float(rows * columns * min(rows, columns))


def share_out(work: list[float], workers: int) -> list[int]:
    """Return which worker takes what, so that all have about as much to do."""
    taken, owners = [0.0] * workers, [0] * len(work)
    for index in sorted(range(len(work)), key=lambda index: -work[index]):
        owners[index] = taken.index(min(taken))
        taken[owners[index]] += work[index]
    return owners
