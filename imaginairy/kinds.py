"""What a file is, told by its first bytes, so that a refusal can name it."""

import re
import stat
from codecs import getincrementaldecoder
from pathlib import Path
from typing import IO

ENOUGH = 4096
"""How many bytes of a file's start are looked at."""
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
"""Characters that no text has."""

PICTURE, VIDEO, RAW, DRAWING, OTHER = "picture", "video", "raw", "drawing", "other"
"""Groups of them; what can be done about each stands in `ADVICE`."""

STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"\xff\x0a", PICTURE, "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", PICTURE, "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", PICTURE, "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", PICTURE, "a JPEG 2000 picture"),
    (b"8BPS", PICTURE, "a Photoshop document"),
    (b"gimp xcf", PICTURE, "a GIMP document"),
    (b"v/1\x01", PICTURE, "an OpenEXR picture"),
    (b"#?RADIANCE", PICTURE, "a Radiance HDR picture"),
    (b"DDS ", PICTURE, "a DDS texture"),
    (b"\0\0\1\0", PICTURE, "a Windows icon"),
    (b"\0\0\2\0", PICTURE, "a Windows cursor"),
    (b"icns", PICTURE, "an icon of macOS"),
    (b"\xd0\xcf\x11\xe0", OTHER, "a document of an office program"),
    (b"BPG\xfb", PICTURE, "a BPG picture"),
    (b"AT&TFORM", PICTURE, "a DjVu document"),
    (b"FUJIFILMCCD-RAW", RAW, "a camera's raw picture (RAF)"),
    (b"IIRO", RAW, "a camera's raw picture (ORF)"),
    (b"IIU\0", RAW, "a camera's raw picture (RW2)"),
    (b"FOVb", RAW, "a camera's raw picture (X3F)"),
    (b"%PDF", DRAWING, "a PDF document"),
    (b"%!PS", DRAWING, "a PostScript drawing"),
    (b"\xc5\xd0\xd3\xc6", DRAWING, "a PostScript drawing"),
    (b"\xd7\xcd\xc6\x9a", DRAWING, "a Windows metafile"),
    (b"\x1aE\xdf\xa3", VIDEO, "a Matroska or WebM video"),
    (b"FLV\x01", VIDEO, "a Flash video"),
    (b"\0\0\x01\xba", VIDEO, "an MPEG video"),
    (b"GGUF", OTHER, "a GGUF file"),
    (b"lmgg", OTHER, "a GGML file"),
    (b"tjgg", OTHER, "a GGML file"),
    (b"\x89HDF", OTHER, "an HDF5 file"),
    (b"\x93NUMPY", OTHER, "a NumPy array"),
    (b"PK\x03\x04", OTHER, "a zip archive"),
    (b"\x1f\x8b", OTHER, "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", OTHER, "a 7z archive"),
    (b"Rar!", OTHER, "a RAR archive"),
    (b"BZh", OTHER, "a bzip2 archive"),
    (b"\xfd7zXZ", OTHER, "an xz archive"),
    (b"(\xb5/\xfd", OTHER, "a Zstandard archive"),
    (b"\x7fELF", OTHER, "a program"),
    (b"MZ", OTHER, "a program"),
    (b"\x89PNG", PICTURE, "a PNG picture"),
    (b"\xff\xd8\xff", PICTURE, "a JPEG picture"),
    (b"GIF8", PICTURE, "a GIF picture"),
    (b"II*\0", PICTURE, "a TIFF picture"),
    (b"MM\0*", PICTURE, "a TIFF picture"),
    (b"II+\0", PICTURE, "a TIFF picture"),
    (b"MM\0+", PICTURE, "a TIFF picture"),
)
"""How files start, the group they belong to, and their name."""

BRANDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"avi[fs]", PICTURE, "an AVIF picture"),
    (rb"hei[cxmsf]|hev[cxms]|mif[12]|msf1", PICTURE, "a HEIC picture"),
    (rb"crx ", RAW, "a camera's raw picture (CR3)"),
    (rb"qt  ", VIDEO, "a QuickTime video"),
    (rb"....", VIDEO, "an MP4 video"),
)
"""The same of files in boxes (ISO 14496-12), by the brands they go by."""

RIFFS = {b"WEBP": (PICTURE, "a WebP picture"), b"AVI ": (VIDEO, "an AVI video")}

PROLOG = re.compile(r"(\s*<\?xml[^>]*>)?(\s*<!--.*?-->)*\s*", re.DOTALL)
TEXTS: tuple[tuple[str, str, str], ...] = (
    (r"<svg\b|<!doctype svg", DRAWING, "an SVG drawing"),
    (r"<!doctype html|<(html|head|body)\b", OTHER, "a web page"),
    (r"<[a-z]", OTHER, "an XML answer of a server"),
    (r"[{\[]", OTHER, "JSON"),
    (r"version https://git-lfs", OTHER, "a Git LFS pointer"),
)
"""The same of text, in small letters, behind what may stand before."""
SAID = re.compile(
    r"<(?:title|message|code)>([^<]+)|"
    r'"(?:error|message|detail|error_description|errors?|msg)"\s*:\s*\[?\s*"([^"]+)"',
    re.IGNORECASE,
)
"""Where an answer says what went wrong."""

