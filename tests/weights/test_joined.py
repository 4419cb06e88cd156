"""Packed weights that lie in several tensors of a file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.weights.packed import Packed
from imaginairy.weights.weightfile import open_weights

BITSANDBYTES = Path(__file__).parent / "data" / "four_bits.npz"
"""Weights of rows of 64 as bitsandbytes 0.50 packs them, and its last eight rows."""
Named = dict[str, Tensor]


def four_bits(kind: str = "nf4", how: str = "plain") -> tuple[Named, Tensor]:
    """Return what a weight lies in, and the last eight rows that come of it."""
    start = f"{kind}.{how}."
    with np.load(BITSANDBYTES) as known:
        named = {
            f"a.{name.removeprefix(start)}": torch.from_numpy(known[name])
            for name in known.files
            if name.startswith(start)
        }
    return named, named.pop("a.last")


def eight_bits(scale: str = ".scale_weight", rows: int = 1, **more: Tensor) -> Named:
    weight = torch.randn(6, 20).to(torch.float8_e4m3fn)
    by = torch.rand(rows, *(() if rows == 1 else (1,))) + 0.1
    return {"a.weight": weight, f"a{scale}": by, "a.bias": torch.ones(6), **more}


@pytest.mark.parametrize("hollow", [False, True])
@pytest.mark.parametrize("how", ["plain", "nested"])
@pytest.mark.parametrize("kind", ["nf4", "fp4"])
def test_four_bits_are_what_bitsandbytes_makes_of_them(
    kind: str, how: str, hollow: bool, tmp_path: Path
) -> None:
    named, wanted = four_bits(kind, how)
    save_file(named, tmp_path / "x.safetensors")
    opened = open_weights(tmp_path / "x.safetensors", hollow=hollow)
    assert opened.packed == {"a.weight": kind}
    (name,) = opened.shapes
    weight = opened.read(name)
    assert isinstance(weight, Packed) and weight.shape == opened.shapes[name]
    assert torch.equal(weight[-8:].unpacked(), wanted)
    assert weight.nbytes * 7 < weight.unpacked().nbytes


@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("scale", [".scale_weight", ".weight_scale"])
def test_eight_bits_are_multiplied(scale: str, rows: int, tmp_path: Path) -> None:
    """What is said of the input, and that there are scales at all, is passed over."""
    named = eight_bits(scale, rows)
    said = json.dumps({"format": "float8_e4m3fn"}).encode()
    marks = {
        "scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn),
        "a.scale_input": torch.ones(()),
        "a.comfy_quant": torch.tensor([*said], dtype=torch.uint8),
    }
    save_file({f"net.{k}": v for k, v in {**named, **marks}.items()}, tmp_path / "x.st")
    opened = open_weights(tmp_path / "x.st").below("net.")
    assert {*opened.shapes} == {"a.weight", "a.bias"}
    assert opened.packed == {"a.weight": "scaled float8_e4m3fn"}
    assert torch.equal(opened.read("a.bias"), named["a.bias"])
    weight, wanted = opened.read("a.weight"), named["a.weight"].float()
    wanted *= named[f"a{scale}"].view(-1, 1)
    opened.rest()
    assert isinstance(weight, Packed) and weight.nbytes < wanted.nbytes / 2
    assert torch.equal(weight.unpacked(), wanted)
    assert torch.equal(weight[2:5].unpacked(), wanted[2:5])


def test_others_stay_as_they_are(tmp_path: Path) -> None:
    """A scale beside a weight that is none in 8 bits is left where it is."""
    named = eight_bits()
    named["a.weight"] = named["a.weight"].half()
    save_file(named, tmp_path / "x.safetensors")
    opened = open_weights(tmp_path / "x.safetensors")
    assert {*opened.shapes} == {*named} and not opened.packed
    save_file({"scaled_fp8": torch.zeros(0), "a": torch.ones(1)}, tmp_path / "y.st")
    assert {*open_weights(tmp_path / "y.st").shapes} == {"a"}


def state(**said: Any) -> Named:
    whole = {"quant_type": "nf4", "blocksize": 64, "shape": [8, 64], **said}
    text = json.dumps(whole).encode()
    name = "a.weight.quant_state.bitsandbytes__nf4"
    return {name: torch.tensor([*text], dtype=torch.uint8)}


BROKEN: dict[str, Named] = {
    "shape": state(shape=[8, 65]),
    "large": state(shape=[2**40, 2**40]),
    "minus": state(shape=[-8, -64]),
    "no shape": state(shape=None),
    "block": state(blocksize=48),
    "type": state(quant_type="nf5"),
    "largest": {"a.weight.absmax": torch.ones(7)},
    "packed largest": {"a.weight.absmax": torch.ones(8, dtype=torch.uint8)},
    "meaning": {"a.weight.quant_map": torch.ones(15)},
    "weight": {"a.weight": torch.ones(256, 1)},
    "nested": {"a.weight.nested_absmax": torch.ones(1)},
    **{
        f"{name} state": {"a.weight.quant_state.bitsandbytes__nf4": tensor}
        for name, tensor in {
            "no": torch.tensor([*b"none"], dtype=torch.uint8),
            "listed": torch.tensor([*b"[1]"], dtype=torch.uint8),
            "deep": torch.tensor([*b"[" * 9000], dtype=torch.uint8),
            "long": torch.zeros(10_001, dtype=torch.uint8),
            "other": torch.ones(9),
        }.items()
    },
}


@pytest.mark.parametrize("hollow", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_belong_together_is_refused(
    name: str, hollow: bool, tmp_path: Path
) -> None:
    named, _ = four_bits()
    save_file({**named, **BROKEN[name]}, tmp_path / "x.safetensors")
    with pytest.raises(
        CheckpointError, match=r"(do not belong together; |' has \w+ ')"
    ):
        open_weights(tmp_path / "x.safetensors", hollow=hollow)


@pytest.mark.parametrize(
    "scale", [torch.ones(5), torch.ones(6, 20), torch.ones(1, dtype=torch.uint8)]
)
def test_scales_of_other_sizes_are_refused(scale: Tensor, tmp_path: Path) -> None:
    save_file({**eight_bits(), "a.scale_weight": scale}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=r"packs 'a\.weight' in several tensors"):
        open_weights(tmp_path / "x.safetensors")
