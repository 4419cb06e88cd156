"""Numbers in blocks as GGUF files pack them, and how they are unpacked.

A block holds its numbers in few bits and what they are multiplied by in more. The
layouts are those of https://github.com/ggml-org/ggml; "Q4_K" are numbers of 4 bits in
blocks of 256, which have smaller ones inside.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from imaginairy.weights.packed import Packing, table

SMALL, LARGE = 32, 256
"""Numbers of a block of either kind."""
UNEVEN = (
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
)  # fmt: skip
"""What the sixteen numbers of 4 bits stand for where they lie unevenly."""


def _half(blocks: Tensor, place: int) -> Tensor:
    """Return a number of 16 bits of each block, (blocks, 1) in float32."""
    return blocks[:, place : place + 2].contiguous().view(torch.float16).float()


def _nibbles(data: Tensor) -> Tensor:
    """Return (..., 2, n) numbers of 4 bits of (..., n): the low ones first."""
    return torch.stack([data & 15, data >> 4], dim=-2)


def _pairs(data: Tensor) -> Tensor:
    """Return (..., 4, n) numbers of 2 bits of (..., n): the low ones first."""
    return torch.stack([(data >> shift) & 3 for shift in (0, 2, 4, 6)], dim=-2)


def _bits(data: Tensor) -> Tensor:
    """Return (..., 8, n) bits of (..., n): the low ones first."""
    return torch.stack([(data >> shift) & 1 for shift in range(8)], dim=-2)


def _fifth_bits(data: Tensor) -> Tensor:
    """Return (blocks, 2, 16) bits of (blocks, 4) bytes, one for each number."""
    return _bits(data).mT.reshape(-1, 2, 16)


def _scaled(numbers: Tensor, scales: Tensor, start: Tensor | None = None) -> Tensor:
    """Return numbers times what their groups are scaled by, less where these start.

    Args:
        numbers: (blocks, groups, n).
        scales: (blocks, groups).
    """
    made = numbers * scales[..., None]
    if start is not None:
        made -= start[..., None]
    return made.flatten(1)


def q4_0(blocks: Tensor) -> Tensor:
    """Unpack numbers from -8 to 7 and their scale."""
    numbers = _nibbles(blocks[:, 2:]).flatten(1).view(torch.int8) - 8
    return numbers * _half(blocks, 0)


def q4_1(blocks: Tensor) -> Tensor:
    """Unpack numbers from 0 to 15, their scale, and where they start."""
    numbers = _nibbles(blocks[:, 4:]).flatten(1)
    return (numbers * _half(blocks, 0)).add_(_half(blocks, 2))


def q5_0(blocks: Tensor) -> Tensor:
    """Unpack numbers from -16 to 15 and their scale."""
    numbers = _nibbles(blocks[:, 6:]) | (_fifth_bits(blocks[:, 2:6]) << 4)
    return (numbers.flatten(1).view(torch.int8) - 16) * _half(blocks, 0)


def q5_1(blocks: Tensor) -> Tensor:
    """Unpack numbers from 0 to 31, their scale, and where they start."""
    numbers = _nibbles(blocks[:, 8:]) | (_fifth_bits(blocks[:, 4:8]) << 4)
    return (numbers.flatten(1) * _half(blocks, 0)).add_(_half(blocks, 2))


def q8_0(blocks: Tensor) -> Tensor:
    """Unpack numbers from -128 to 127 and their scale."""
    return blocks[:, 2:].view(torch.int8) * _half(blocks, 0)


def q2_k(blocks: Tensor) -> Tensor:
    """Unpack numbers from 0 to 3 in groups of 16, each with a scale and a start."""
    groups = blocks[:, :16]
    numbers = _pairs(blocks[:, 16:80].view(-1, 2, 32)).reshape(-1, 16, 16)
    scales = (groups & 15) * _half(blocks, 80)
    return _scaled(numbers, scales, (groups >> 4) * _half(blocks, 82))


def q3_k(blocks: Tensor) -> Tensor:
    """Unpack numbers from -4 to 3 in groups of 16, each with a scale."""
    high = _bits(blocks[:, :32]).view(-1, 16, 16)
    numbers = _pairs(blocks[:, 32:96].view(-1, 2, 32)).reshape(-1, 16, 16)
    numbers = (numbers | (high << 2)).view(torch.int8) - 4
    scales = _nibbles(blocks[:, 96:104]).flatten(1)
    scales |= _pairs(blocks[:, 104:108]).flatten(1) << 4
    return _scaled(numbers, (scales.view(torch.int8) - 32) * _half(blocks, 108))


def _scales_of_6_bits(data: Tensor) -> tuple[Tensor, Tensor]:
    """Return scales and starts, (blocks, 8) each, of 12 bytes."""
    first, second, rest = data[:, :4], data[:, 4:8], data[:, 8:]
    scales = torch.cat([first & 63, (rest & 15) | (first >> 6 << 4)], dim=1)
    starts = torch.cat([second & 63, (rest >> 4) | (second >> 6 << 4)], dim=1)
    return scales, starts


def q4_k(blocks: Tensor) -> Tensor:
    """Unpack numbers from 0 to 15 in groups of 32, each with a scale and a start."""
    scales, starts = _scales_of_6_bits(blocks[:, 4:16])
    numbers = _nibbles(blocks[:, 16:].view(-1, 4, 32)).view(-1, 8, 32)
    return _scaled(numbers, scales * _half(blocks, 0), starts * _half(blocks, 2))


def q5_k(blocks: Tensor) -> Tensor:
    """Unpack numbers from 0 to 31 in groups of 32, each with a scale and a start."""
    scales, starts = _scales_of_6_bits(blocks[:, 4:16])
    numbers = _nibbles(blocks[:, 48:].view(-1, 4, 32)).view(-1, 8, 32)
    numbers |= _bits(blocks[:, 16:48]) << 4
    return _scaled(numbers, scales * _half(blocks, 0), starts * _half(blocks, 2))


def q6_k(blocks: Tensor) -> Tensor:
    """Unpack numbers from -32 to 31 in groups of 16, each with a scale."""
    numbers = _nibbles(blocks[:, :128].view(-1, 2, 64)).view(-1, 16, 16)
    numbers |= _pairs(blocks[:, 128:192].view(-1, 2, 32)).view(-1, 16, 16) << 4
    scales = blocks[:, 192:208].view(torch.int8) * _half(blocks, 208)
    return _scaled(numbers.view(torch.int8) - 32, scales)


def _uneven(numbers: Tensor) -> Tensor:
    return table(UNEVEN, numbers.device)[numbers.int()]


def iq4_nl(blocks: Tensor) -> Tensor:
    """Unpack sixteen uneven numbers and their scale."""
    return _uneven(_nibbles(blocks[:, 2:]).flatten(1)) * _half(blocks, 0)


def iq4_xs(blocks: Tensor) -> Tensor:
    """Unpack sixteen uneven numbers in groups of 32, each with a scale."""
    low = _nibbles(blocks[:, 4:8]).mT.flatten(1)
    high = _pairs(blocks[:, 2:4]).mT.flatten(1)
    scales = ((low | (high << 4)).view(torch.int8) - 32) * _half(blocks, 0)
    numbers = _nibbles(blocks[:, 8:].view(-1, 8, 16)).flatten(2)
    return _scaled(_uneven(numbers), scales)


def _row(
    name: str, numbers: int, size: int, unpack: Callable[[Tensor], Tensor]
) -> tuple[str, tuple[int, Packing]]:
    return name, (size, Packing(name, numbers, unpack))


BLOCKS = dict(
    (
        _row("Q4_0", SMALL, 18, q4_0),
        _row("Q4_1", SMALL, 20, q4_1),
        _row("Q5_0", SMALL, 22, q5_0),
        _row("Q5_1", SMALL, 24, q5_1),
        _row("Q8_0", SMALL, 34, q8_0),
        _row("Q2_K", LARGE, 84, q2_k),
        _row("Q3_K", LARGE, 110, q3_k),
        _row("Q4_K", LARGE, 144, q4_k),
        _row("Q5_K", LARGE, 176, q5_k),
        _row("Q6_K", LARGE, 210, q6_k),
        _row("IQ4_NL", SMALL, 18, iq4_nl),
        _row("IQ4_XS", LARGE, 136, iq4_xs),
    )
)
"""The bytes of a block and how it is unpacked, by what GGUF files call it."""
