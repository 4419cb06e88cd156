"""Pictures of a folder: which, what is said of them, and at which size."""

import logging
from pathlib import Path

import pytest
from PIL import Image

from imaginairy.errors import BadImageError, BadOptionError, ImaginairyError
from imaginairy.learning.folder import (
    Found,
    cropped,
    pictures_in,
    read_pictures,
    shaped,
    with_captions,
    with_word,
)
from imaginairy.learning.lesson import require_word

NAMES = ("1.png", "2.jpg", "3.webp", "4.bmp", "5.gif", "6.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures, and what is none."""
    for number, name in enumerate(NAMES):
        Image.new("RGB", (64, 64), (40 * number, 0, 0)).save(tmp_path / name)
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes.md").write_text("no picture")
    return tmp_path


def captions(found: list[Found]) -> list[str | None]:
    return [each.caption for each in found]


def test_pictures_of_all_formats_are_found_by_name(folder: Path) -> None:
    found = pictures_in(folder)
    assert [each.path.name for each in found] == list(NAMES)
    assert captions(found) == [None] * 6
    assert len({each.sha256 for each in found}) == 6


def test_captions_are_beside_pictures_and_in_a_list(folder: Path) -> None:
    (folder / "1.txt").write_text("a red\n fox \n")
    (folder / "2.caption").write_text("\ufeffa frog")
    lines = ['{"file_name": "3.webp", "text": "a bird"}', "",
             '{"file_name": "1.png", "text": "not this"}',
             '{"file_name": "4.bmp", "caption": "a cat"}']  # fmt: skip
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    said = ["a red fox", "a frog", "a bird", "a cat", None, None]
    assert captions(pictures_in(folder)) == said
    for way in ("blip", "word"):
        assert captions(pictures_in(folder, way)) == [None] * 6  # type: ignore[arg-type]


def test_where_captions_are_to_be_in_files_none_is_lacking(folder: Path) -> None:
    (folder / "1.txt").write_text("a fox")
    with pytest.raises(BadOptionError, match=r"5 of 6 pictures .* have no caption"):
        pictures_in(folder, "files")


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("1.txt", b"\xff\xfe", "is no text in UTF-8"),
        ("1.txt", b"a" * 300_000, "has 300,000 bytes; a caption has up to"),
        ("metadata.jsonl", b"\xff", "is no text in UTF-8"),
        ("metadata.jsonl", b'{"file_name": "1.png"}', "Line 1 of .* cannot be read"),
        ("metadata.jsonl", b"\n[1]", "Line 2 of .* cannot be read"),
        ("metadata.jsonl", b'{"file_name": 1, "text": 2}', "Line 1 of"),
        ("metadata.jsonl", b"[" * 100_000, "Line 1 of"),
    ],
)
def test_captions_that_cannot_be_read_are_said(
    folder: Path, name: str, data: bytes, problem: str
) -> None:
    (folder / name).write_bytes(data)
    with pytest.raises(BadOptionError, match=problem):
        pictures_in(folder)


def test_a_folder_without_pictures_says_where_some_are(folder: Path) -> None:
    with pytest.raises(BadOptionError, match="is not there; give a folder of pictures"):
        pictures_in(folder / "nowhere")
    with pytest.raises(BadOptionError, match="is a file; give a folder"):
        pictures_in(folder / "1.png")
    (folder / "empty").mkdir()
    with pytest.raises(BadOptionError, match=r"There are no pictures in .*; give a"):
        pictures_in(folder / "empty")
    (folder / "empty" / "inner").mkdir()
    (folder / "1.png").rename(folder / "empty" / "inner" / "1.png")
    with pytest.raises(BadOptionError, match=r"there are some in '.*/empty/inner'"):
        pictures_in(folder / "empty")


def test_few_pictures_are_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "imaginairy")
    pictures_in(folder)
    assert not caplog.messages
    for name in NAMES[1:]:
        (folder / name).unlink()
    pictures_in(folder)
    assert caplog.messages == [
        "1 picture is little to learn from, and soon known by heart; 5 to 30 are usual."
    ]


def test_the_word_is_put_into_captions_that_do_not_have_it(folder: Path) -> None:
    assert with_word("a fox", "zorb") == "zorb, a fox"
    assert with_word("a Zorb, red", "zorb") == "a Zorb, red"
    assert with_word("a zorbian", "zorb") == "zorb, a zorbian"
    assert with_word("", "zorb") == "zorb"
    assert with_word("a fox", None) == "a fox"
    found = [Found(folder / "1.png", "", "a fox"), Found(folder / "2.jpg", "", None)]
    said = with_captions(found, "zorb", lambda image: f"{image.width} wide")
    assert captions(said) == ["zorb, a fox", "zorb, 64 wide"]
    assert captions(with_captions(found, "zorb", None)) == ["zorb, a fox", "zorb"]


def test_what_is_written_of_a_picture_is_said(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "imaginairy")
    found = [Found(folder / name, "", None) for name in NAMES[:2]]
    texts = iter(["a fox", ""])
    with_captions(found, "zorb", lambda image: next(texts))
    assert caplog.messages == ["1.png: a fox"]


@pytest.mark.parametrize("word", ["", " ", "a" * 101, "a(b", "<zorb>", "a:1", "a|b"])
def test_a_word_is_something_that_prompts_can_say(word: str) -> None:
    with pytest.raises(BadOptionError, match="is none that something can go by"):
        require_word(word)
    assert require_word("  zorb   style ") == "zorb style"


def test_the_middle_of_a_picture_is_taken() -> None:
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    middle, framing = cropped(image, (50, 50))
    assert middle.size == (50, 50)
    assert middle.crop((5, 0, 45, 50)).getcolors() == [(2000, (0, 0, 255))]
    assert framing.original == (300, 100)
    assert (framing.crop, framing.target) == ((0, 50), (50, 50))


@pytest.mark.parametrize(
    ("own", "size", "expected"),
    [
        ((100, 100), (512, 512), (512, 512)),
        ((1600, 900), (512, 512), (704, 384)),
        ((900, 1600), (512, 512), (384, 704)),
        ((9000, 100), (1024, 1024), (1472, 704)),
        ((300, 200), (128, 128), (160, 112)),
    ],
)
def test_a_shape_that_is_kept_has_the_area_of_the_size(
    own: tuple[int, int], size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert shaped(own, size) == expected


def test_pictures_are_read_at_the_size_and_small_ones_are_said(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("RGB", (200, 100)).save(folder / "6.png")
    found = pictures_in(folder)
    sizes = [p.image.size for p in read_pictures(found, (64, 64), keep_shape=False)]
    assert sizes == [(64, 64)] * 6
    assert not caplog.messages
    shapes = [p.image.size for p in read_pictures(found, (96, 96), keep_shape=True)]
    assert shapes == [(96, 96)] * 5 + [(128, 64)]
    assert caplog.messages == [
        "5 of 6 pictures are smaller than 96x96, at which they are learnt, and are "
        "enlarged."
    ]


def test_a_broken_picture_is_named(folder: Path) -> None:
    (folder / "3.webp").write_bytes(b"RIFF....WEBP")
    with pytest.raises(BadImageError, match=r"3\.webp"):
        read_pictures(pictures_in(folder), (64, 64), keep_shape=False)
    assert issubclass(BadImageError, ImaginairyError)
