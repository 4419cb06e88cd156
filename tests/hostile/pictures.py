"""Picture files that are made to do harm, by how they would."""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.hostile.parts import (
    ASCII,
    LONG,
    SHORT,
    box,
    grey,
    riff,
    segment,
    tiff,
    webp,
    with_segments,
)
from tests.support.hostile import (
    BOMBS,
    ENDLESS,
    chunk,
    png,
    saved,
    zeros,
)

Made = Callable[[], bytes]
PS = ENDLESS
EXIF = b"Exif\0\0"


def as_format(kind: str) -> bytes:
    """Return a picture in a format of Pillow's, in a mode that it takes."""
    Image.init()
    for mode in ("RGB", "L", "1", "P", "RGBA", "F", "I;16"):
        data = io.BytesIO()
        try:
            Image.new(mode, (32, 32)).save(data, kind)
        except Exception:
            continue
        return data.getvalue()
    return b""


def jpeg(*segments: bytes, side: int = 16) -> bytes:
    return with_segments(saved("JPEG", side), *segments)


def exif_jpeg(data: bytes) -> bytes:
    return jpeg(segment(0xE1, EXIF + data))


def oriented(kind: int, count: int, value: bytes | int) -> bytes:
    return exif_jpeg(tiff([(274, kind, count, value)]))


def frame_head(
    width: int, height: int, parts: int = 3, bits: int = 8, mark: int = 0xC0
) -> bytes:
    """Return a JPEG of which the head of the frame says this."""
    whole = saved("JPEG", 16)
    at = whole.index(b"\xff\xc0")
    length = struct.unpack(">H", whole[at + 2 : at + 4])[0]
    frame = struct.pack(">BHHB", bits, height, width, parts)
    frame += b"".join(bytes([n % 256, 0x11, 0]) for n in range(1, parts + 1))
    return whole[:at] + segment(mark, frame) + whole[at + 2 + length :]


def gif_frames(count: int, side: int = 8) -> bytes:
    whole = saved("GIF", side)
    at = whole.rindex(b"\x2c")
    return whole[:-1] + whole[at:-1] * (count - 1) + b";"


def apng(
    frames: int, width: int = 8, height: int = 8, said: int | None = None
) -> bytes:
    control = chunk(b"acTL", struct.pack(">II", frames if said is None else said, 0))
    whole = png(8, 8, control)
    more = b""
    for number in range(1, frames):
        place = struct.pack(">IIIIIHHBB", 2 * number, width, height, 0, 0, 1, 1, 0, 0)
        pixels = struct.pack(">I", 2 * number + 1) + zlib.compress(bytes(200))
        more += chunk(b"fcTL", place) + chunk(b"fdAT", pixels)
    return whole[:-12] + more + whole[-12:]


def png_head(
    width: int, height: int, bits: int, colour: int, *more: bytes, interlaced: int = 0
) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    body = b"".join(more) + chunk(b"IDAT", zeros(60_000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body


def text_chunk(kind: bytes, size: int) -> bytes:
    start = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind]
    return png(8, 8, chunk(kind, start + zeros(size)))


def bmp(
    width: int,
    height: int,
    bits: int = 24,
    packing: int = 0,
    colours: int = 0,
    head: int = 40,
    at: int = 54,
    data: bytes = b"",
) -> bytes:
    whole = struct.pack(
        "<IiiHHIIiiII", head, width, height, 1, bits, packing, 0, 0, 0, colours, 0
    )
    return b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, at) + whole + data


def extended(width: int, height: int, *chunks: bytes, flags: int = 2) -> bytes:
    """Return a WebP with a canvas."""
    canvas = struct.pack("<I", flags) + struct.pack("<I", width - 1)[:3]
    return webp(riff(b"VP8X", canvas + struct.pack("<I", height - 1)[:3]), *chunks)


def webp_frames(count: int, side: int) -> bytes:
    inner = saved("WEBP", 8)[12:]
    place = bytes(6) + struct.pack("<I", 7)[:3] * 2 + bytes(4)
    frames = riff(b"ANMF", place + inner) * count
    return extended(side, side, riff(b"ANIM", bytes(6)), frames)


def avif_of(width: int, height: int) -> bytes:
    """Return an AVIF that says another size of itself than its pixels have."""
    whole = bytearray(saved("AVIF", 16))
    at = whole.index(b"ispe")
    whole[at + 8 : at + 16] = struct.pack(">II", width, height)
    return bytes(whole)


def heic() -> bytes:
    return box(b"ftyp", b"heic", bytes(4), b"mif1heic") + box(b"meta", bytes(99))


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + ']><x:xmpmeta xmlns:x="adobe:ns:meta/"><l>&j;</l></x:xmpmeta>'
).encode()

