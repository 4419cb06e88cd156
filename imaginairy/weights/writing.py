"""Safetensors files written tensor by tensor, the header first.

So no more than one tensor is in memory at a time, however large the file becomes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from imaginairy.weights.assemble import MAPPED
from imaginairy.weights.stored import Shape
from imaginairy.weights.weightfile import SAFETENSORS_TYPES

TYPE_NAMES = {dtype: name for name, dtype in SAFETENSORS_TYPES.items()}
ORDER = (
    "I64", "F64", "F32", "I32", "BF16", "F16", "I16", "F8_E4M3", "F8_E5M2", "I8", "U8",
    "BOOL",
)  # fmt: skip
"""In which order types lie in a file, wide ones first: so each number lies where a
processor can read it. It is that of the safetensors library."""
ALIGNED = 8
"""The data begin at a multiple of so many bytes."""
FORMAT = {"format": "pt"}
"""What other libraries ask of a file before they read it."""


@dataclass(frozen=True)
class Piece:
    """A tensor of a file to be written."""

    name: str
    shape: Shape
    dtype: torch.dtype
    make: Callable[[], Tensor]
    """Gives it, when it is its turn."""

    @property
    def size(self) -> int:
        """Its bytes."""
        return prod(self.shape) * self.dtype.itemsize

    @classmethod
    def of(cls, name: str, tensor: Tensor) -> "Piece":
        """Return a tensor that is in memory."""
        return cls(name, tuple(tensor.shape), tensor.dtype, lambda: tensor)


def header_of(pieces: Sequence[Piece], metadata: Mapping[str, str]) -> bytes:
    """Return how a file of these tensors begins, in the order of `in_order`."""
    said: dict[str, object] = {
        "__metadata__": dict(sorted({**FORMAT, **metadata}.items()))
    }
    offset = 0
    for piece in in_order(pieces):
        said[piece.name] = {
            "dtype": TYPE_NAMES[piece.dtype],
            "shape": list(piece.shape),
            "data_offsets": [offset, offset + piece.size],
        }
        offset += piece.size
    text = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGNED)
    return len(text).to_bytes(8, "little") + text


def in_order(pieces: Sequence[Piece]) -> list[Piece]:
    """Return tensors as they lie in a file: by their type and then by name."""
    rank = {name: number for number, name in enumerate(ORDER)}
    return sorted(pieces, key=lambda each: (rank[TYPE_NAMES[each.dtype]], each.name))


def size_written(pieces: Sequence[Piece], metadata: Mapping[str, str]) -> int:
    """Return how many bytes a file of these tensors has."""
    return len(header_of(pieces, metadata)) + sum(piece.size for piece in pieces)


def write_safetensors(
    path: Path,
    pieces: Sequence[Piece],
    metadata: Mapping[str, str],
    *,
    rest: Callable[[], None] = lambda: None,
    written: Callable[[int], None] = lambda count: None,
) -> None:
    """Write a file of tensors; each is made when it is its turn, and let go.

    Args:
        rest: called now and then, to give back the memory of what tensors are made of.
        written: told how many bytes were written since it was last called.
    """
    mapped = 0
    with path.open("wb") as file:
        file.write(header := header_of(pieces, metadata))
        written(len(header))
        for piece in in_order(pieces):
            file.write(bytes_of(piece))
            written(piece.size)
            mapped += piece.size
            if mapped > MAPPED:
                rest()
                mapped = 0
    rest()


def bytes_of(piece: Piece) -> memoryview:
    """Make a tensor, as it lies in a file.

    Raises:
        ValueError: it is not what was announced of it.
    """
    tensor = piece.make()
    if (tuple(tensor.shape), tensor.dtype) != (piece.shape, piece.dtype):
        raise ValueError(
            f"{piece.name} became {tuple(tensor.shape)} of {tensor.dtype}, not "
            f"{piece.shape} of {piece.dtype}"
        )
    if not piece.size:
        return memoryview(b"")
    flat = tensor.contiguous().reshape(-1).view(torch.uint8)
    return flat.numpy().data
