"""An edge detector of tiny size and random weights, as ControlNet's annotators have it.

Its names are written out here, beside ours.
"""

from pathlib import Path

import torch
from torch import Tensor

CHANNELS, LAYERS = (4, 6, 8, 8, 8), (2, 2, 3, 3, 3)


def annotator(
    seed: int = 0,
    channels: tuple[int, ...] = CHANNELS,
    layers: tuple[int, ...] = LAYERS,
) -> dict[str, Tensor]:
    """Return the tensors of an edge detector."""
    made = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        scale = 2.0 / max(1, torch.Size(shape[1:]).numel()) ** 0.5
        return scale * torch.randn(shape, generator=made)

    tensors = {"norm": 110 + 10 * random(1, 3, 1, 1)}
    before = 3
    for stage, (width, count) in enumerate(zip(channels, layers, strict=True), 1):
        for layer in range(count):
            name = f"block{stage}.convs.{layer}"
            tensors[f"{name}.weight"] = random(width, before, 3, 3)
            tensors[f"{name}.bias"] = random(width)
            before = width
        tensors[f"block{stage}.projection.weight"] = 0.002 * random(1, width, 1, 1)
        tensors[f"block{stage}.projection.bias"] = 0.1 * random(1)
    return tensors


def save_edges(path: Path, seed: int = 0) -> Path:
    """Save an edge detector in half precision, as theirs is."""
    halves = {name: tensor.half() for name, tensor in annotator(seed).items()}
    torch.save(halves, path)
    return path
