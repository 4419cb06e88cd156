"""Attention in half precision, whose largest number is 65504."""

import copy
from typing import Any

import pytest
import torch

from imaginairy.networks.layers import Attention
from tests.support.golden import assert_close, normal

HALVES = {torch.float16: 1e-3, torch.bfloat16: 8e-3}
"""What each may be off, as a share of the largest value: it rounds what it is given."""
SEEN = torch.arange(9) < 7
FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"causal": True},
    "masked": {"mask": SEEN.expand(2, 9)},
}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("form", FORMS)
@torch.inference_mode()
def test_scores_beyond_half_precision_are_weighed_as_in_full(
    dtype: torch.dtype, form: str
) -> None:
    """As those of Stable Diffusion 2.1 are, which drew black where they overflowed."""
    full = Attention(64, heads=1)
    for layer, factor in ((full.query, 64), (full.key, 64), (full.value, 1)):
        layer.weight.copy_(factor * torch.eye(64))  # so that nothing is rounded
    full.out.weight.copy_(torch.eye(64))
    full.out.bias.zero_()
    half = copy.deepcopy(full).to(dtype)
    x = normal("x", (2, 9, 64)).to(dtype)
    scores = full.query(x.float()) @ full.key(x.float()).transpose(1, 2)
    assert scores.abs().max() > 4 * torch.finfo(torch.float16).max
    wanted = full(x.float(), **FORMS[form])
    assert_close(half(x, **FORMS[form]).float(), wanted, HALVES[dtype])
