"""The tags of picture files, one by one: what goes where, and what is read there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from imaginairy.errors import BadImageError
from imaginairy.metadata.read import Written, read_written, with_sizes, written_in
from imaginairy.metadata.tags import Tags, as_json, parameters_text, tags_of
from imaginairy.metadata.write import (
    MAX_EXIF_BYTES,
    image_format,
    write_image,
    write_tagged,
)
from imaginairy.metadata.xmp import COMMENT_IS_IN_XMP

SAID: dict[str, Any] = {
    "prompt": "a fox", "prompt_text": "a fox", "negative_prompt": "", "steps": 4,
    "sampler_type": "k_euler", "schedule": None, "prompt_strength": 7.5, "seed": 3,
    "width": 128, "height": 64, "draw_size": "64x32", "model_sha256": "0123456789ab",
    "model": "/models/dream.safetensors", "software": "imaginairy 1", "clip_skip": 1,
    "platform": "Linux x86_64", "device": "cpu",
    "created": "2026-01-02T03:04:05+06:00",
}  # fmt: skip
PLAIN = Image.new("RGB", (8, 8), "teal")


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        (
            {},
            "a fox\nSteps: 4, Sampler: k_euler, CFG scale: 7.5, Seed: 3, Size: 64x32, "
            "Model hash: 0123456789, Model: dream.safetensors, Version: imaginairy 1",
        ),
        ({"negative_prompt": "dog"}, "a fox\nNegative prompt: dog\nSteps: 4, "),
        ({"schedule": "karras"}, "Sampler: k_euler, Schedule type: karras, CFG"),
        ({"schedule": "normal"}, "Sampler: k_euler, CFG scale"),
        ({"sampler_type": "k_dpmpp_3m_sde"}, "k_dpmpp_3m_sde, Schedule type: karras"),
        ({"sampler_type": "another"}, "Sampler: another, CFG scale"),
        ({"draw_size": None}, "Size: 128x64, Model hash"),
        ({"draw_size": None, "width": None}, "Seed: 3, Model hash"),
        ({"clip_skip": 2}, "dream.safetensors, Clip skip: 2, Version"),
        ({"clip_skip": None}, "dream.safetensors, Version"),
    ],
)
def test_what_other_tools_read_says_no_more_than_there_is(
    more: dict[str, Any], lines: str
) -> None:
    said = {**SAID, **more}
    text = parameters_text(said)
    assert text == lines if not more else lines in text
    assert text.count("\n") == 1 + bool(said["negative_prompt"])
    assert tags_of(said).chunks == {"parameters": text}


def test_metadata_that_lacks_something_has_no_such_text() -> None:
    for name in ("seed", "model_sha256", "negative_prompt", "schedule", "width"):
        lacking = {key: SAID[key] for key in SAID if key != name}
        assert tags_of(lacking, {"a": "b"}).chunks == {"a": "b"}
    assert tags_of(SAID, {"parameters": "old"}).chunks["parameters"] != "old"
    assert tags_of({}) == Tags(comment="{}")


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_every_tag_holds_what_it_is_for(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / f"a.{ending}"
    write_image(PLAIN, path, SAID)
    with Image.open(path) as image:
        exif = image.getexif()
        comment = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
        assert image.format == {"jpg": "JPEG", "png": "PNG"}[ending]
    assert {tag: exif[tag] for tag in exif if tag != ExifTags.IFD.Exif} == {
        ExifTags.Base.ImageDescription: "a fox",
        ExifTags.Base.Software: "imaginairy 1",
        ExifTags.Base.DateTime: "2026:01:02 03:04:05",
        ExifTags.Base.HostComputer: "Linux x86_64, cpu",
    }
    assert json.loads(comment.removeprefix(b"ASCII\0\0\0")) == SAID
    assert list(path.parent.iterdir()) == [path]


def test_tags_without_a_text_are_left_out(tmp_path: Path) -> None:
    write_tagged(PLAIN, tmp_path / "a.png", Tags("x"))
    with Image.open(tmp_path / "a.png") as image:
        assert list(image.getexif()) == [ExifTags.IFD.Exif]
        assert image.text == {}  # type: ignore[attr-defined]


def test_the_exif_of_a_jpg_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    path, description = tmp_path / "a.jpg", "fox " * 250

    def saved(letters: int) -> tuple[int, bool]:
        """Return how long EXIF became, and whether it held the comment."""
        write_tagged(PLAIN, path, Tags("x" * letters, description=description))
        assert read_written(path).comment == "x" * letters
        with Image.open(path) as image:
            exif = image.getexif()
            assert exif[ExifTags.Base.ImageDescription] == description
            said = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
            elsewhere = said.endswith(COMMENT_IS_IN_XMP.encode())
            assert elsewhere == ("xmp" in image.info)
            return len(image.info["exif"]), not elsewhere

    assert MAX_EXIF_BYTES == 65_535 - 2
    around = saved(1000)[0] - 1000
    for letters in range(65_533 - around - 4, 65_533 - around + 4):
        needed = around + letters + letters % 2  # it is filled up to an even number
        length, is_there = saved(letters)
        assert is_there == (needed <= 65_533), letters
        assert length == needed or not is_there


def test_pictures_keep_their_colours(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 4), dtype=np.uint8)
    image = Image.fromarray(noise)
    image.info["icc_profile"] = profile
    for ending, mode in (("jpg", "RGB"), ("png", "RGBA")):
        write_tagged(image, tmp_path / f"a.{ending}", Tags("x"))
        with Image.open(tmp_path / f"a.{ending}") as saved:
            assert (saved.mode, saved.info["icc_profile"]) == (mode, profile)
    for ending in ("jpg", "png"):
        write_tagged(image.convert("L"), tmp_path / f"grey.{ending}", Tags("x"))
        with Image.open(tmp_path / f"grey.{ending}") as saved:
            assert saved.mode == "L"
    image.convert("RGB").save(tmp_path / "b.jpg", quality=95)
    with (
        Image.open(tmp_path / "a.jpg") as ours,
        Image.open(tmp_path / "b.jpg") as usual,
    ):
        assert ours.quantization == usual.quantization  # type: ignore[attr-defined]


def test_what_a_png_cannot_say_becomes_a_question_mark(tmp_path: Path) -> None:
    tags = Tags("x", chunks={"a": "狐 \udcff"})
    write_tagged(PLAIN, tmp_path / "a.png", tags)
    assert read_written(tmp_path / "a.png").chunks == {"a": "狐 ?"}


def test_a_file_that_was_there_stays_where_saving_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("old")
    broken = Image.new("RGB", (0, 0))
    with pytest.raises((ValueError, SystemError, OSError)):
        write_tagged(broken, path, Tags("x"))
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_texts_are_found_wherever_they_stand_the_likeliest_first(
    tmp_path: Path,
) -> None:
    exif = Image.Exif()
    exif[0x9C9C] = "of Windows".encode("utf-16-le")
    exif[ExifTags.Base.ImageDescription] = "a description"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0exif"
    PLAIN.save(tmp_path / "a.jpg", exif=exif, comment="of the jpg")
    written = read_written(tmp_path / "a.jpg")
    assert written.texts == ("exif", "of Windows", "a description", "of the jpg")
    assert (written.comment, written.size, written.format) == ("exif", (8, 8), "JPEG")
    info = PngInfo()
    info.add_text("Title", "first")
    info.add_text("parameters", "second")
    info.add_itxt("XML:com.adobe.xmp", "<a>packet</a>")
    PLAIN.resize((9, 7)).save(tmp_path / "a.png", pnginfo=info, exif=exif)
    written = read_written(tmp_path / "a.png")
    assert written.texts[:3] == ("second", "exif", "packet")
    assert written.texts[3:] == ("first", "of Windows", "a description")
    assert written.chunks == {"Title": "first", "parameters": "second"}
    assert (written.parameters, written.size) == ("second", (9, 7))
    assert Written((1, 1), "", "").parameters == ""


def test_a_picture_in_memory_says_nothing() -> None:
    assert written_in(PLAIN) == Written((8, 8), "", "")


@pytest.mark.parametrize(
    ("comment", "known"),
    [
        ('{"prompt": "a"}', True),
        ('{"seed": 1}', False),
        ('["prompt"]', False),
        ('"prompt"', False),
        ("prompt", False),
        ("[" * 100_000, False),
    ],
)
def test_only_what_names_a_prompt_is_a_record_of_ours(
    comment: str, known: bool
) -> None:
    assert (Written((8, 8), "", comment).metadata is not None) == known


@pytest.mark.parametrize(
    ("said", "sizes"),
    [
        ({"width": 8, "height": 16}, (8, 16, "8x16")),
        ({"width": 8, "height": 16, "draw_size": None}, (8, 16, None)),
        ({"width": 8}, (8, None, None)),
        ({"width": 8, "height": True}, (8, True, None)),
        ({"width": 8, "height": 1.5}, (8, 1.5, None)),
        (
            {"width": 8, "height": 16, "upscale": True,
             "applied": {"upscale": {"scale": 4}}},
            (32, 64, "8x16"),
        ),
        (
            {"width": 8, "height": 16, "upscale": False,
             "applied": {"upscale": {"scale": 4}}},
            (8, 16, "8x16"),
        ),
        (
            {"width": 8, "height": 16, "upscale": True,
             "applied": {"upscale": {"scale": 2.5}}},
            (8, 16, "8x16"),
        ),
        ({"width": 8, "height": 16, "upscale": True, "applied": 3}, (8, 16, "8x16")),
        (
            {"width": 8, "height": 16, "upscale": True, "applied": {"upscale": 3}},
            (8, 16, "8x16"),
        ),
        (
            {"width": 8, "height": 1024, "upscale": True,
             "applied": {"upscale": {"scale": 8}}},
            (64, 8192, "8x1024"),
        ),
        (
            {"width": 8, "height": 1025, "upscale": True,
             "applied": {"upscale": {"scale": 8}}},
            (None, None, "8x1025"),
        ),
    ],
)  # fmt: skip
def test_sizes_of_older_files_are_said_as_today(
    said: dict[str, Any], sizes: tuple[Any, ...]
) -> None:
    now = with_sizes({"prompt": "a", **said})
    assert tuple(now.get(each) for each in ("width", "height", "draw_size")) == sizes
    assert now["prompt"] == "a"


def test_json_keeps_letters_where_they_can_be_written() -> None:
    assert as_json({"a": "狐"}) == '{"a": "狐"}'
    assert as_json({"a": "狐\udcff"}) == '{"a": "\\u72d0\\udcff"}'
    assert as_json({"a": "\ufffe\uffff"}) == r'{"a": "\ufffe\uffff"}'
    assert as_json({"a": np.int64(3), "b": Path("c")}) == '{"a": 3, "b": "c"}'


@pytest.mark.parametrize(
    ("name", "kind"), [("a.JPG", "JPEG"), ("a.jpeg", "JPEG"), ("a.PNG", "PNG")]
)
def test_endings_say_the_format(name: str, kind: str) -> None:
    assert image_format(Path(name)) == kind


def test_too_many_pixels_are_said_and_too_little_memory_is_no_fault_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    PLAIN.save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16)
    with pytest.raises(BadImageError, match="too many pixels to be read safely"):
        read_written(path)

    def raises(error: BaseException) -> Callable[..., None]:
        def open_image(*given: object, **more: object) -> None:
            raise error

        return open_image

    monkeypatch.setattr(Image, "open", raises(MemoryError()))
    with pytest.raises(MemoryError):
        read_written(path)
    with pytest.raises(BadImageError, match="There is no file"):
        read_written(tmp_path / "none.png")
