"""A matrix as the product of two thin ones."""

from dataclasses import dataclass

import torch
from torch import Tensor

SPARE = 16
"""How many directions more are looked at than are kept, so that these are right."""
POWERS = 4
"""How often a matrix is applied to them, by which strong ones stand out."""
EXACT = 4
"""Up to how many times as wide as what is looked at a matrix is taken apart whole."""


@dataclass(frozen=True)
class Thin:
    """The strongest directions of a matrix, of which it is about `up @ down`."""

    up: Tensor
    """(out, rank)."""
    down: Tensor
    """(rank, in)."""
    whole: float
    """The energy of the matrix: the sum of the squares of its numbers."""
    held: float
    """That of the product."""


def thin(matrix: Tensor, rank: int, keep: float = 1.0) -> Thin:
    """Return the best approximation of a matrix of a rank (Eckart & Young 1936).

    Large ones are looked at along random directions, always the same, from which the
    strong ones are found (Halko et al. 2011, arXiv:0909.4061, algorithm 4.4).

    Args:
        matrix: (out, in), float32.
        rank: the most directions that are kept.
        keep: the share of the energy for which as few as possible are.
    """
    left, strengths, right = _strongest(matrix, min(rank, *matrix.shape))
    whole = energy(matrix)
    energies = strengths.double().square().cumsum(0)
    enough = int((energies < keep * whole * (1 - 1e-6)).sum()) + 1
    count = min(enough, len(strengths))
    roots = strengths[:count].sqrt()
    return Thin(
        up=left[:, :count] * roots,
        down=roots[:, None] * right[:count],
        whole=whole,
        held=min(whole, float(energies[count - 1])),
    )


def energy(matrix: Tensor) -> float:
    """Return the sum of the squares of the numbers of a matrix."""
    return float(torch.linalg.vector_norm(matrix, dtype=torch.float64)) ** 2


def _strongest(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the singular vectors and values of a matrix, so many of them."""
    looked = rank + SPARE
    if min(matrix.shape) <= EXACT * looked:
        left, strengths, right = torch.linalg.svd(matrix, full_matrices=False)
        return left[:, :rank], strengths[:rank], right[:rank]
    chance = torch.Generator().manual_seed(0)
    basis = matrix @ torch.randn(matrix.shape[1], looked, generator=chance)
    for _ in range(POWERS):
        across = torch.linalg.qr(matrix.T @ torch.linalg.qr(basis).Q).Q
        basis = matrix @ across
    basis = torch.linalg.qr(basis).Q
    inner, strengths, right = torch.linalg.svd(basis.T @ matrix, full_matrices=False)
    return basis @ inner[:, :rank], strengths[:rank], right[:rank]
