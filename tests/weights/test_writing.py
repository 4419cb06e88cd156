"""Safetensors written tensor by tensor."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from imaginairy.weights.weightfile import SAFETENSORS_TYPES, open_weights
from imaginairy.weights.writing import Piece, size_written, write_safetensors

TENSORS = {
    name: torch.arange(6).reshape(2, 3).to(dtype)
    for name, dtype in SAFETENSORS_TYPES.items()
} | {
    "scalar": torch.tensor(2.5),
    "none": torch.empty(0, dtype=torch.bfloat16),
    "turned": torch.arange(6.0).reshape(2, 3).T,
    "größe": torch.ones(1, dtype=torch.uint8),
}
SAID = {"modelspec.title": 'a "fox"', "größe": "\n{}"}


PIECES = [Piece.of(*each) for each in TENSORS.items()]


def same(first: Tensor, second: Tensor) -> bool:
    if (first.shape, first.dtype) != (second.shape, second.dtype):
        return False
    return first.double().equal(second.double())


def test_what_is_written_is_read_again_by_us_and_by_the_library(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_safetensors(path, PIECES, SAID)
    theirs, ours = load_file(path), open_weights(path)
    assert theirs.keys() == ours.shapes.keys() == TENSORS.keys()
    assert all(same(theirs[name], tensor) for name, tensor in TENSORS.items())
    assert all(same(ours.read(name), tensor) for name, tensor in TENSORS.items())
    with safe_open(path, "pt") as file:
        assert file.metadata() == {**SAID, "format": "pt"}
    assert ours.metadata == {**SAID, "format": "pt"}


def test_tensors_lie_in_the_library_s_order_and_at_its_places(tmp_path: Path) -> None:
    named = {name: tensor.contiguous() for name, tensor in TENSORS.items()}
    save_file(named, tmp_path / "theirs.safetensors", {"format": "pt"})
    write_safetensors(tmp_path / "ours.safetensors", PIECES, {})
    theirs, ours = (
        (tmp_path / f"{name}.safetensors").read_bytes() for name in ("theirs", "ours")
    )
    start = 8 + int.from_bytes(theirs[:8], "little")
    assert ours[-len(theirs[start:]) :] == theirs[start:]
    assert (len(ours) - len(theirs[start:])) % 8 == 0


def test_how_large_it_becomes_is_known_before(tmp_path: Path) -> None:
    path, told = tmp_path / "a.safetensors", []
    write_safetensors(path, PIECES, SAID, written=told.append)
    assert size_written(PIECES, SAID) == path.stat().st_size == sum(told)


def test_each_tensor_is_made_when_it_is_its_turn(tmp_path: Path) -> None:
    path, there = tmp_path / "a.safetensors", []

    def make() -> Tensor:
        there.append(path.stat().st_size)
        return torch.zeros(2**16)

    pieces = [Piece(name, (2**16,), torch.float32, make) for name in "abc"]
    write_safetensors(path, pieces, {})
    first, second, third = there
    assert first < second < third < path.stat().st_size


def test_what_becomes_something_else_than_was_announced_is_a_fault(
    tmp_path: Path,
) -> None:
    wrong = Piece("a", (2,), torch.float16, lambda: torch.zeros(2))
    with pytest.raises(ValueError, match="a became"):
        write_safetensors(tmp_path / "a.safetensors", [wrong], {})
