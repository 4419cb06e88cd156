"""What a picture file holds besides its picture, read without Pillow."""

import struct
from collections.abc import Iterator
from pathlib import Path

BARE = {
    b"\x89PNG": {"IHDR", "IDAT", "IEND"},
    b"\xff\xd8\xff\xe0": {"JFIF"},
}
"""The parts that a picture needs, by how its file begins."""
PROFILE = {"iCCP", "ICC_PROFILE"}
"""Those that say what its colours are."""


def parts(path: Path) -> set[str]:
    """Return the names of the chunks of a png, or of the segments of a jpg that are no
    part of the compressed picture.
    """
    data = path.read_bytes()
    return {*(_chunks(data) if data.startswith(b"\x89PNG") else _segments(data))}


def is_bare(path: Path) -> bool:
    """Tell whether a file holds nothing but a picture, and what its colours are."""
    return parts(path) - PROFILE == BARE[path.read_bytes()[:4]]


def _chunks(data: bytes) -> Iterator[str]:
    at = 8
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        yield name.decode()
        at += 12 + length


def _segments(data: bytes) -> Iterator[str]:
    at = 2
    while data[at : at + 2] != b"\xff\xda":
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xE0 <= marker <= 0xEF:
            yield data[at + 4 :].split(b"\0", 1)[0].decode()
        elif marker == 0xFE:
            yield "COM"
        at += 2 + length
    end = data.rindex(b"\xff\xd9")
    if data[end + 2 :]:
        yield "after the end"
