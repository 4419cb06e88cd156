"""Texts in EXIF tags, whatever they say, or fail to say, about their encoding."""

import codecs
import re
from typing import Any

ASCII, UNICODE = b"ASCII\0\0\0", b"UNICODE\0"
CODE = re.compile(rb"(ascii|unicode|jis|)\0+|(ASCII|JIS) +|(UNICODE) ", re.IGNORECASE)
"""How an EXIF comment says what it is written in (EXIF 2.32, table 9), in 8 bytes; some
programs fill them up with spaces, and some leave them out."""
BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
}
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
LATIN = "cp1252"
NOT_LATIN = re.compile(rb"[\x80-\xff]{4}")
"""So many letters with accents in a row are another language in another encoding."""
USUAL = ("utf-8", "utf-16-be", "utf-16-le", LATIN)
"""What comments are written in, whatever their code says."""
JAPANESE = ("iso2022_jp", "utf-8", "euc_jp", "cp932", "utf-16-be", "utf-16-le")


def encode_comment(text: str) -> bytes:
    """Return a text as an EXIF comment, behind the code of its encoding."""
    if text.isascii():
        return ASCII + text.encode("ascii")
    return UNICODE + text.encode("utf-16-be", errors="replace")


def decode_comment(value: Any) -> str:
    """Read an EXIF comment; empty where it is none or cannot be read.

    Args:
        value: as Pillow gives it: bytes, or text where the tag's type says so.
    """
    data = _as_bytes(value)
    code = CODE.fullmatch(data[:8])
    if code is None or _only_begins_like_a_code(data):
        return decode_text(data)
    is_japanese = data[:3].upper() == b"JIS"
    return decode_text(data[8:], JAPANESE if is_japanese else USUAL)


def decode_text(value: Any, encodings: tuple[str, ...] = USUAL) -> str:
    """Read a text of unknown encoding: the reading that looks most like a record wins.

    A wrong reading shows by few colons with a space behind them, which every record
    has, by control characters, and by few characters of ASCII, in that order.
    """
    data = _as_bytes(value)
    for mark, encoding in BOMS.items():
        if data.startswith(mark):
            data, encodings = data.removeprefix(mark), (encoding,)
    readings = []
    for encoding in encodings:
        if encoding == LATIN and NOT_LATIN.search(data):
            continue
        try:
            readings.append(data.decode(encoding).rstrip("\0"))
        except UnicodeDecodeError:
            continue
    return max(readings, key=_likeness, default="")


def _likeness(text: str) -> tuple[int, int, int]:
    plain = len(text.encode("ascii", errors="ignore"))
    return text.count(": "), -len(CONTROLS.findall(text)), plain


def _only_begins_like_a_code(data: bytes) -> bool:
    """Tell a text that begins with the word UNICODE from the code with a space."""
    return data[:8].upper() == b"UNICODE " and b"\0" not in data.rstrip(b"\0")


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, str):  # Pillow read the bytes as Latin-1
        return value.encode("latin-1", errors="replace")
    return bytes(value) if isinstance(value, bytes | bytearray) else b""
