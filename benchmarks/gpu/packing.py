"""Random weights that are packed, made where they are to lie, one by one."""

from math import prod

import torch
from torch import Tensor, nn

from imaginairy.weights.blocks import BLOCKS
from imaginairy.weights.joined import multiplied
from imaginairy.weights.packed import Packed

EIGHT_BITS = "fp8"
"""Numbers of 8 bits that a number multiplies; all others are blocks of GGUF files."""
OTHERS = "Q8_0"
"""How rows are packed that do not fill the blocks that are asked for."""
HALVES = {"Q8_0": (1 / 127,), "Q4_K": (1 / 472.5, 1 / 63)}
"""What begins a block, by how far its numbers are to reach."""


@torch.no_grad()
def packed(
    network: nn.Module, kind: str, device: torch.device, dtype: torch.dtype
) -> nn.Module:
    """Give a network without weights some that keep numbers moderate, most packed."""
    for layer in network.modules():
        for name, hollow in layer._parameters.items():
            if hollow is None:
                continue
            made = weight_of(tuple(hollow.shape), name, device, dtype)
            fits = kind_of(hollow, kind)
            if fits and name == "weight" and getattr(layer, "casts", False):
                made = random(tuple(hollow.shape), fits, device, dtype)
            layer._parameters[name] = nn.Parameter(made, requires_grad=False)
    return network


def weight_of(
    shape: tuple[int, ...], name: str, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Return weights as they are."""
    made = torch.empty(shape, device=device, dtype=dtype)
    if len(shape) > 1:
        reach = prod(shape[1:]) ** -0.5
        return made.uniform_(-reach, reach)
    return made.fill_(1.0 if name == "weight" else 0.0)


def kind_of(weight: Tensor, kind: str) -> str | None:
    """Return how a matrix is packed; None where its rows fill no blocks."""
    if weight.ndim != 2:
        return None
    if kind == EIGHT_BITS:
        return kind
    fits = (each for each in (kind, OTHERS) if not weight.shape[1] % numbers_of(each))
    return next(fits, None)


def numbers_of(kind: str) -> int:
    """Return how many numbers a block has."""
    return BLOCKS[kind][1].numbers


def random(
    shape: tuple[int, ...], kind: str, device: torch.device, dtype: torch.dtype
) -> Packed:
    """Return a packed matrix."""
    reach = shape[1] ** -0.5
    if kind == EIGHT_BITS:
        most = torch.finfo(torch.float8_e4m3fn).max
        numbers = torch.empty(shape, device=device).uniform_(-most, most)
        scale = torch.tensor(reach / most, device=device)
        made = multiplied(numbers.to(torch.float8_e4m3fn), scale, shape)
        return made.filling(shape, device, dtype)
    size, packing = BLOCKS[kind]
    count = prod(shape) // packing.numbers
    blocks = torch.randint(0, 256, (count, size), dtype=torch.uint8, device=device)
    halves = torch.tensor([reach * each for each in HALVES[kind]], dtype=torch.float16)
    head = halves.view(torch.uint8).to(device)
    blocks[:, : len(head)] = head
    return Packed(packing, (blocks,), shape, dtype)
