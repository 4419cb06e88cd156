"""Picture files that are made to do harm, byte by byte, each small."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

ENDLESS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n"
    b"/for_ever {{} loop} def for_ever\nshowpage\n"
)
"""A drawing whose program never ends."""


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a png."""
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def zeros(count: int) -> bytes:
    """Return so many zeros, deflated."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1_000_000)) for _ in range(count // 1_000_000)]
    rest = packer.compress(bytes(count % 1_000_000))
    return b"".join(parts) + rest + packer.flush()


def png(width: int, height: int, *extra: bytes, filled: bool = True) -> bytes:
    """Return a black png of RGB, with chunks between its head and its pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zeros(height * (3 * width + 1)) if filled else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + b"".join(extra)
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def saved(kind: str, side: int = 8, **options: Any) -> bytes:
    """Return a black square as Pillow saves it."""
    data = io.BytesIO()
    Image.new("RGB", (side, side)).save(data, kind, **options)
    return data.getvalue()


def gif_of_screen(side: int) -> bytes:
    """Return a gif of 8x8 pixels on a screen of another size."""
    data = bytearray(saved("GIF"))
    data[6:10] = struct.pack("<HH", side, side)
    return bytes(data)


def tiff(*tags: tuple[int, int], data: bytes = b"") -> bytes:
    """Return a TIFF of these tags, each one long number."""
    packed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags))
    return head + packed + bytes(4) + data


GREY = ((256, 64), (257, 64), (258, 8), (259, 8), (262, 1), (277, 1))
"""Tags of a TIFF of 64x64 grey pixels, deflated."""

BOMBS = {
    "long.png": lambda: png(10_000, 10_000, filled=False),
    "vast.png": lambda: png(2**31 - 1, 2**31 - 1, filled=False),
    "a.webp": lambda: saved("WEBP", 4100, lossless=True, method=0),
    "a.tif": lambda: saved("TIFF", 4100, compression="tiff_adobe_deflate"),
    "tiles.tif": lambda: tiff(*GREY, (322, 99_999), (323, 99_999), (324, 8), (325, 9)),
    "a.gif": lambda: gif_of_screen(9000),
    "vast.gif": lambda: gif_of_screen(65_535),
    "a.jpg": lambda: saved("JPEG", 4100, quality=1),
    "a.bmp": lambda: b"BM" + struct.pack("<IIIIiiHHI", 99, 0, 54, 40, 9999, 9999, 1, 24,
                                         0) + bytes(20),
    "a.ppm": lambda: b"P6 60000 60000 255\n",
}  # fmt: skip
"""Pictures that would fill memory, in few bytes."""

LONG_HEADS = {
    "texts.png": lambda: png(8, 8, chunk(b"abCd", b"") * 9_999),
    "itxt.png": lambda: png(8, 8, chunk(b"iTXt", b"k\0\1\0\0\0" + zeros(5_000_000))),
    "ztxt.png": lambda: png(8, 8, chunk(b"zTXt", b"k\0\0" + zeros(5_000_000))),
    "iccp.png": lambda: png(8, 8, chunk(b"iCCP", b"k\0\0" + zeros(5_000_000))),
    "marks.jpg": lambda: b"\xff\xd8" + b"\xff" * 99_999,
    "segments.jpg": lambda: (
        b"\xff\xd8" + b"\xff\xe1\xff\xffExif\0\0".ljust(65_537, b"\0") * 250
    ),
    "comments.gif": lambda: (
        b"GIF89a\x08\0\x08\0\0\0\0!\xfe" + b"\xff".ljust(256) * 9999
    ),
    "comment.ppm": lambda: b"P6\n#" + b"x" * 99_999 + b"\n8 8 255\n" + bytes(192),
}
"""Pictures that say so much before their pixels that it takes for ever to read."""

BROKEN = {
    "exif.png": lambda: png(8, 8, chunk(b"eXIf", b"nonsense that is no EXIF")),
    "turned.png": lambda: png(8, 8, chunk(b"eXIf", b"II*\0")),
    "exif.webp": lambda: saved("WEBP", exif=b"Exif\0\0nonsense that is none"),
    "cut.avif": lambda: saved("AVIF")[:200],
    "cut.tif": lambda: saved("TIFF")[:100],
    "cut.gif": lambda: saved("GIF")[:20],
    "cut.bmp": lambda: saved("BMP")[:40],
    "none.png": lambda: png(0, 0),
    "a.dds": lambda: b"DDS " + struct.pack("<7I", 124, 0x1007, 64, 64, 0, 0, 0),
    "a.jp2": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99),
    "a.ico": lambda: b"\0\0\1\0\1\0\0\0" + bytes(99),
    "a.wmf": lambda: b"\xd7\xcd\xc6\x9a" + bytes(99),
    "a.fpx": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(999),
}
"""Pictures that cannot be read, and those of formats that are not."""