DRAWINGS: dict[str, Made] = {
    "eps.eps": lambda: PS,
    "eps.png": lambda: PS,
    "eps.jpg": lambda: PS,
    "eps.tif": lambda: PS,
    "eps.webp": lambda: PS,
    "eps": lambda: PS,
    "eps.avif": lambda: PS,
    "eps.ppm": lambda: PS,
    "dos.eps": lambda: (
        struct.pack("<4s6IH", b"\xc5\xd0\xd3\xc6", 30, len(PS), 0, 0, 0, 0, 0xFFFF) + PS
    ),
    "dos.png": lambda: (
        struct.pack("<4s6IH", b"\xc5\xd0\xd3\xc6", 30, len(PS), 0, 0, 0, 0, 0xFFFF) + PS
    ),
    "run.eps": lambda: (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id)"
        b"(r)file\n(/etc/passwd)(w)file\n"
    ),
    "size.eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99999 99999\n",
    "doc.pdf": lambda: b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/Launch>>>>",
    "doc.png": lambda: b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n" * 9,
    "a.wmf": lambda: b"\xd7\xcd\xc6\x9a" + bytes(999),
    "wmf.png": lambda: b"\x01\0\t\0\0\x03" + bytes(999),
    "a.emf": lambda: struct.pack("<II", 1, 108) + bytes(32) + b" EMF" + bytes(999),
    "a.svg": lambda: (
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/'
        b'passwd"/></svg>'
    ),
    "svg.png": lambda: (
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM '
        b'"file:///etc/passwd">]><svg>&x;</svg>'
    ),
    "laughs.svg": lambda: LAUGHS,
    "a.svgz": lambda: b"\x1f\x8b\x08" + bytes(99),
    "a.mvg": lambda: (
        b"push graphic-context\nimage over 0,0 0,0 'url(https://a/x|id)'\n"
    ),
    "a.msl": lambda: (
        b'<?xml version="1.0"?><image><read filename="/etc/passwd"/></image>'
    ),
}
"""What would start another program, or read other files, where programs draw it."""

OTHERS: dict[str, Made] = {
    **{
        f"{kind.lower()}.png": (lambda kind=kind: as_format(kind))  # type: ignore[misc]
        for kind in (
            "BLP",
            "DDS",
            "DIB",
            "ICNS",
            "ICO",
            "IM",
            "JPEG2000",
            "MPO",
            "MSP",
            "PALM",
            "PCX",
            "PDF",
            "QOI",
            "SGI",
            "SPIDER",
            "TGA",
            "XBM",
            "EPS",
            "TIFF",
            "GIF",
            "BMP",
            "PPM",
            "WEBP",
            "AVIF",
            "JPEG",
        )
    },
    "a.xpm": lambda: b'/* XPM */\nstatic char *a[] = {"1 1 1 1", "a c #000000", "a"};',
    "a.psd": lambda: b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 9, 9, 8, 3) + bytes(99),
    "vast.psd": lambda: b"8BPS" + struct.pack(">H6xHIIHH", 1, 56, 30000, 30000, 8, 3),
    "a.fits": lambda: b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800),
    "a.hdf5": lambda: b"\x89HDF\r\n\x1a\n" + bytes(999),
    "a.bufr": lambda: b"BUFR" + bytes(999),
    "a.grib": lambda: b"GRIB\0\0\0\1" + bytes(9),
    "a.cur": lambda: b"\0\0\2\0\1\0" + bytes(99),
    "a.mic": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096),
    "a.j2k": lambda: b"\xff\x4f\xff\x51\0\x2f" + bytes(99),
    "a.heic": heic,
    "heic.jpg": heic,
    "heic.avif": heic,
    "a.jxl": lambda: b"\xff\x0a" + bytes(99),
    "a.exr": lambda: b"v/1\x01" + bytes(99),
    "a.hdr": lambda: b"#?RADIANCE\n\n-Y 99999 +X 99999\n",
    "a.dcx": lambda: struct.pack("<I", 0x3ADE68B1) + struct.pack("<I", 4) * 1023,
    "a.fli": lambda: bytes(4) + b"\x12\xaf" + bytes(200),
    "a.pcd": lambda: bytes(2048) + b"PCD_IPI" + bytes(3000),
    "a.gbr": lambda: struct.pack(">IIIII4sI", 28, 2, 99999, 99999, 4, b"GIMP", 1),
    "a.iptc": lambda: b"\x1c\x03\x3c\0\x01\x01" * 99,
    "a.ftc": lambda: b"FTEX" + bytes(99),
    "a.wal": lambda: bytes(100) + b"\xff" * 99,
    "a.mp4": lambda: box(b"ftyp", b"isom", bytes(4)) + box(b"mdat", bytes(99)),
    "a.cr2": lambda: b"II*\0\x10\0\0\0CR\2\0" + bytes(99),
    "a.dng": lambda: tiff(grey(), behind=bytes(9000)),
    "page.png": lambda: b"<!DOCTYPE html><title>\x1b]0;owned\x07404</title>",
    "json.png": lambda: b'{"error": "\x1b[2J no access"}',
    "zip.png": lambda: b"PK\3\4" + bytes(99),
    "elf.png": lambda: b"\x7fELF" + bytes(99),
    "empty.png": lambda: b"",
    "one.png": lambda: b"\x89",
    "nul.png": lambda: bytes(4096),
    "noise.png": lambda: bytes(range(256)) * 16,
    "text.jpg": lambda: b"a fox\n" * 99,
    "escape.jpg": lambda: b"\x1b]0;owned\x07\x1b[31m\xc2\x9b2J" * 9,
    "polyglot.jpg": lambda: saved("JPEG", 16) + b"PK\3\4" + PS,
    "polyglot.gif": lambda: b"GIF89a/*" + saved("GIF")[8:] + b"*/=1;alert(1)",
}
"""Formats that are not read, or under the name of another."""

