"""Weights packed into blocks, as they are unpacked by `blocks`."""

from collections.abc import Callable

import torch
from torch import Tensor


def to_q8_0(weight: Tensor) -> Tensor:
    """Pack numbers as their nearest multiples of a 127th of the largest of 32."""
    groups = weight.float().reshape(-1, 32)
    scale = groups.abs().amax(dim=1, keepdim=True) / 127
    numbers = _over(groups, scale).round().to(torch.int8)
    return torch.cat([_half(scale), numbers.view(torch.uint8)], dim=1)


def _over(numbers: Tensor, scale: Tensor) -> Tensor:
    """Return numbers by their scale, zeros by one of 0."""
    return torch.where(scale > 0, numbers / scale, 0)


def _half(numbers: Tensor) -> Tensor:
    """Return (blocks, 1) as their bytes in float16, (blocks, 2)."""
    return numbers.half().contiguous().view(torch.uint8)


PACKS: dict[str, Callable[[Tensor], Tensor]] = {"Q8_0": to_q8_0}
"""What packs weights, (blocks, bytes of each) for their numbers one after the other."""
