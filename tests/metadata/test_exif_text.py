"""Comments of pictures in every encoding that programs write them in."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from imaginairy.metadata.exif_text import JAPANESE, decode_comment, encode_comment
from imaginairy.metadata.foreign import read_foreign
from imaginairy.metadata.read import read_written

PROMPTS = (
    "a stable robot",
    "café",
    "cat",
    "一" * 300,
    "猫と犬 🦊",
    "UNICODE art",
    "ascii art",
    "㨺㨺, of two colons each",
)
SETTINGS = "Steps: 20, Sampler: k_euler, CFG scale: 9, Seed: 14, Size: 512x512"
NO_CODE, ASCII, UNICODE, JIS, UNDEFINED = (
    b"", b"ASCII\0\0\0", b"UNICODE\0", b"JIS\0\0\0\0\0", bytes(8)
)  # fmt: skip
WAYS = {
    "no code": (NO_CODE, "utf-8"),
    "no code, utf-16": (NO_CODE, "utf-16-le"),
    "a mark alone": (NO_CODE, "utf-8-sig"),
    "ascii": (ASCII, "utf-8"),
    "ascii filled with spaces": (b"ASCII   ", "utf-8"),
    "ascii, yet utf-16": (ASCII, "utf-16-be"),
    "big end first": (UNICODE, "utf-16-be"),
    "little end first": (UNICODE, "utf-16-le"),
    "in small letters": (b"Unicode\0", "utf-16-le"),
    "filled with a space": (b"UNICODE ", "utf-16-be"),
    "little end first, marked": (UNICODE + codecs.BOM_UTF16_LE, "utf-16-le"),
    "big end first, marked": (UNICODE + codecs.BOM_UTF16_BE, "utf-16-be"),
    "utf-8": (UNICODE, "utf-8"),
    "utf-8, marked": (UNICODE, "utf-8-sig"),
    "undefined": (UNDEFINED, "utf-8"),
    "undefined, utf-16": (UNDEFINED, "utf-16-le"),
    "utf-8 behind jis": (JIS, "utf-8"),
}


def saved(path: Path, comment: bytes | str) -> Path:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("way", WAYS)
def test_comments_in_every_encoding(way: str, prompt: str, tmp_path: Path) -> None:
    code, encoding = WAYS[way]
    text = f"{prompt}\nNegative prompt: 雨\n{SETTINGS}"
    file = saved(tmp_path / "a.jpg", code + text.encode(encoding) + b"\0\0")
    assert read_written(file).comment == text
    record = read_foreign(read_written(file))
    assert record is not None
    assert record.fields["prompt"] == prompt
    assert (record.fields["negative_prompt"], record.fields["seed"]) == ("雨", 14)


@pytest.mark.parametrize("encoding", ["iso2022_jp", "shift_jis", "euc_jp"])
def test_japanese_encodings(encoding: str, tmp_path: Path) -> None:
    text = f"赤い狐 by a lake\n{SETTINGS}"
    for code in (JIS, b"JIS     ", b"jis\0\0\0\0\0"):
        file = saved(tmp_path / "a.jpg", code + text.encode(encoding))
        assert read_written(file).comment == text


def test_a_comment_that_is_tagged_as_text(tmp_path: Path) -> None:
    for text in (f"a stable robot\n{SETTINGS}", f"猫\n{SETTINGS}"):
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = text.encode()
        Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
        assert text in read_written(tmp_path / "a.jpg").texts
    assert decode_comment(f"猫\n{SETTINGS}".encode().decode("latin-1")) == (
        f"猫\n{SETTINGS}"
    )


def test_latin_letters_and_what_is_no_text() -> None:
    assert decode_comment(f"café\n{SETTINGS}".encode("latin-1")) == f"café\n{SETTINGS}"
    assert decode_comment(f"ÀÉÈ\n{SETTINGS}".encode("latin-1")) == f"ÀÉÈ\n{SETTINGS}"
    assert decode_comment(f"红狐\n{SETTINGS}".encode("gb2312")) == ""
    for nothing in (None, b"", b"ASCII\0\0\0", bytes(8), 7, (1, 2)):
        assert decode_comment(nothing) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (UNICODE + "a fox".encode("utf-16-le"), "a fox"),
        (codecs.BOM_UTF16_LE + "猫".encode("utf-16-le"), "猫"),
        (b"a\nfox!", "a\nfox!"),
        (bytearray(b"a fox"), "a fox"),
        ("猫 a", "? a"),
    ],
)
def test_texts_without_settings(value: bytes | bytearray | str, text: str) -> None:
    assert decode_comment(value) == text


def test_ours_say_their_encoding() -> None:
    assert encode_comment("a fox") == ASCII + b"a fox"
    assert encode_comment("é\ud800") == UNICODE + b"\0\xe9\0?"


@given(st.text())
def test_ours_come_back(text: str) -> None:
    text = f'{{"prompt": "{text}", "seed": 1}}'.rstrip("\0")
    assert decode_comment(encode_comment(text)) == text


@given(st.binary())
def test_any_bytes_can_be_read(data: bytes) -> None:
    for code in (NO_CODE, UNICODE, JIS):
        text = decode_comment(code + data)
        ways = ("utf-8", "utf-16-be", "utf-16-le", "cp1252", *JAPANESE)
        starts = (code + data, data, data[8:], data[2:], data[3:])
        readings = {
            start.decode(way, errors="replace").rstrip("\0")
            for start in starts
            for way in ways
        }
        assert text in readings | {""}
