"""Weights of 8 bits as those of more, which a CPU turns them into one by one.

The types: Micikevicius et al. 2022 (arXiv:2209.05433).
"""

import torch
from torch import Tensor

EIGHT_BITS = (torch.float8_e4m3fn, torch.float8_e5m2)
"""4 bits of exponent and 3 of fraction, and 5 and 2."""
LEAST = 256.0
"""How much larger numbers with 4 bits of exponent are than those with 5 whose bits are
the same, as these begin at smaller ones."""
NAN, NEGATIVE_NAN = 0x7F, 0xFF
"""What stands for no number with 4 bits of exponent, where a finite one would else be
as `longer` reads it; it has the most of all bits, with a sign and without."""
SIGN_AND_REST = -0x4080
"""All bits of 16 but the first of the exponent and the last ones of the fraction."""


def longer(weight: Tensor) -> tuple[Tensor, float]:
    """Return weights in a type of more bits, and what they are to be multiplied by.

    A CPU turns those of 8 bits into others one by one. Their bits are those of numbers
    of 16 bits, which it does several of at a time; finite ones come out the same.
    """
    if weight.dtype not in EIGHT_BITS:
        return weight, 1.0
    if weight.device.type != "cpu":
        return weight.half(), 1.0
    bits = weight.view(torch.int8).to(torch.int16)
    if weight.dtype == torch.float8_e5m2:
        return bits.bitwise_left_shift_(8).view(torch.float16), 1.0
    bits = bits.bitwise_left_shift_(7).bitwise_and_(SIGN_AND_REST)
    return bits.view(torch.float16), LEAST


def holds_nan(weight: Tensor) -> bool:
    """Tell whether weights hold what `longer` would take for numbers."""
    if weight.dtype != torch.float8_e4m3fn or not weight.numel():
        return False
    most = weight.view(torch.int8).max(), weight.view(torch.uint8).max()
    return most[0].item() == NAN or most[1].item() == NEGATIVE_NAN


def typed(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Return weights of any type in another."""
    if weight.dtype not in EIGHT_BITS or weight.device.type != "cpu":
        return weight.to(dtype)
    numbers, least = longer(weight)
    return numbers.float().mul_(least).to(dtype)
