"""Channels are turned alike with complex numbers and, where there are none, without."""

import pytest
import torch

from imaginairy.networks import tokens


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_ways_turn_alike(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = tokens.grid(3, 4, torch.device("cpu"))[None]
    by = tokens.turns(places, (4, 4), 100.0)
    x = torch.randn(2, 12, 5, 8, dtype=dtype).transpose(1, 2)
    with_complex = tokens.turned(x, by)
    monkeypatch.setattr(tokens, "INEXACT", ("cpu",))
    without = tokens.turned(x, by)
    assert with_complex.dtype is dtype and with_complex.shape == x.shape
    assert torch.allclose(with_complex, without, atol=1e-6)
    assert torch.equal(with_complex[:, :, 0], x[:, :, 0])
