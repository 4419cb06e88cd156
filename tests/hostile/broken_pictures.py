"""Picture files that lead astray whoever reads them."""

import io
import struct

from PIL import Image

from tests.hostile.parts import (
    ASCII,
    LONG,
    SHORT,
    UNDEFINED,
    box,
    grey,
    riff,
    segment,
    tiff,
    webp,
)
from tests.hostile.pictures import (
    DRAWINGS,
    EXIF,
    FILLING,
    LAUGHS,
    OTHERS,
    Made,
    bmp,
    exif_jpeg,
    extended,
    frame_head,
    jpeg,
    oriented,
    png_head,
)
from tests.support.hostile import BROKEN, LONG_HEADS, chunk, png, saved

XMP = b"http://ns.adobe.com/xap/1.0/\0"
LONG_XMP = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32


def ifds(count: int) -> bytes:
    """Return a TIFF of many pages, each of them with the same pixels."""
    one = tiff(grey())[8:-4]
    size = len(one) + 4
    pages = b"".join(
        one + struct.pack("<I", 8 + (n + 1) * size if n + 1 < count else 0)
        for n in range(count)
    )
    return b"II*\0\x08\0\0\0" + pages + bytes(4096)


def cmyk() -> bytes:
    """Return a JPEG in the colours of printers."""
    data = io.BytesIO()
    Image.new("CMYK", (16, 16), (255, 0, 255, 0)).save(data, "JPEG")
    return data.getvalue()


LASTING: dict[str, Made] = {
    **{f"head-{name}": made for name, made in LONG_HEADS.items()},
    "loop.tif": lambda: tiff(grey(), following=8, behind=bytes(5000)),
    "exif-loop.tif": lambda: tiff(grey((34665, LONG, 1, 8)), behind=bytes(5000)),
    "sub-loop.tif": lambda: tiff(grey((330, LONG, 1, 8)), behind=bytes(5000)),
    "pages.tif": lambda: ifds(20_000),
    "tags.tif": lambda: tiff([(1, 4, 1, 1)] * 65_535, behind=bytes(500)),
    "exif-loop.jpg": lambda: exif_jpeg(
        tiff([(34665, LONG, 1, 8), (40965, LONG, 1, 8)])
    ),
    "ifd-loop.jpg": lambda: exif_jpeg(tiff([(274, SHORT, 1, 3)], following=8)),
    "tags.jpg": lambda: exif_jpeg(tiff([(n, 4, 1, 1) for n in range(5000)])),
    "laughs.jpg": lambda: jpeg(segment(0xE1, XMP + LAUGHS)),
    "laughs.png": lambda: png(
        8, 8, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + LAUGHS)
    ),
    "nested.jpg": lambda: jpeg(segment(0xE1, XMP + b"<x:xmpmeta>" + b"<a>" * 19_000)),
    "extended.jpg": lambda: jpeg(
        segment(0xE1, LONG_XMP + b"\xff" * 4 + bytes(4) + b"a")
    ),
    "restarts.jpg": lambda: jpeg(side=64)[:-2] + b"\xff\xd0" * 500_000,
    "fill.jpg": lambda: b"\xff\xd8" + b"\xff\xe0\0\x02" * 400_000,
    "huffman.jpg": lambda: jpeg(
        *[segment(0xC4, b"\0" + b"\xff" * 16 + bytes(4080))] * 99
    ),
    "profile.jpg": lambda: jpeg(
        *[segment(0xE2, b"ICC_PROFILE\0\xff\xff" + bytes(65_000))] * 99
    ),
    "mpf.jpg": lambda: jpeg(
        segment(
            0xE2,
            b"MPF\0"
            + tiff(
                [
                    (45056, UNDEFINED, 4, b"0100"),
                    (45057, LONG, 1, 2**31),
                    (45058, UNDEFINED, 2**31, 8),
                ]
            ),
        )
    ),
    "mpf-loop.jpg": lambda: jpeg(
        segment(
            0xE2,
            b"MPF\0"
            + tiff(
                [
                    (45056, UNDEFINED, 4, b"0100"),
                    (45057, LONG, 1, 2),
                    (45058, UNDEFINED, 32, 50),
                ],
                following=8,
                behind=bytes(64),
            ),
        )
    ),
    "idats.png": lambda: png(8, 8)[:-12] + chunk(b"IDAT", b"") * 200_000,
    "comment.pbm": lambda: b"P1\n" + b"#\n" * 400_000 + b"8 8\n",
    "subblocks.gif": lambda: (
        saved("GIF")[:-1] + b"\x21\xfe" + b"\x01x" * 900_000 + b"\0;"
    ),
    "extensions.gif": lambda: saved("GIF")[:13] + b"\x21\xff\x0bNETSCAPE2.0\0" * 90_000,
    "lzw.gif": lambda: (
        saved("GIF")[:-1] + b"\x2c" + bytes(4) + b"\x08\0\x08\0\0\xff\1\0;"
    ),
}
"""What would take for ever."""

