"""Tensors of ours that lie in a file under names, in parts or turned."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from imaginairy.errors import CheckpointError
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names, Stored, as_stored, stored_as
from imaginairy.weights.weightfile import open_weights

NAMES: Names = {
    "norm": "ln",
    "query.weight": "in_weight[0/2]",
    "value.weight": "in_weight[1/2]",
    "query.bias": "in_bias[0/2]",
    "value.bias": "in_bias[1/2]",
    "out.weight": "projection[T]",
    "pixel.weight": "conv.weight[1x1]",
    "pixel.bias": "conv.bias",
    "": "whole",
}


class Small(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, 2)
        self.value = nn.Linear(width, 2)
        self.out = nn.Linear(width, 5, bias=False)
        self.pixel = nn.Linear(width, 4)


@pytest.mark.parametrize(
    ("ours", "place"),
    [
        ("norm.bias", Stored("ln.bias")),
        ("query.weight", Stored("in_weight", 0, 2)),
        ("value.bias", Stored("in_bias", 1, 2)),
        ("out.weight", Stored("projection", turned=True)),
        ("pixel.weight", Stored("conv.weight", convolves=True)),
        ("scale", Stored("whole.scale")),
    ],
)
def test_a_name_says_where_a_tensor_lies(ours: str, place: Stored) -> None:
    assert stored_as(ours, NAMES) == place


def file_of(tensors: dict[str, Tensor], folder: Path) -> Part:
    save_file(tensors, folder / "small.safetensors")
    return Part(Small, 3, open_weights(folder / "small.safetensors"), NAMES)


def loaded(part: Part) -> Any:
    return part.load(torch.device("cpu"), torch.float32)


def test_what_is_stored_is_loaded_again(tmp_path: Path) -> None:
    ours = Small(3).state_dict()
    stored = as_stored(ours, NAMES)
    assert {name: tuple(tensor.shape) for name, tensor in stored.items()} == {
        "ln.weight": (3,),
        "ln.bias": (3,),
        "in_weight": (4, 3),
        "in_bias": (4,),
        "projection": (3, 5),
        "conv.weight": (4, 3, 1, 1),
        "conv.bias": (4,),
    }
    again = loaded(file_of(stored, tmp_path)).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in ours.items())


def test_a_tensor_that_holds_several_is_named_once_where_it_does_not_fit(
    tmp_path: Path,
) -> None:
    stored = as_stored(Small(3).state_dict(), NAMES)
    stored["in_weight"] = torch.zeros(6, 3)
    stored["projection"] = torch.zeros(5, 3)
    stored["conv.weight"] = torch.zeros(4, 3)  # which is as good
    del stored["in_bias"]
    with pytest.raises(CheckpointError) as caught:
        loaded(file_of(stored, tmp_path))
    assert "1 missing (in_bias); 2 misshapen (" in str(caught.value)
    assert "in_weight is (6, 3) instead of (4, 3)" in str(caught.value)
    assert "projection is (5, 3) instead of (3, 5)" in str(caught.value)
