"""GGUF files written tensor by tensor, the header first.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from imaginairy.weights.assemble import MAPPED
from imaginairy.weights.blocks import BLOCKS
from imaginairy.weights.gguf import MAGIC, PLAIN, TEXT, TYPES, USUALLY, VERSIONS
from imaginairy.weights.stored import Shape

NUMBERS = {name: number for number, name in TYPES.items()}
KINDS = {dtype: name for name, dtype in PLAIN.items()}
"""What types of tensors that are not packed are called."""
WHOLE = 4
"""The type of a value that is a whole number."""


@dataclass(frozen=True)
class Laid:
    """A tensor of a file to be written."""

    name: str
    shape: Shape
    kind: str
    """How it is stored, such as `Q8_0` or `F16`."""
    make: Callable[[], Tensor]
    """Gives it when it is its turn; a packed one as (blocks, bytes of each)."""

    @property
    def size(self) -> int:
        """Its bytes."""
        if self.kind in PLAIN:
            return prod(self.shape) * PLAIN[self.kind].itemsize
        size, packing = BLOCKS[self.kind]
        return prod(self.shape) // packing.numbers * size

    @classmethod
    def of(cls, name: str, tensor: Tensor) -> "Laid":
        """Return a tensor that is in memory, as it is."""
        return cls(name, tuple(tensor.shape), KINDS[tensor.dtype], lambda: tensor)


def gguf_header(pieces: Sequence[Laid], said: Mapping[str, str | int]) -> bytes:
    """Return how a file of these tensors begins, up to where the first one lies.

    Args:
        said: what it says of itself.
    """
    data = MAGIC + struct.pack("<IQQ", VERSIONS[-1], len(pieces), len(said))
    for name, value in said.items():
        is_text = isinstance(value, str)
        data += _text(name) + struct.pack("<I", TEXT if is_text else WHOLE)
        data += _text(str(value)) if is_text else struct.pack("<I", value)
    places = accumulate((_aligned(piece.size) for piece in pieces), initial=0)
    for piece, place in zip(pieces, places, strict=False):  # and where the last ends
        axes, kind = piece.shape[::-1], NUMBERS[piece.kind]
        data += _text(piece.name) + struct.pack("<I", len(axes))
        data += struct.pack(f"<{len(axes)}QIQ", *axes, kind, place)
    return data + bytes(_aligned(len(data)) - len(data))


def size_in_blocks(pieces: Sequence[Laid], said: Mapping[str, str | int]) -> int:
    """Return how many bytes a file of these tensors has."""
    laid = sum(_aligned(piece.size) for piece in pieces)
    return len(gguf_header(pieces, said)) + laid


def write_gguf(
    path: Path,
    pieces: Sequence[Laid],
    said: Mapping[str, str | int],
    *,
    rest: Callable[[], None] = lambda: None,
    written: Callable[[int], None] = lambda count: None,
) -> None:
    """Write a file of tensors; each is made when it is its turn, and let go.

    Args:
        said: what the file says of itself.
        rest: called now and then, to give back the memory of what tensors are made of.
        written: told how many bytes were written since it was last called.
    """
    mapped = 0
    with path.open("wb") as file:
        file.write(header := gguf_header(pieces, said))
        written(len(header))
        for piece in pieces:
            flat = piece.make().contiguous().reshape(-1).view(torch.uint8)
            if len(flat) != piece.size:
                raise ValueError(
                    f"{piece.name} has {len(flat)} bytes, not {piece.size}"
                )
            file.write(flat.numpy().data)
            file.write(bytes(_aligned(piece.size) - piece.size))
            written(_aligned(piece.size))
            mapped += piece.size
            if mapped > MAPPED:
                rest()
                mapped = 0
    rest()


def _aligned(size: int) -> int:
    return -(-size // USUALLY) * USUALLY


def _text(words: str) -> bytes:
    data = words.encode()
    return struct.pack("<Q", len(data)) + data
