"""What hostile files are put together from."""

import struct
from collections.abc import Sequence

Tag = tuple[int, int, int, bytes | int]
"""A tag of a TIFF: its number, type, count, and value, or where that lies."""
SHORT, LONG, ASCII, UNDEFINED = 3, 4, 2, 7


def tiff(tags: Sequence[Tag], *, following: int = 0, behind: bytes = b"", big: bool = False,
         order: str = "<") -> bytes:  # fmt: skip
    """Return a TIFF, or the EXIF that has its form, of any tags."""
    mark = b"II" if order == "<" else b"MM"
    if big:
        head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16)
        parts = struct.pack(order + "Q", len(tags))
        width, layout = 8, "HHQ"
    else:
        head = mark + struct.pack(order + "HI", 42, 8)
        parts = struct.pack(order + "H", len(tags))
        width, layout = 4, "HHI"
    for number, kind, count, value in tags:
        if isinstance(value, int):
            code = "Q" if big else "I"
            if kind == SHORT and count == 1:
                value = struct.pack(order + "H", value & 0xFFFF)
            else:
                value = struct.pack(order + code, value)
        parts += struct.pack(order + layout, number, kind, count)
        parts += value.ljust(width, b"\0")[:width]
    return head + parts + struct.pack(order + ("Q" if big else "I"), following) + behind


def grey(*more: Tag, side: int = 64, compression: int = 1, bits: int = 8) -> list[Tag]:
    """Return the tags of a square of grey, with others in their place or beside them."""
    usual: dict[int, Tag] = {
        tag[0]: tag
        for tag in (
            (256, LONG, 1, side), (257, LONG, 1, side), (258, SHORT, 1, bits),
            (259, SHORT, 1, compression), (262, SHORT, 1, 1), (273, LONG, 1, 500),
            (277, SHORT, 1, 1), (278, LONG, 1, side),
            (279, LONG, 1, side * side * bits // 8),
        )
    }  # fmt: skip
    usual |= {tag[0]: tag for tag in more}
    return [usual[number] for number in sorted(usual)]


def segment(mark: int, data: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return b"\xff" + bytes([mark]) + struct.pack(">H", len(data) + 2) + data


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Put segments behind the start of a JPEG."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box of ISO 14496-12."""
    data = b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + kind + data


def riff(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a RIFF file."""
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp(*chunks: bytes) -> bytes:
    """Return a WebP of these chunks."""
    data = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(data)) + data
