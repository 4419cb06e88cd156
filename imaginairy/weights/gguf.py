"""The header of a GGUF file (version 2 or 3), which lists packed tensors.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from imaginairy.errors import CheckpointError

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
    20: "IQ4_NL", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
    30: "BF16",
}  # fmt: skip
"""How tensors are stored."""
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


def _header(file: IO[bytes]) -> Gguf:
    if file.read(4) != MAGIC or _read(file, "I") not in VERSIONS:
        raise ValueError("no GGUF of a known version")
    tensors, values = _count(file), _count(file)
    metadata: dict[str, Any] = {}
    for _ in range(values):
        name = _text(file)
        metadata[name] = _value(file, _read(file, "I"))
    shapes, types = {}, {}
    for _ in range(tensors):
        name = _text(file)
        axes = [_read(file, "Q") for _ in range(_read(file, "I"))]
        shapes[name] = tuple(metadata.get(ORIGINAL + name) or axes[::-1])
        if any(type(side) is not int or side < 0 for side in shapes[name]):
            raise ValueError("sides that are no numbers of things")
        kind = _read(file, "I")
        types[name] = TYPES.get(kind, f"type {kind}")
        _read(file, "Q")  # where it lies
    return Gguf(shapes, types, metadata)


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