ASTRAY: dict[str, Made] = {
    **{f"broken-{name}": made for name, made in BROKEN.items()},
    **{
        f"turned-{value}.jpg": (lambda value=value: oriented(SHORT, 1, value))  # type: ignore[misc]
        for value in (0, 6, 9, 65_535)
    },
    "turned-text.jpg": lambda: oriented(ASCII, 4, b"six\0"),
    "turned-share.jpg": lambda: oriented(5, 1, 2**31),
    "turned-none.jpg": lambda: oriented(SHORT, 0, 0),
    "turned-many.jpg": lambda: oriented(SHORT, 2**32 - 1, 6),
    "turned-minus.jpg": lambda: oriented(9, 1, b"\xff" * 4),
    "turned-float.jpg": lambda: oriented(11, 1, b"\0\0\xc0\x7f"),
    "turned.tif": lambda: tiff(grey((274, SHORT, 1, 9)), behind=bytes(5000)),
    "order.jpg": lambda: exif_jpeg(b"IM*\0" + bytes(99)),
    "torn-exif.jpg": lambda: exif_jpeg(tiff([(274, SHORT, 1, 6)])[:-9]),
    "two-exifs.jpg": lambda: jpeg(
        *[segment(0xE1, EXIF + tiff([(274, SHORT, 1, n)])) for n in (6, 99)]
    ),
    "comment.jpg": lambda: exif_jpeg(
        tiff([(34665, LONG, 1, 26)], behind=tiff([(37510, UNDEFINED, 2**31, 8)])[8:])
    ),
    "cmyk.jpg": lambda: cmyk(),
    "adobe.jpg": lambda: jpeg(segment(0xEE, b"Adobe\0d" + b"\xff" * 5)),
    "parts.jpg": lambda: frame_head(16, 16, 255),
    "bits12.jpg": lambda: frame_head(16, 16, bits=12),
    "flat.jpg": lambda: frame_head(16, 0),
    "arithmetic.jpg": lambda: frame_head(16, 16, mark=0xC9),
    "lossless.jpg": lambda: frame_head(16, 16, mark=0xC3),
    "cut.jpg": lambda: saved("JPEG", 64)[:-99],
    "head.jpg": lambda: b"\xff\xd8\xff\xe0",
    "colour7.png": lambda: png_head(8, 8, 8, 7),
    "bits3.png": lambda: png_head(8, 8, 3, 0),
    "no-palette.png": lambda: png_head(8, 8, 8, 3),
    "palette.png": lambda: png_head(8, 8, 8, 3, chunk(b"PLTE", b"abc")),
    "torn-palette.png": lambda: png_head(8, 8, 8, 3, chunk(b"PLTE", b"ab")),
    "clear.png": lambda: png_head(
        8, 8, 8, 3, chunk(b"PLTE", b"abc"), chunk(b"tRNS", b"")
    ),
    "clear-rgb.png": lambda: png_head(8, 8, 8, 2, chunk(b"tRNS", b"a")),
    "grey16.png": lambda: png_head(64, 64, 16, 0),
    "rgba16.png": lambda: png_head(64, 64, 16, 6),
    "grey1.png": lambda: png_head(64, 64, 1, 0),
    "twice.png": lambda: png(
        8, 8, chunk(b"IHDR", struct.pack(">IIBBBBB", 99, 9999, 16, 6, 0, 0, 0))
    ),
    "length.png": lambda: png(8, 8)[:33] + b"\xff\xff\xff\xffIDAT" + bytes(99),
    "crc.png": lambda: png(8, 8)[:29] + b"oops" + png(8, 8)[33:],
    "no-end.png": lambda: png(8, 8)[:-12],
    "no-data.png": lambda: png(8, 8)[:33] + chunk(b"IEND", b""),
    "garbage.png": lambda: png(8, 8)[:33] + chunk(b"IDAT", b"x" * 99),
    "gamma.png": lambda: png(
        8,
        8,
        chunk(b"gAMA", bytes(4)),
        chunk(b"cHRM", bytes(3)),
        chunk(b"pHYs", b"a"),
        chunk(b"sRGB", b""),
    ),
    "method.png": lambda: png(
        8, 8, chunk(b"iTXt", b"k\0\1\x09\0\0x"), chunk(b"zTXt", b"k\0\7x")
    ),
    "exif-behind.png": lambda: (
        png(8, 8)[:-12] + chunk(b"eXIf", tiff([(274, 3, 1, 99)])) + chunk(b"IEND", b"")
    ),
    "name.png": lambda: png(8, 8, chunk(b"tEXt", b"\x1b[31m\0\x1b]0;owned\x07")),
    "rows.tif": lambda: tiff(grey((278, LONG, 1, 0)), behind=bytes(5000)),
    "tiles.tif": lambda: tiff(
        grey((322, LONG, 1, 0), (323, LONG, 1, 0)), behind=bytes(5000)
    ),
    "minus.tif": lambda: tiff(grey((256, 9, 1, 2**32 - 8)), behind=bytes(5000)),
    "text-size.tif": lambda: tiff(grey((256, ASCII, 3, b"64\0")), behind=bytes(5000)),
    "no-size.tif": lambda: tiff(grey((256, LONG, 0, 0)), behind=bytes(5000)),
    "bits64.tif": lambda: tiff(grey(bits=64), behind=bytes(64 * 64 * 8 + 999)),
    "float.tif": lambda: tiff(
        grey((339, SHORT, 1, 3), bits=32), behind=b"\0\0\xc0\x7f" * 5000
    ),
    "cmyk.tif": lambda: tiff(
        grey((262, 3, 1, 5), (277, 3, 1, 4)), behind=bytes(20_000)
    ),
    "lab.tif": lambda: tiff(grey((262, 3, 1, 8), (277, 3, 1, 3)), behind=bytes(20_000)),
    "jpeg6.tif": lambda: tiff(grey(compression=6), behind=bytes(5000)),
    "jpeg7.tif": lambda: tiff(
        grey((347, UNDEFINED, 2**31, 8), compression=7), behind=bytes(5000)
    ),
    "odd.tif": lambda: tiff(grey(compression=65_000), behind=bytes(5000)),
    "motorola.tif": lambda: tiff(grey(), order=">", behind=bytes(5000)),
    "far.tif": lambda: b"II*\0\xff\xff\xff\xff",
    "swapped.tif": lambda: b"MM*\0" + bytes(9),
    "head1.bmp": lambda: bmp(8, 8, head=1),
    "bits9.bmp": lambda: bmp(8, 8, 9),
    "masks.bmp": lambda: bmp(8, 8, 32, 3, data=bytes(999)),
    "far.bmp": lambda: bmp(8, 8, at=2**31),
    "upside.bmp": lambda: bmp(8, -8, data=bytes(999)),
    "os2.bmp": lambda: b"BM" + bytes(8) + struct.pack("<IIHHHH", 26, 12, 8, 8, 1, 24),
    "none.gif": lambda: b"GIF89a" + bytes(7),
    "colours.gif": lambda: b"GIF89a\x08\0\x08\0\xff\0\0;",
    "outside.gif": lambda: (
        saved("GIF")[:-1] + b"\x2c\xff\xff\xff\xff\1\0\1\0\0\2\2D\1\0;"
    ),
    "maximum.ppm": lambda: b"P6 8 8 0\n" + bytes(192),
    "maximum2.ppm": lambda: b"P6 8 8 65536\n" + bytes(999),
    "minus.ppm": lambda: b"P6 -8 8 255\n" + bytes(192),
    "words.ppm": lambda: b"P6 eight 8 255\n" + bytes(192),
    "short.ppm": lambda: b"P6 8 8 255\n",
    "scale.pfm": lambda: b"Pf 8 8 0\n" + bytes(256),
    "nan.pfm": lambda: b"Pf 8 8 nan\n" + bytes(256),
    "alpha.webp": lambda: extended(8, 8, riff(b"ALPH", b"\xff" * 9), flags=16),
    "empty.webp": lambda: webp(),
    "exif.webp": lambda: extended(
        8, 8, saved("WEBP")[12:], riff(b"EXIF", tiff([(274, SHORT, 1, 99)])), flags=8
    ),
    "cut.webp": lambda: saved("WEBP", 64)[:40],
    "iloc.avif": lambda: saved("AVIF", 16).replace(b"iloc\0\0\0\0", b"iloc\xff\0\0\0"),
    "boxes.avif": lambda: (
        box(b"ftyp", b"avif", bytes(4), b"avifmif1") + box(b"meta", bytes(4)) * 999
    ),
    "size.avif": lambda: b"\0\0\0\x1cftypavif" + bytes(16) + b"\xff\xff\xff\xffmeta",
    "noise.avif": lambda: saved("AVIF", 16)[:-40] + bytes(range(40)),
}
"""What leads programs that read it astray."""

PICTURES: dict[str, dict[str, Made]] = {
    "drawings": DRAWINGS,
    "other formats": OTHERS,
    "bombs": FILLING,
    "endless": LASTING,
    "broken": ASTRAY,
}
"""All of them, by how they would do harm."""
