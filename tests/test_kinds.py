"""Files that are no pictures we read are named for what they are."""

import io
from pathlib import Path

import pytest
from PIL import Image

from imaginairy import LazyLoadingImage
from imaginairy.errors import BadImageError
from imaginairy.kinds import kind_of_file
from imaginairy.metadata import read_written


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
