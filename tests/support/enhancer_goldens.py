"""Weights that anyone can make again, and the tensors of the published files.

The goldens under `data/` were made by the published implementations on weights drawn
by the rule of `drawn`; `enhancer_tensors.json.gz` lists every tensor of the published
files, and of the small networks that the upscalers' goldens were made with.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from imaginairy.weights.stored import Names, as_stored
from imaginairy.weights.weightfile import Tensors

DATA = Path(__file__).parents[1] / "networks" / "data"
CPU = torch.device("cpu")
META = torch.device("meta")

Shapes = dict[str, tuple[int, ...]]


def goldens(name: str) -> dict[str, Tensor]:
    with np.load(DATA / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


def published_tensors() -> dict[str, Shapes]:
    """Return {published file: {tensor: shape}}."""
    text = gzip.decompress((DATA / "enhancer_tensors.json.gz").read_bytes())
    return {
        file: {name: tuple(shape) for name, shape in tensors.items()}
        for file, tensors in json.loads(text).items()
    }


def normal(name: str, shape: tuple[int, ...]) -> Tensor:
    """Draw standard normal numbers that depend on a name only."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    generator = np.random.Generator(np.random.PCG64(seed))
    return torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))


def drawn(prefix: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Draw the weights with which the goldens were made."""
    weights = {}
    for name, shape in shapes.items():
        weight = normal(prefix + name, shape)
        if len(shape) > 1:
            weight *= float(np.float32(1 / np.sqrt(prod(shape[1:]))))
        elif name.endswith(".weight"):
            weight = 1 + weight.mul_(0.1)
        else:
            weight *= 0.02
        weights[name] = weight
    return weights


def small_upscaler(net: str) -> dict[str, Tensor]:
    """Draw the weights of one of the small upscalers of the goldens."""
    shapes = published_tensors()["goldens"]
    prefix = f"{net}/"
    return drawn(
        prefix,
        {
            name.removeprefix(prefix): shape
            for name, shape in shapes.items()
            if name.startswith(prefix)
        },
    )


def save(path: Path, weights: dict[str, Tensor], key: str = "params_ema") -> Path:
    """Write a checkpoint as published: a pickle with the weights below one key."""
    torch.save({key: weights}, path)
    return path


def publish(network: nn.Module, names: Names) -> dict[str, Tensor]:
    """Give a network's tensors their published names."""
    return as_stored(network.state_dict(), names)


class Listing(Tensors):
    """Tensors known by name and shape only; they load onto the meta device."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__("listing", shapes)

    def read(self, name: str) -> Tensor:
        return torch.empty(self.shapes[name], device=META)


class Drawn(Tensors):
    """Tensors drawn by the rule of `drawn` when they are read."""

    def __init__(self, prefix: str, shapes: Shapes) -> None:
        super().__init__("drawn", shapes)
        self.before = prefix

    def read(self, name: str) -> Tensor:
        return drawn(self.before, {name: self.shapes[name]})[name]


def error_of(result: Tensor, expected: Tensor) -> float:
    """Return the worst error, relative to the largest value expected."""
    return float((result - expected).abs().max() / expected.abs().max())
