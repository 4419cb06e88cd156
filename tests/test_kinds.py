"""Files that are no pictures we read are named for what they are."""

import io
from pathlib import Path

import pytest
from PIL import Image

from imaginairy import LazyLoadingImage
from imaginairy.errors import BadImageError
from imaginairy.kinds import (
    kind_of_file,
    quoted,
    raw_picture,
    said_in,
    start_of,
    why_no_picture,
)
from imaginairy.metadata.read import read_written
from imaginairy.pictures import read_picture


def box(brand: str, *others: str) -> bytes:
    """Return how a file in boxes begins."""
    brands = b"".join(each.encode() for each in (brand, "\0\0\0\0", *others))
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + b"\0" * 64


def whole(kind: str, side: int = 64) -> bytes:
    """Return a picture as Pillow saves it."""
    data = io.BytesIO()
    Image.effect_noise((side, side), 50).save(data, kind)
    return data.getvalue()


HEIC = "a HEIC picture, which cannot be read; convert it to jpg or png."
SVG = "an SVG drawing, which cannot be read; export it as png."
MP4 = "an MP4 video, which cannot be read; save a frame of it as jpg or png."
FILES = {
    "iphone.heic": (box("heic", "mif1", "heic"), HEIC),
    "ten-bit.heif": (box("mif1", "mif1", "heix"), HEIC),
    "named-so.jpg": (box("heic", "mif1"), HEIC),
    "broken.avif": (box("avif", "mif1"), "an AVIF picture, which cannot be read"),
    "clip.mp4": (box("isom", "iso2", "mp41"), MP4),
    "clip.m4v": (box("M4V ", "mp42"), MP4),
    "clip.mov": (box("qt  "), "a QuickTime video, which cannot be read"),
    "clip.webm": (b"\x1aE\xdf\xa3" + b"\0" * 40, "a Matroska or WebM video"),
    "clip.avi": (b"RIFF\0\0\0\0AVI LIST", "an AVI video"),
    "a.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', SVG),
    "b.svg": (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a -->\n<svg/>', SVG),
    "c.svg": (b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "x" "y">\n<svg>', SVG),
    "d.svg": (b"<!-- made by hand -->\n<svg>", SVG),
    "e.pdf": (b"%PDF-1.7\n%\xe2\xe3", "a PDF document, which cannot be read; export"),
    "f.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript drawing"),
    "g.jxl": (b"\xff\x0a\x01\x02", "a JPEG XL picture"),
    "h.psb": (b"8BPS\0\x02" + b"\0" * 40, "a Photoshop document"),
    "i.xcf": (b"gimp xcf v011\0", "a GIMP document"),
    "j.cr2": (b"II*\0\x10\0\0\0CR\x02\0", "a camera's raw picture (CR2)"),
    "j.cr3": (box("crx ", "isom"), "a camera's raw picture (CR3)"),
    "k.raf": (b"FUJIFILMCCD-RAW 0201", "a camera's raw picture (RAF)"),
    "l.dng": (whole("TIFF"), "a camera's raw picture (DNG), which cannot be read"),
    "l.NEF": (whole("TIFF"), "a camera's raw picture (NEF), which cannot be read"),
    "page.png": (b"<!DOCTYPE html>\n<html>", "that can be read but a web page."),
    "answer.jpg": (b'{"error": "gone"}', "that can be read but a JSON answer"),
    "denied.jpg": (b"<?xml version='1.0'?><Error/>", "read but an XML answer"),
    "plain.jpg": (b"Access denied\n", "can be read but text ('Access denied')."),
    "umlauts.jpg": (
        ("ä" * 3000).encode("latin-1"),
        "is not a picture that can be read.",
    ),
    "lfs.png": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer."),
    "zipped.png": (b"PK\x03\x04\0\0", "can be read but a zip archive."),
    "nothing.png": (b"", "is empty, not a picture that can be read."),
    "bytes.png": (bytes(range(200)), "is not a picture that can be read."),
    "cut.jpg": (whole("JPEG")[:600], "but a JPEG picture that is broken or cut short."),
    "cut.png": (whole("PNG")[:600], "but a PNG picture that is broken or cut short."),
    "cut.webp": (whole("WEBP")[:300], "a WebP picture that is broken or cut short."),
}


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_is_stands_in_the_refusal(name: str, tmp_path: Path) -> None:
    data, words = FILES[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadImageError) as refused:
        LazyLoadingImage(filepath=tmp_path / name).as_pillow()
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["iphone.heic", "a.svg", "page.png", "nothing.png"])
def test_reading_tags_says_the_same(name: str, tmp_path: Path) -> None:
    data, words = FILES[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadImageError) as refused:
        read_written(tmp_path / name)
    assert words in str(refused.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_pictures_are_read_whatever_they_are_called(kind: str, tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(whole(kind))
    assert LazyLoadingImage(filepath=tmp_path / "photo.heic").size == (64, 64)


def test_text_that_is_cut_within_a_character_is_text() -> None:
    assert kind_of_file("ä".encode() * 5 + "ä".encode()[:1]) == (
        "other",
        "text ('äääää')",
    )


STARTS: dict[bytes, tuple[str, str]] = {
    b"\xff\x0a": ("picture", "a JPEG XL picture"),
    b"\0\0\0\x0cJXL ": ("picture", "a JPEG XL picture"),
    b"\0\0\0\x0cjP  ": ("picture", "a JPEG 2000 picture"),
    b"\xff\x4f\xff\x51": ("picture", "a JPEG 2000 picture"),
    b"DDS ": ("picture", "a DDS texture"),
    b"\0\0\1\0": ("picture", "a Windows icon"),
    b"\0\0\2\0": ("picture", "a Windows cursor"),
    b"icns": ("picture", "an icon of macOS"),
    b"\xd0\xcf\x11\xe0": ("other", "a document of an office program"),
    b"8BPS": ("picture", "a Photoshop document"),
    b"gimp xcf": ("picture", "a GIMP document"),
    b"v/1\x01": ("picture", "an OpenEXR picture"),
    b"#?RADIANCE": ("picture", "a Radiance HDR picture"),
    b"BPG\xfb": ("picture", "a BPG picture"),
    b"AT&TFORM": ("picture", "a DjVu document"),
    b"\x89PNG": ("picture", "a PNG picture"),
    b"\xff\xd8\xff": ("picture", "a JPEG picture"),
    b"GIF8": ("picture", "a GIF picture"),
    b"II*\0": ("picture", "a TIFF picture"),
    b"MM\0*": ("picture", "a TIFF picture"),
    b"II+\0": ("picture", "a TIFF picture"),
    b"MM\0+": ("picture", "a TIFF picture"),
    b"RIFF\0\0\0\0WEBP": ("picture", "a WebP picture"),
    b"FUJIFILMCCD-RAW": ("raw", "a camera's raw picture (RAF)"),
    b"IIRO": ("raw", "a camera's raw picture (ORF)"),
    b"IIU\0": ("raw", "a camera's raw picture (RW2)"),
    b"FOVb": ("raw", "a camera's raw picture (X3F)"),
    b"%PDF": ("drawing", "a PDF document"),
    b"%!PS": ("drawing", "a PostScript drawing"),
    b"\xc5\xd0\xd3\xc6": ("drawing", "a PostScript drawing"),
    b"\xd7\xcd\xc6\x9a": ("drawing", "a Windows metafile"),
    b"\x1aE\xdf\xa3": ("video", "a Matroska or WebM video"),
    b"FLV\x01": ("video", "a Flash video"),
    b"\0\0\x01\xba": ("video", "an MPEG video"),
    b"RIFF\0\0\0\0AVI ": ("video", "an AVI video"),
    b"GGUF": ("other", "a GGUF file"),
    b"lmgg": ("other", "a GGML file"),
    b"tjgg": ("other", "a GGML file"),
    b"\x89HDF": ("other", "an HDF5 file"),
    b"\x93NUMPY": ("other", "a NumPy array"),
    b"PK\x03\x04": ("other", "a zip archive"),
    b"\x1f\x8b": ("other", "a gzip archive"),
    b"7z\xbc\xaf\x27\x1c": ("other", "a 7z archive"),
    b"Rar!": ("other", "a RAR archive"),
    b"BZh": ("other", "a bzip2 archive"),
    b"\xfd7zXZ": ("other", "an xz archive"),
    b"(\xb5/\xfd": ("other", "a Zstandard archive"),
    b"\x7fELF": ("other", "a program"),
    b"MZ": ("other", "a program"),
    b"\0" * 257 + b"ustar": ("other", "a tar archive"),
    box("avif"): ("picture", "an AVIF picture"),
    box("mif1", "avis"): ("picture", "an AVIF picture"),
    **{
        box(brand): ("picture", "a HEIC picture")
        for brand in ("heic", "heix", "heim", "heis", "hevc", "hevx", "msf1", "mif2")
    },
    box("crx ", "mp42"): ("raw", "a camera's raw picture (CR3)"),
    box("isom", "qt  "): ("video", "a QuickTime video"),
    box("\n\n\n\n"): ("video", "an MP4 video"),
}


@pytest.mark.parametrize("start", STARTS)
def test_a_kind_is_told_by_its_first_bytes(start: bytes) -> None:
    assert kind_of_file(start + b"\0" * 9) == STARTS[start]
    assert kind_of_file(b"\1" + start) is None


def test_brands_are_looked_for_in_the_box_of_brands_alone() -> None:
    assert kind_of_file(box("isom")[:-64] + b"\0\0\0\x08heic") == (
        "video",
        "an MP4 video",
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<SVG width=", ("drawing", "an SVG drawing")),
        ("<svgx>", ("other", "an XML answer of a server")),
        ("<html>", ("other", "a web page")),
        ("\n <head><title> Not  Found </title>", ("other", "a web page ('Not Found')")),
        ("<Error><Code>NoSuchKey</Code>", ("other",
         "an XML answer of a server ('NoSuchKey')")),
        ('{"a": 1}', ("other", "JSON")),
        ("[1]", ("other", "JSON")),
        ('{"message": "no  more"}', ("other", "a JSON answer of a server ('no more')")),
        ('{"errors": ["gone"]}', ("other", "a JSON answer of a server ('gone')")),
        ("\n  first line \nsecond", ("other", "text ('first line')")),
        ("x" * 70, ("other", f"text ('{'x' * 60}')")),
        (" \n", None),
        ("a\x07b", None),
    ],
)  # fmt: skip
def test_a_kind_of_text(text: str, kind: tuple[str, str] | None) -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        assert kind_of_file(mark + text.encode()) == kind


def test_what_a_server_says_went_wrong() -> None:
    assert said_in({"detail": "too many"}) == " ('too many')"
    assert said_in('{"a": 1}') == ""
    assert said_in("<message>a\n b</message>") == " ('a b')"
    assert quoted("  ") == "" and quoted("a\x1bb") == ""


@pytest.mark.parametrize("tiff", [b"II*\0", b"MM\0*"])
def test_raw_pictures_that_look_like_tiff_are_told_by_their_ending(tiff: bytes) -> None:
    endings = "3fr arw cr2 dcr dng erf iiq kdc mos nef nrw pef rwl sr2 srw"
    for ending in endings.split():
        named = f"a camera's raw picture ({ending.upper()})"
        assert raw_picture(tiff, f"a.{ending}") == named
        assert raw_picture(b"\xff\xd8\xff", f"a.{ending}") is None
    assert raw_picture(tiff, "a.tif") is None
    assert raw_picture(b"IIRO", "a.tif") == "a camera's raw picture (ORF)"


def test_why_a_file_is_no_picture() -> None:
    assert why_no_picture(b"", "a.png") == "is empty, not a picture that can be read"
    assert why_no_picture(b"\0\1", "a.png") == "is not a picture that can be read"
    assert why_no_picture(b"\x89PNG", "a") == (
        "is not a picture that can be read but a PNG picture that is broken or cut "
        "short"
    )
    assert why_no_picture(b"8BPS", "a").endswith("read; convert it to jpg or png")
    assert why_no_picture(b"IIRO", "a").endswith("read; develop it to jpg or png")
    assert why_no_picture(b"%PDF", "a").endswith("cannot be read; export it as png")
    assert why_no_picture(b"FLV\x01", "a").endswith("save a frame of it as jpg or png")


def test_4096_bytes_are_looked_at_and_an_open_file_stays_where_it_is(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_bytes(bytes(5000))
    assert start_of(tmp_path / "a") == bytes(4096)
    with (tmp_path / "a").open("rb") as file:
        assert start_of(file) == bytes(4096)
        assert file.tell() == 0


def test_a_file_that_says_it_is_empty_is_not_read(tmp_path: Path) -> None:
    """As one of the kernel's, of which some never come to an end."""
    (tmp_path / "a").touch()
    for path in (tmp_path / "a", *Path("/proc/self").glob("environ")):
        assert start_of(path) == b""
        with pytest.raises(BadImageError, match="is empty, not a picture that can be"):
            read_picture(path)