ADVICE = {
    PICTURE: "convert it to jpg or png",
    RAW: "develop it to jpg or png",
    DRAWING: "export it as png",
    VIDEO: "save a frame of it as jpg or png",
}
RAW_ENDINGS = (
    ".3fr", ".arw", ".cr2", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mos", ".nef",
    ".nrw", ".pef", ".rwl", ".sr2", ".srw",
)  # fmt: skip
"""Of cameras' raw pictures that look like TIFF; read as such, all but a small preview
would be lost."""
READ = (
    "a PNG picture", "a JPEG picture", "a GIF picture", "a WebP picture",
    "a TIFF picture",
)  # fmt: skip
"""Those that are read where they are whole."""


PLACES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
"""What else than a file can stand at a path. Some never end, or never begin."""


def what_stands_at(path: Path) -> str | None:
    """Name what stands at a path and is no file; None where it is, or nothing is."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # nothing there, or nothing that could be
        return None
    return next((name for is_such, name in PLACES if is_such(mode)), None)


def start_of(source: Path | IO[bytes]) -> bytes:
    """Return a file's first bytes; of one that is open, without moving on in it.

    Some files of the system say that they are empty, and reading them never ends.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return file.read(ENOUGH) if source.stat().st_size else b""
    start = source.read(ENOUGH)
    source.seek(0)
    return start


def kind_of_file(start: bytes) -> tuple[str, str] | None:
    """Return the group and the name, with its article, of a file; None where unknown.

    Args:
        start: its first bytes, ENOUGH of them.
    """
    if start[4:8] == b"ftyp":
        size = max(16, min(int.from_bytes(start[:4], "big"), len(start)))
        brands = [start[8:12], *re.findall(rb"(?s)....", start[16:size])]
        for brand, group, name in BRANDS:
            if any(re.fullmatch(brand, each, re.DOTALL) for each in brands):
                return group, name
    if start[:4] == b"RIFF":
        return RIFFS.get(start[8:12])
    if start[:4] == b"II*\0" and start[8:10] == b"CR":
        return RAW, "a camera's raw picture (CR2)"
    if start[257:262] == b"ustar":
        return OTHER, "a tar archive"
    for magic, group, name in STARTS:
        if start.startswith(magic):
            return group, name
    return _kind_of_text(start)


def _kind_of_text(start: bytes) -> tuple[str, str] | None:
    data = start.removeprefix(b"\xef\xbb\xbf")
    try:  # the last character may be torn
        text = getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return None
    if not text.strip() or CONTROL.search(text):
        return None
    prolog = PROLOG.match(text)
    within = text[prolog.end() :] if prolog else text
    for beginning, group, name in TEXTS:
        if re.match(beginning, within, re.IGNORECASE):
            said = said_in(text) if group == OTHER else ""
            name = "a JSON answer of a server" if said and name == "JSON" else name
            return group, name + said
    return OTHER, "text" + quoted(text.strip().splitlines()[0])


def said_in(answer: object) -> str:
    """Return what an answer of a server says went wrong, to put behind its name."""
    import json

    found = SAID.search(answer if isinstance(answer, str) else json.dumps(answer))
    return quoted(found[1] or found[2]) if found else ""


def quoted(text: str) -> str:
    """Return a line of text in brackets, to put behind the name of a kind."""
    line = " ".join(text.split())[:60].strip()
    return f" ('{line}')" if line and line.isprintable() else ""


def raw_picture(start: bytes, name: str) -> str | None:
    """Name a camera's raw picture, by its bytes or its ending; None if it is none."""
    group, kind = kind_of_file(start) or (None, "")
    if group == RAW:
        return kind
    ending = Path(name).suffix.lower()
    tiff = start.startswith((b"II*\0", b"MM\0*"))
    if tiff and ending in RAW_ENDINGS:
        return f"a camera's raw picture ({ending[1:].upper()})"
    return None


def why_no_picture(start: bytes, name: str) -> str:
    """Say what a file that could not be read as a picture is, and what to do.

    Args:
        start: its first bytes, ENOUGH of them.
        name: its own.
    """
    if not start:
        return "is empty, not a picture that can be read"
    raw = raw_picture(start, name)
    group, kind = (RAW, raw) if raw else kind_of_file(start) or (None, "")
    if group is None:
        return "is not a picture that can be read"
    if group == OTHER:
        return f"is not a picture that can be read but {kind}"
    if kind in READ:
        return (
            f"is not a picture that can be read but {kind} that is broken or cut short"
        )
    return f"is {kind}, which cannot be read; {ADVICE[group]}"
