"""GGUF files (version 2 or 3), whose tensors may be packed.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import io
import mmap
import struct
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.weights.blocks import BLOCKS
from imaginairy.weights.packed import Packed
from imaginairy.weights.tensors import Tensors

MAGIC = b"GGUF"
VERSIONS = (2, 3)
SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
    12: "d",
}  # fmt: skip
"""Types of values, as `struct` calls them."""
TEXT, ARRAY = 8, 9
TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0",
    9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K",
    16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
    29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4",
}  # fmt: skip
"""How tensors are stored."""
PLAIN = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
}
"""Those that are not packed."""
ALIGNMENT, USUALLY = "general.alignment", 32
"""What says of how many bytes each tensor's place is a multiple, and what that is."""
ORIGINAL = "comfy.gguf.orig_shape."
"""What says the shape of a tensor that was laid out otherwise."""
LONGEST = 16_000_000
"""Bytes of the header that are read."""
MOST_KEPT = 1000
"""Of longer lists, which are vocabularies, nothing is kept."""
MOST = 1_000_000
"""More tensors, values or letters than any such file has."""


@dataclass(frozen=True)
class Gguf:
    """What a file says of itself before its tensors."""

    shapes: dict[str, tuple[int, ...]]
    types: dict[str, str]
    metadata: dict[str, Any]
    """Values by their names."""
    places: dict[str, int]
    """Where each tensor begins, in bytes of the file."""


def read_gguf(path: Path) -> Gguf:
    """Read the header of a GGUF file.

    Raises:
        CheckpointError: it is cut short, broken or of another version.
    """
    try:
        with path.open("rb") as file:
            return _header(io.BytesIO(file.read(LONGEST)))
    except (struct.error, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"'{path}' is a GGUF file whose header cannot be read; download it again."
        ) from error


class GgufTensors(Tensors):
    """The tensors of a GGUF file, views of the mapped file; packed ones stay packed.

    Args:
        hollow: only names, shapes and types are needed, of whatever type they are.

    Raises:
        CheckpointError: the file is cut short or broken, or packs tensors in a way
            that is not read.
    """

    def __init__(self, path: Path, *, hollow: bool = False) -> None:
        header = read_gguf(path)
        super().__init__(str(path), header.shapes)
        self.called, self.places = header.types, header.places
        self.types = {
            name: PLAIN.get(kind, torch.float32) for name, kind in self.called.items()
        }
        self.packed = {k: v for k, v in self.called.items() if v not in PLAIN}
        self.metadata = {
            name: str(value)
            for name, value in header.metadata.items()
            if isinstance(value, str | int | float)
        }
        if not header.shapes:
            raise CheckpointError(f"'{path}' holds no tensors.")
        if not hollow:
            self._require_known()
        self._require_whole(path.stat().st_size)

    def _require_known(self) -> None:
        unknown = Counter(how for how in self.packed.values() if how not in BLOCKS)
        if unknown:
            raise CheckpointError(
                f"'{self.origin}' holds tensors of type {', '.join(sorted(unknown))}; "
                f"only {', '.join((*PLAIN, *BLOCKS))} are read; take a file of one of "
                "these."
            )

    def _require_whole(self, size: int) -> None:
        for name, place in self.places.items():
            rest = place + self._size(name) - size
            if rest > 0 or prod(self.shapes[name]) % self._together(name):
                raise CheckpointError(
                    f"'{self.origin}' is a GGUF file that is cut short or broken: "
                    f"{name[:80]!r} does not lie in it as its header says; download it "
                    "again."
                )

    def _together(self, name: str) -> int:
        """Return how many numbers of a tensor are packed together."""
        kind = self.called[name]
        return BLOCKS[kind][1].numbers if kind in BLOCKS else 1

    def _size(self, name: str) -> int:
        """Return how many bytes a tensor takes, of one of an unknown type 0."""
        numbers, kind = prod(self.shapes[name]), self.called[name]
        if kind in PLAIN:
            return numbers * PLAIN[kind].itemsize
        size = BLOCKS[kind][0] if kind in BLOCKS else 0
        return numbers // self._together(name) * size

    @cached_property
    def map(self) -> mmap.mmap:
        """The file, mapped."""
        with Path(self.origin).open("rb") as raw:
            return mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_COPY)

    def read(self, name: str) -> Tensor:
        shape, kind, size = self.shapes[name], self.called[name], self._size(name)
        if kind not in (*PLAIN, *BLOCKS):
            self._require_known()
        if not size:
            return torch.empty(shape, dtype=self.types[name])
        data = torch.frombuffer(
            self.map, dtype=torch.uint8, count=size, offset=self.places[name]
        )
        if kind not in PLAIN:
            bytes_of_each, packing = BLOCKS[kind]
            return Packed(packing, (data.view(-1, bytes_of_each),), shape)
        if self.places[name] % PLAIN[kind].itemsize:  # lies askew
            data = data.clone()
        return data.view(PLAIN[kind]).view(shape)

    def rest(self) -> None:
        if hasattr(mmap, "MADV_DONTNEED"):
            self.map.madvise(mmap.MADV_DONTNEED)


def _header(file: IO[bytes]) -> Gguf:
    if file.read(4) != MAGIC or _read(file, "I") not in VERSIONS:
        raise ValueError("no GGUF of a known version")
    tensors, values = _count(file), _count(file)
    metadata: dict[str, Any] = {}
    for _ in range(values):
        name = _text(file)
        metadata[name] = _value(file, _read(file, "I"))
    shapes, types, places = {}, {}, {}
    for _ in range(tensors):
        name = _text(file)
        axes = [_read(file, "Q") for _ in range(_read(file, "I"))]
        shapes[name] = tuple(metadata.get(ORIGINAL + name) or axes[::-1])
        if any(type(side) is not int or side < 0 for side in shapes[name]):
            raise ValueError("sides that are no numbers of things")
        if prod(shapes[name]) != prod(axes):
            raise ValueError("numbers that are lost by another shape")
        kind = _read(file, "I")
        types[name] = TYPES.get(kind, f"type {kind}")
        places[name] = _read(file, "Q")
    aligned = metadata.get(ALIGNMENT, USUALLY)
    if type(aligned) is not int or aligned < 1:
        raise ValueError("places that are a multiple of nothing")
    start = -(-file.tell() // aligned) * aligned
    places = {name: start + place for name, place in places.items()}
    return Gguf(shapes, types, metadata, places)


def _value(file: IO[bytes], kind: int) -> Any:
    if kind == TEXT:
        return _text(file)
    if kind != ARRAY:
        return _read(file, SCALARS[kind])
    kind, length = _read(file, "I"), _count(file)
    if kind == ARRAY:
        raise ValueError("lists of lists")
    if length > MOST_KEPT and kind != TEXT:
        file.seek(length * struct.calcsize(SCALARS[kind]), io.SEEK_CUR)
        return None
    kept: list[Any] = []
    for _ in range(length):
        value = _value(file, kind)
        if length <= MOST_KEPT:
            kept.append(value)
    return kept or None


def _text(file: IO[bytes]) -> str:
    length = _count(file)
    data = file.read(length)
    if len(data) < length:
        raise ValueError("cut short")
    return data.decode()


def _count(file: IO[bytes]) -> int:
    number = int(_read(file, "Q"))
    if number > MOST:
        raise ValueError("too many")
    return number


def _read(file: IO[bytes], kind: str) -> Any:
    return struct.unpack(f"<{kind}", file.read(struct.calcsize(f"<{kind}")))[0]