FILLING: dict[str, Made] = {
    **{f"bomb-{name}": made for name, made in BOMBS.items()},
    "iccp60.png": lambda: text_chunk(b"iCCP", 60_000_000),
    "ztxt60.png": lambda: text_chunk(b"zTXt", 60_000_000),
    "itxt60.png": lambda: text_chunk(b"iTXt", 60_000_000),
    "idat.png": lambda: png(8, 8)[:-12] + chunk(b"IDAT", zeros(90_000_000)),
    "adam7.png": lambda: png_head(30_000, 2_900, 16, 6, interlaced=1),
    "deep.png": lambda: png_head(2**31 - 1, 1, 16, 6),
    "tall.png": lambda: png_head(1, 2**31 - 1, 8, 0),
    "flat16.png": lambda: png_head(9_000, 9_000, 16, 6),
    "apng.png": lambda: apng(2, 2**31 - 1, 2**31 - 1),
    "frames.png": lambda: apng(4_000),
    "lies.png": lambda: apng(2, said=2**31 - 1),
    "frames.gif": lambda: gif_frames(100_000),
    "screen.gif": lambda: b"GIF89a" + b"\xff" * 4 + saved("GIF")[10:],
    "interlaced.gif": lambda: (
        saved("GIF")[:-1] + b"\x2c" + bytes(4) + b"\xff\xff\xff\xff"
        b"\x47\x0c" + b"\xff\0" * 99 + b";"
    ),
    "packbits.tif": lambda: tiff(
        grey((279, LONG, 1, 99), side=9400, compression=32773), behind=b"\x81\0" * 999
    ),
    "group4.tif": lambda: tiff(
        grey((279, LONG, 1, 400), side=30_000, compression=4, bits=1),
        behind=b"\xff" * 999,
    ),
    "lzma.tif": lambda: tiff(
        grey((279, LONG, 1, 99), side=9400, compression=34925), behind=bytes(999)
    ),
    "zstd.tif": lambda: tiff(
        grey((279, LONG, 1, 99), side=9400, compression=50000),
        behind=b"(\xb5/\xfd" + bytes(999),
    ),
    "webp.tif": lambda: tiff(
        grey((279, LONG, 1, 99), side=9400, compression=50001), behind=bytes(999)
    ),
    "samples.tif": lambda: tiff(grey((277, SHORT, 1, 65_535)), behind=bytes(5000)),
    "strip.tif": lambda: tiff(grey((279, LONG, 1, 2**32 - 1)), behind=bytes(5000)),
    "strips.tif": lambda: tiff(grey((273, LONG, 2**32 - 1, 8)), behind=bytes(5000)),
    "tile1.tif": lambda: tiff(
        grey((322, LONG, 1, 1), (323, LONG, 1, 1), side=9000), behind=bytes(5000)
    ),
    "big.tif": lambda: tiff(grey((257, 16, 1, 2**40)), big=True, behind=bytes(5000)),
    "count.tif": lambda: tiff(grey((270, ASCII, 2**60, 8)), big=True, behind=bytes(99)),
    "rle.bmp": lambda: bmp(
        9000, 9000, 8, 1, 1, at=58, data=bytes(4) + b"\xff\0" * 9999
    ),
    "below.bmp": lambda: bmp(-(2**31), -(2**31)),
    "colours.bmp": lambda: bmp(8, 8, 8, 0, 2**32 - 1, data=bytes(999)),
    "canvas.webp": lambda: webp_frames(3, 1 << 14),
    "frames.webp": lambda: webp_frames(20_000, 64),
    "vast.webp": lambda: extended(1 << 24, 1 << 24),
    "chunk.webp": lambda: b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff" + bytes(99),
    "lossless.webp": lambda: webp(riff(b"VP8L", b"\x2f" + b"\xff" * 4 + bytes(99))),
    "vast.avif": lambda: avif_of(2**31, 2**31),
    "wide.avif": lambda: avif_of(65_000, 1300),
    "zero.avif": lambda: avif_of(0, 0),
    "vast.jpg": lambda: frame_head(65_535, 65_535),
    "gray.jpg": lambda: frame_head(9_400, 9_400, 1),
    "scans.jpg": lambda: saved("JPEG", 4000, progressive=True)[:-2] * 40,
    "digits.ppm": lambda: b"P6 " + b"9" * 5000 + b" 1 255\n",
    "plain.ppm": lambda: b"P3 9000 9000 255\n" + b"1 " * 999,
    "bits.pbm": lambda: b"P4 90000 90000\n",
    "ascii.pbm": lambda: b"P1 9000 9000\n1",
    "float.pfm": lambda: b"Pf 30000 30000 nan\n",
    "arbitrary.pam": lambda: b"P7\nWIDTH 9",
}
"""What would fill memory."""
