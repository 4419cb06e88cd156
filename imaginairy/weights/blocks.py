"""Numbers in blocks as GGUF files pack them, and how they are unpacked.

A block holds its numbers in few bits and what they are multiplied by in more. The
layouts are those of https://github.com/ggml-org/ggml; "Q4_K" are numbers of 4 bits in
blocks of 256, which have smaller ones inside.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from imaginairy.weights.packed import Groups, Packing, meant

SMALL, LARGE = 32, 256
"""Numbers of a block of either kind."""
NIBBLES, SIXES, UPPER = 0x0F0F0F0F, 0x3F3F3F3F, 0x30303030
"""Bits of the four bytes of a word."""
UNEVEN = (
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
)  # fmt: skip
"""What the sixteen numbers of 4 bits stand for where they lie unevenly."""


def _half(blocks: Tensor, place: int) -> Tensor:
    """Return a number of 16 bits of each block, (blocks, 1) in float32."""
    return blocks[:, place : place + 2].contiguous().view(torch.float16).float()


def _cut(data: Tensor, bits: int) -> Tensor:
    """Return (..., 8 / bits, n) numbers of few bits of (..., n): the low ones first."""
    *places, n = data.shape
    made = data.new_empty((*places, 8 // bits, n))
    for part, some in enumerate(made.unbind(-2)):  # of which a stack would take longer
        some.copy_((data >> (bits * part)) & (2**bits - 1))
    return made


def _nibbles(data: Tensor) -> Tensor:
    """Return (..., 2, n) numbers of 4 bits of (..., n): the low ones first."""
    made = data.new_empty((*data.shape[:-1], 2, data.shape[-1]))
    made[..., 0, :] = data & 15
    made[..., 1, :] = data >> 4
    return made


def _pairs(data: Tensor) -> Tensor:
    """Return (..., 4, n) numbers of 2 bits of (..., n): the low ones first."""
    return _cut(data, 2)


def _bits(data: Tensor) -> Tensor:
    """Return (..., 8, n) bits of (..., n): the low ones first."""
    return _cut(data, 1)


def _fifth_bits(data: Tensor) -> Tensor:
    """Return (blocks, 2, 16) bits of (blocks, 4) bytes, one for each number."""
    return _bits(data).mT.reshape(-1, 2, 16)


def q4_0(blocks: Tensor) -> Groups:
    """Unpack numbers from -8 to 7 and their scale."""
    numbers = _nibbles(blocks[:, 2:]).view(-1, 1, SMALL)
    return numbers.view(torch.int8) - 8, _half(blocks, 0), None


def q4_1(blocks: Tensor) -> Groups:
    """Unpack numbers from 0 to 15, their scale, and where they start."""
    numbers = _nibbles(blocks[:, 4:]).view(-1, 1, SMALL)
    return numbers, _half(blocks, 0), -_half(blocks, 2)


def q5_0(blocks: Tensor) -> Groups:
    """Unpack numbers from -16 to 15 and their scale."""
    numbers = _nibbles(blocks[:, 6:]) | (_fifth_bits(blocks[:, 2:6]) << 4)
    numbers = numbers.view(torch.int8).view(-1, 1, SMALL) - 16
    return numbers, _half(blocks, 0), None


def q5_1(blocks: Tensor) -> Groups:
    """Unpack numbers from 0 to 31, their scale, and where they start."""
    numbers = _nibbles(blocks[:, 8:]) | (_fifth_bits(blocks[:, 4:8]) << 4)
    return numbers.view(-1, 1, SMALL), _half(blocks, 0), -_half(blocks, 2)


def q8_0(blocks: Tensor) -> Groups:
    """Unpack numbers from -128 to 127 and their scale."""
    return blocks[:, None, 2:].view(torch.int8), _half(blocks, 0), None


def q2_k(blocks: Tensor) -> Groups:
    """Unpack numbers from 0 to 3 in groups of 16, each with a scale and a start."""
    groups = blocks[:, :16]
    numbers = _pairs(blocks[:, 16:80].view(-1, 2, 32)).reshape(-1, 16, 16)
    scales = (groups & 15).float() * _half(blocks, 80)
    return numbers, scales, (groups >> 4).float() * _half(blocks, 82)


def q3_k(blocks: Tensor) -> Groups:
    """Unpack numbers from -4 to 3 in groups of 16, each with a scale."""
    high = _bits(blocks[:, :32]).view(-1, 16, 16)
    numbers = _pairs(blocks[:, 32:96].view(-1, 2, 32)).reshape(-1, 16, 16)
    numbers = (numbers | (high << 2)).view(torch.int8) - 4
    scales = _nibbles(blocks[:, 96:104]).flatten(1)
    scales |= _pairs(blocks[:, 104:108]).flatten(1) << 4
    scales = scales.view(torch.int8) - 32
    return numbers, scales.float() * _half(blocks, 108), None


def _scales_of_6_bits(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Return scales and starts, (blocks, 8) each, of 12 bytes and what multiplies them.

    Of each word its four bytes are treated together.
    """
    first, second, rest = blocks[:, 4:16].contiguous().view(torch.int32).unbind(1)
    words = (
        first & SIXES,
        (rest & NIBBLES) | ((first >> 2) & UPPER),
        second & SIXES,
        ((rest >> 4) & NIBBLES) | ((second >> 2) & UPPER),
    )
    both = torch.stack(words, dim=1).view(torch.uint8).float()
    return both[:, :8] * _half(blocks, 0), both[:, 8:] * _half(blocks, 2)


def q4_k(blocks: Tensor) -> Groups:
    """Unpack numbers from 0 to 15 in groups of 32, each with a scale and a start."""
    numbers = _nibbles(blocks[:, 16:].view(-1, 4, 32)).view(-1, 8, 32)
    return numbers, *_scales_of_6_bits(blocks)


def q5_k(blocks: Tensor) -> Groups:
    """Unpack numbers from 0 to 31 in groups of 32, each with a scale and a start."""
    numbers = _nibbles(blocks[:, 48:].view(-1, 4, 32)).view(-1, 8, 32)
    numbers |= _bits(blocks[:, 16:48]) << 4
    return numbers, *_scales_of_6_bits(blocks)


def q6_k(blocks: Tensor) -> Groups:
    """Unpack numbers from -32 to 31 in groups of 16, each with a scale."""
    numbers = _nibbles(blocks[:, :128].view(-1, 2, 64)).view(-1, 16, 16)
    numbers |= _pairs(blocks[:, 128:192].view(-1, 2, 32)).view(-1, 16, 16) << 4
    scales = blocks[:, 192:208].view(torch.int8).float() * _half(blocks, 208)
    return numbers.view(torch.int8) - 32, scales, None


def iq4_nl(blocks: Tensor) -> Groups:
    """Unpack sixteen uneven numbers and their scale."""
    numbers = meant(UNEVEN, _nibbles(blocks[:, 2:]).view(-1, 1, SMALL))
    return numbers, _half(blocks, 0), None


def iq4_xs(blocks: Tensor) -> Groups:
    """Unpack sixteen uneven numbers in groups of 32, each with a scale."""
    low = _nibbles(blocks[:, 4:8]).mT.flatten(1)
    high = _pairs(blocks[:, 2:4]).mT.flatten(1)
    scales = (low | (high << 4)).view(torch.int8) - 32
    numbers = _nibbles(blocks[:, 8:].view(-1, 8, 16)).flatten(2)
    return meant(UNEVEN, numbers), scales.float() * _half(blocks, 0), None


def _row(
    name: str, numbers: int, size: int, unpack: Callable[[Tensor], Groups]
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
