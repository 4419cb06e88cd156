"""Small files of tensors of every kind, and how they are read or refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.weights.weightfile import Tensors, open_weights

TENSORS = {
    "a.weight": torch.arange(12.0).view(3, 4),
    "a.bias": torch.tensor([1.5, -2.0, 0.25]),
    "half": torch.tensor([1.0, 2.0], dtype=torch.float16),
    "brain": torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
    "number": torch.tensor(7),
    "none": torch.empty(0, 3),
}


def write_safetensors(path: Path) -> None:
    save_file(TENSORS, path)


def write_zip(path: Path) -> None:
    torch.save({"state_dict": TENSORS}, path)


def write_legacy(path: Path) -> None:
    torch.save({"state_dict": TENSORS}, path, _use_new_zipfile_serialization=False)


STARTS = (b"", b"PK\x03\x04", b"\x80\x02", b"{", b"\x40\0\0\0\0\0\0\0{")
WRITERS = {
    "safetensors": write_safetensors,
    "zip": write_zip,
    "legacy": write_legacy,
}
each_kind = pytest.mark.parametrize("write", WRITERS.values(), ids=list(WRITERS))


def assert_holds(opened: Tensors, tensors: dict[str, Tensor]) -> None:
    assert opened.shapes == {name: tuple(t.shape) for name, t in tensors.items()}
    for name, tensor in tensors.items():
        read = opened.read(name)
        assert read.dtype == tensor.dtype
        assert torch.equal(read, tensor), name


def refusal(path: Path) -> str:
    """Return the one-line message with which a file is refused."""
    with pytest.raises(CheckpointError) as caught:
        open_weights(path)
    message = str(caught.value)
    assert message.startswith(f"'{path}'"), message
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < len(str(path)) + 250, message
    return message
