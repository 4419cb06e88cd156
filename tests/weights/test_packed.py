"""Weights that stay packed, as whoever computes with them sees them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from imaginairy.networks.layers import Conv2d, Embedding, Linear
from imaginairy.weights.blocks import BLOCKS
from imaginairy.weights.packed import Packed
from imaginairy.weights.packing import PACKS
from tests.support.golden import CPU

BLOCKS_OF_GGML = Path(__file__).parent / "data" / "blocks.npz"
"""Blocks of each type and their numbers, unpacked by the package gguf 0.19."""


def packed(
    *shape: int, kind: str = "Q8_0", dtype: torch.dtype = torch.float32
) -> Packed:
    blocks = PACKS[kind](torch.randn(shape, generator=torch.manual_seed(1)))
    return Packed(BLOCKS[kind][1], (blocks,), shape, dtype)


@pytest.mark.parametrize("kind", BLOCKS)
def test_blocks_unpack_to_the_numbers_that_others_find(kind: str) -> None:
    with np.load(BLOCKS_OF_GGML) as known:
        blocks, numbers = (torch.tensor(known[kind + x]) for x in ("", ".numbers"))
    size, packing = BLOCKS[kind]
    assert blocks.shape[1] == size and numbers.shape[1] == packing.numbers
    assert torch.equal(packing.unpack(blocks), numbers)
    tensor = Packed(packing, (blocks,), (2, 256))
    assert torch.equal(tensor.unpacked(torch.bfloat16), numbers.view(2, 256).bfloat16())


@pytest.mark.parametrize(("kind", "most"), [("Q8_0", 0.006), ("Q4_K", 0.0715)])
def test_what_is_packed_is_nearly_what_it_was(kind: str, most: float) -> None:
    weight = 0.02 * torch.randn(64, 512, generator=torch.manual_seed(1))
    for each in (weight, weight.half(), weight + 0.05, -weight.abs(), 0 * weight):
        tensor = Packed(BLOCKS[kind][1], (PACKS[kind](each),), (64, 512))
        off = (tensor - each).norm() / max(float(each.norm()), 1e-9)
        assert off <= most


def test_much_is_unpacked_bit_by_bit() -> None:
    many = torch.randn(600, 1024)
    whole = Packed(BLOCKS["Q8_0"][1], (PACKS["Q8_0"](many),), (600, 1024))
    unpacked = whole.unpacked()
    assert torch.equal(unpacked[500:], whole[500:].unpacked())
    assert (unpacked - many).abs().max() < 0.03


@pytest.mark.parametrize("inference", [False, True])
def test_rows_shapes_and_places_stay_packed(inference: bool) -> None:
    """Also where nothing is learnt, of weights that were loaded before."""
    whole = packed(6, 4, 16)
    plain = whole.unpacked()
    with torch.inference_mode(inference):
        stays_packed(whole, plain)


def stays_packed(whole: Packed, plain: torch.Tensor) -> None:
    assert whole.nbytes == 6 * 2 * 34 < plain.nbytes / 3
    for ours, wanted in (
        (whole[2:4], plain[2:4]),
        (whole[-1:], plain[-1:]),
        (whole[4:2], plain[4:2]),
        (whole.view(12, 32), plain.reshape(12, 32)),
        (whole.view(6, 64)[1:], plain.flatten(1)[1:]),
        (whole.detach().to("cpu"), plain),
        (whole.to(whole.dtype), plain),
        (whole.to(plain, copy=True), plain),
        (whole.cpu(), plain),
        (nn.Parameter(whole, requires_grad=False), plain),
        (torch.empty_like(whole).copy_(whole), plain),
    ):
        assert isinstance(ours, Packed) and ours.shape == wanted.shape
        assert torch.equal(ours.unpacked(), wanted)
    meta = whole.to("meta")
    assert isinstance(meta, Packed) and meta.parts[0].is_meta
    assert not whole.is_pinned()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_a_cpu_multiplies_by_some_rows_after_the_others(
    dtype: torch.dtype, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imaginairy.weights.packed.TOGETHER", 64 * rows)
    monkeypatch.setattr("imaginairy.weights.packed.AT_ONCE", 64)
    weight, x = packed(8, 64, dtype=dtype), torch.randn(2, 5, 64, dtype=dtype)
    near = 1e-5 if dtype is torch.float32 else 2e-2
    with torch.inference_mode():
        for bias in (None, torch.randn(8, dtype=dtype)):
            wanted = F.linear(x, weight.unpacked(), bias)
            given = F.linear(x, weight, bias)
            assert given.shape == (2, 5, 8) and given.dtype is dtype
            assert torch.allclose(given, wanted, rtol=near, atol=near)


def test_what_is_not_whole_blocks_is_unpacked() -> None:
    whole = packed(6, 16)
    plain = whole.unpacked()
    for ours, wanted in (
        (whole[1:3], plain[1:3]),
        (whole[:, 2:], plain[:, 2:]),
        (whole[::2], plain[::2]),
        (whole.T, plain.T),
        (whole.half(), plain.half()),
        (whole.to("cpu", torch.float64), plain.double()),
        (whole + 1, plain + 1),
        (torch.zeros(6, 16).copy_(whole), plain),
        (torch.empty_like(whole, dtype=torch.float64).zero_(), 0 * plain.double()),
        (F.embedding(torch.tensor([5, 0]), whole), plain[[5, 0]]),
    ):
        assert not isinstance(ours, Packed) and torch.equal(ours, wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layers_compute_with_it_as_with_its_numbers(dtype: torch.dtype) -> None:
    x = torch.randn(2, 5, 64, dtype=dtype)
    maps = torch.randn(1, 32, 4, 4, dtype=dtype)
    numbers = torch.tensor([[3, 0, 9]])
    for layer, input, shape in (
        (Linear(64, 8), x, (8, 64)),
        (Conv2d(32, 4, 3, padding=1), maps, (4, 32, 3, 3)),
        (Embedding(10, 64), numbers, (10, 64)),
    ):
        layer = layer.to(dtype)
        weight = packed(*shape, dtype=dtype)
        layer.weight = nn.Parameter(weight.unpacked(dtype), requires_grad=False)
        with torch.inference_mode():
            wanted = layer(input)
        layer.load_state_dict({**layer.state_dict(), "weight": weight}, assign=True)
        layer.requires_grad_(False)
        assert isinstance(layer.weight, Packed) and layer.weight.device == CPU
        with torch.inference_mode():
            assert torch.equal(layer(input), wanted)
        assert wanted.dtype is dtype
