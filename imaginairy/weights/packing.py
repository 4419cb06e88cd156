"""Weights packed into blocks, as they are unpacked by `blocks`."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from imaginairy.weights.blocks import LARGE, SMALL

AT_ONCE = 2**22
"""Numbers that are packed at a time, to hold less at once."""
HIGHEST, HIGHEST_SCALE = 15, 63
"""Of 4 bits, and of the 6 bits that say scales and starts."""
STEPS = (12.5, 13.5, 14.5, 15.5)
"""Into how many steps the range of a group is cut to see which fits best: more leave
out what lies at its ends."""
SHARES = (0.25, 0.75)
"""How much of what is left out may be below the least of a group."""
ROUNDS = 2
"""How often numbers are rounded, and scale and start are fitted to them."""


def to_q8_0(weight: Tensor) -> Tensor:
    """Pack numbers as their nearest multiples of a 127th of the largest of 32."""
    groups = weight.float().reshape(-1, SMALL)
    scale = groups.abs().amax(dim=1, keepdim=True) / 127
    numbers = _over(groups, scale).round().to(torch.int8)
    return torch.cat([_half(scale), numbers.view(torch.uint8)], dim=1)


def to_q4_k(weight: Tensor) -> Tensor:
    """Pack numbers in 4 bits, in groups of 32 with a scale and a start of 6 bits.

    Steps are tried, and for each the scale and the start with the least squares.
    """
    flat = weight.float().reshape(-1, LARGE)
    some = torch.split(flat, AT_ONCE // LARGE)
    return torch.cat([_to_q4_k(blocks) for blocks in some])


def _to_q4_k(blocks: Tensor) -> Tensor:
    groups = blocks.view(-1, 8, SMALL)
    scales, starts = _best(groups)
    scale, of_scales = _in_6_bits(scales)
    start, of_starts = _in_6_bits(starts)
    step, low = scale.half().float() * of_scales, start.half().float() * of_starts
    numbers = _over(groups + low[..., None], step[..., None]).round()
    numbers = numbers.clamp(0, HIGHEST).to(torch.uint8).view(-1, 4, 2, SMALL)
    nibbles = numbers[:, :, 0] | (numbers[:, :, 1] << 4)
    six = [each.to(torch.uint8) for each in (of_scales, of_starts)]
    parts = _half(scale), _half(start), _in_12_bytes(*six), nibbles.flatten(1)
    return torch.cat(parts, dim=1)


def _best(groups: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scale of each group, and how far below 0 it starts."""
    low = groups.amin(dim=-1, keepdim=True).clamp(max=0)
    high = groups.amax(dim=-1, keepdim=True).clamp(min=0)
    best = torch.full_like(low, torch.inf)
    scales, starts = torch.zeros_like(low), torch.zeros_like(low)
    for steps, share in product(STEPS, SHARES):
        scale = (high - low) / steps
        start = scale * (HIGHEST - steps) * share - low
        for _ in range(ROUNDS):
            numbers = _over(groups + start, scale).round().clamp(0, HIGHEST)
            scale, start = _least_squares(numbers, groups)
        left = (numbers * scale - start - groups).square().sum(-1, keepdim=True)
        better = left < best
        best = torch.where(better, left, best)
        scales = torch.where(better, scale, scales)
        starts = torch.where(better, start, starts)
    return scales[..., 0], starts[..., 0]


def _least_squares(numbers: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Return by what numbers are multiplied, and what is taken off, to be closest."""
    mean, middle = (each.mean(-1, keepdim=True) for each in (numbers, groups))
    apart = numbers - mean
    scale = _over(
        (apart * groups).sum(-1, keepdim=True), apart.square().sum(-1, keepdim=True)
    )
    start = scale * mean - middle
    alone = _over(
        (numbers * groups).sum(-1, keepdim=True), numbers.square().sum(-1, keepdim=True)
    )  # where nothing may be taken off
    return torch.where(start < 0, alone, scale), start.clamp(min=0)


def _in_6_bits(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Return a scale of each block, (blocks, 1), and what it multiplies."""
    scale = numbers.amax(dim=1, keepdim=True) / HIGHEST_SCALE
    held = scale.half().float()
    return scale, _over(numbers, held).round().clamp(0, HIGHEST_SCALE)


def _in_12_bytes(scales: Tensor, starts: Tensor) -> Tensor:
    """Return (blocks, 8) scales and starts of 6 bits as they lie in 12 bytes."""
    first, more = scales[:, :4], scales[:, 4:]
    second, most = starts[:, :4], starts[:, 4:]
    return torch.cat(
        [
            first | (more >> 4 << 6),
            second | (most >> 4 << 6),
            (more & 15) | ((most & 15) << 4),
        ],
        dim=1,
    )


def _over(numbers: Tensor, scale: Tensor) -> Tensor:
    """Return numbers by their scale, zeros by one of 0."""
    return torch.where(scale > 0, numbers / scale, 0)


def _half(numbers: Tensor) -> Tensor:
    """Return (blocks, 1) as their bytes in float16, (blocks, 2)."""
    return numbers.half().contiguous().view(torch.uint8)


PACKS: dict[str, Callable[[Tensor], Tensor]] = {"Q8_0": to_q8_0, "Q4_K": to_q4_k}
"""What packs weights, (blocks, bytes of each) for their numbers one after the other."""
