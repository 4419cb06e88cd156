"""Weights that anyone can make again, and what the reference gave with them.

`data/trim.py` says where the files of `data/` are from.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

DATA = Path(__file__).parents[1] / "data"
CPU = torch.device("cpu")
TEXT_HEADS = 4
"""Attention heads of the reduced text transformer, which no tensor tells."""

Shapes = dict[str, tuple[int, ...]]


def goldens(name: str) -> dict[str, Tensor]:
    """Load the arrays of a file of `data/`."""
    with np.load(DATA / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


def tensor_shapes(kind: str) -> Shapes:
    """Return {tensor: shape} of a kind of checkpoint that `data/trim.py` lists."""
    kinds = json.loads(gzip.decompress((DATA / "tensors.json.gz").read_bytes()))
    return {name: tuple(shape) for name, shape in kinds[kind].items()}


def normal(name: str, shape: tuple[int, ...]) -> Tensor:
    """Draw standard normal numbers that depend on a name only."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    generator = np.random.Generator(np.random.PCG64(seed))
    return torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))


def drawn(shapes: Mapping[str, tuple[int, ...]], salt: str = "") -> dict[str, Tensor]:
    """Draw the weights with which the reference outputs were made."""
    weights = {}
    for name, shape in shapes.items():
        weight = normal(salt + name, shape)
        if len(shape) > 1:
            weight *= float(np.float32(1 / np.sqrt(prod(shape[1:]))))
        elif name.endswith(".weight"):
            weight = 1 + weight * 0.1
        else:
            weight *= 0.02
        weights[name] = weight
    return weights


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """Return the worst difference as a share of the largest value."""
    assert ours.shape == theirs.shape, f"{ours.shape} is not {theirs.shape}"
    assert ours.isfinite().all()
    return float((ours - theirs).abs().max() / theirs.abs().max())


def assert_close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-4) -> None:
    """Compare the worst difference with the largest value."""
    worst = relative_error(ours, theirs)
    assert worst <= tolerance, (
        f"off by {worst:.1e} of the largest value, mean "
        f"{float((ours - theirs).abs().mean()):.1e}; {tolerance:.0e} is allowed"
    )
