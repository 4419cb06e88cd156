"""Weights of 8 bits become what torch makes of them."""

import pytest
import torch

from imaginairy.eight_bits import EIGHT_BITS, holds_nan, typed


@pytest.mark.parametrize("kind", EIGHT_BITS)
def test_all_finite_numbers_are_those_of_torch(kind: torch.dtype) -> None:
    every = torch.arange(256).to(torch.uint8).view(kind)
    finite = every.float().isfinite()
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        given = typed(every.view(16, 16).T, dtype).T.flatten()
        assert given.dtype is dtype
        assert torch.equal(given[finite], every.to(dtype)[finite])
    half = torch.randn(3).half()
    assert typed(half, torch.float16) is half


def test_what_is_no_number_is_noticed() -> None:
    every = torch.arange(256).to(torch.uint8)
    for number in every:
        one = number.view(1).view(torch.float8_e4m3fn)
        assert holds_nan(one) == bool(one.float().isnan())
    numbers = every.view(torch.float8_e4m3fn)
    assert holds_nan(numbers) and not holds_nan(numbers[:0x7F])
    assert not holds_nan(numbers[:0]) and not holds_nan(torch.tensor([torch.nan]))
