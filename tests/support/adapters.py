"""Adapters of tiny size and random numbers, named as trainers name them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

ATTENDED = (
    "to_q",
    "to_k",
    "to_v",
    "to_out.0",
    "q_proj",
    "k_proj",
    "v_proj",
    "out_proj",
)
"""The ends of the layers that trainers change most often."""


def attended(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of a network's attention, by their layers."""
    return {
        name: tuple(layer.weight.shape)
        for name, layer in network.named_modules()
        if name.endswith(ATTENDED) and isinstance(layer, nn.Linear)
    }


def every_layer(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all weights that are multiplied by or convolved with."""
    return {
        name: tuple(layer.weight.shape)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    }


def random(*shape: int, scale: float = 0.3) -> Tensor:
    """Return random numbers, of torch's own generator."""
    return scale * torch.randn(*shape)


def low_rank(shape: tuple[int, ...], rank: int = 3) -> tuple[Tensor, Tensor]:
    """Return what maps down and what maps up for a weight of a shape."""
    ones = (1, 1) if len(shape) > 2 else ()
    return random(rank, *shape[1:]), random(shape[0], rank, *ones)


def flat(path: str) -> str:
    """Return a path as kohya's trainers write it."""
    return path.replace(".", "_")


def kohya(
    start: str, layers: Mapping[str, tuple[int, ...]], *, alpha: float | None = 2.0
) -> Iterator[tuple[str, Tensor]]:
    """Yield a LoRA of layers in kohya's spelling."""
    for path, shape in layers.items():
        down, up = low_rank(shape)
        yield f"{start}{flat(path)}.lora_down.weight", down
        yield f"{start}{flat(path)}.lora_up.weight", up
        if alpha is not None:
            yield f"{start}{flat(path)}.alpha", torch.tensor(alpha)


def peft(
    start: str, layers: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, Tensor]]:
    """Yield a LoRA of layers in PEFT's spelling."""
    for path, shape in layers.items():
        down, up = low_rank(shape)
        yield f"{start}{path}.lora_A.weight", down
        yield f"{start}{path}.lora_B.weight", up


def saved(path: Path, tensors: Mapping[str, Tensor], **said: str) -> Path:
    """Save tensors, with what the file says of itself."""
    contiguous = {name: each.contiguous() for name, each in tensors.items()}
    save_file(contiguous, path, metadata=said or None)
    return path
