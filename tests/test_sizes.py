"""The size that is asked for is that of the file, whatever size it is drawn at."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, imagine
from imaginairy.enhancers.upscale import resized
from imaginairy.errors import BadOptionError
from imaginairy.metadata.read import read_metadata, with_sizes
from imaginairy.sizes import (
    crop,
    drawable,
    drawn_size,
    enlarged_like,
    exceeds,
    on_grid,
    parse_size,
    tellable,
    with_margins,
    written,
)
from tests.support.pictures import pixels
from tests.support.tiny_upscaler import save_repeater

Draw = Callable[..., ImagineResult]
SD, STORYBOOK = (512, 512), (128, 128)


@pytest.mark.parametrize(
    ("wanted", "native", "reach", "scale", "drawn"),
    [
        ((512, 512), SD, 2.25, 1, (512, 512)),
        ((768, 512), SD, 2.25, 1, (768, 512)),
        ((768, 768), SD, 2.25, 1, (768, 768)),
        ((64, 64), SD, 2.25, 1, (64, 64)),
        ((1024, 1024), SD, 2.25, 1, (512, 512)),
        ((2048, 1024), SD, 2.25, 1, (728, 360)),
        ((3840, 2160), SD, 2.25, 1, (680, 384)),
        ((2048, 2048), SD, 2.25, 4, (512, 512)),
        ((3840, 2160), SD, 2.25, 4, (960, 544)),
        ((8192, 8192), SD, 2.25, 4, (512, 512)),
        ((512, 512), SD, 2.25, 4, (512, 512)),
        ((512, 512), STORYBOOK, 1, 4, (128, 128)),
        ((768, 512), STORYBOOK, 1, 4, (160, 104)),
        ((256, 256), STORYBOOK, 1, 4, (128, 128)),
        ((1920, 1080), STORYBOOK, 1, 4, (168, 96)),
        ((1024, 512), STORYBOOK, 4, 4, (256, 128)),
        ((64, 64), STORYBOOK, 1, 4, (64, 64)),
        ((8192, 64), STORYBOOK, 1, 4, (8192, 64)),
    ],
)
def test_what_is_drawn(
    wanted: tuple[int, int],
    native: tuple[int, int],
    reach: float,
    scale: float,
    drawn: tuple[int, int],
) -> None:
    assert drawn_size(wanted, native, reach=reach, scale=scale) == drawn


SIDES = st.integers(8, 1024).map(lambda number: 8 * number)


@given(SIDES, SIDES, st.sampled_from([SD, STORYBOOK]), st.sampled_from([1, 2, 4]))
def test_what_is_drawn_is_never_larger_and_of_about_the_same_shape(
    width: int, height: int, native: tuple[int, int], scale: int
) -> None:
    drawn = drawn_size((width, height), native, reach=2.25, scale=scale)
    for side, wanted in zip(drawn, (width, height), strict=True):
        assert side % 8 == 0 and 64 <= side <= wanted
    assert 0.85 < drawn[0] / drawn[1] / (width / height) < 1.18
    if min(drawn) > 64:
        assert drawn[0] * drawn[1] < 1.2 * 2.25 * native[0] * native[1]


@pytest.mark.parametrize(
    ("size", "drawn"), [((512, 512), "128x128"), ((384, 256), "160x104")]
)
def test_the_bundled_model_enlarges_to_what_is_asked(
    size: tuple[int, int], drawn: str, draw: Draw, store: ModelStore, tmp_path: Path
) -> None:
    result = draw("a dog", steps=1, upscale=None, width=size[0], height=size[1])
    assert result.img.size == size
    assert result.prompt.draw_size == drawn
    assert result.images["generated"].size == parse_size(drawn)
    assert result.applied["upscale"]["model"] == "storybook-upscaler"
    path = result.save(tmp_path / "a.png")
    said = read_metadata(path)
    assert (said["width"], said["height"], said["draw_size"]) == (*size, drawn)
    (again,) = imagine(ImaginePrompt.from_file(path), store=store)
    assert np.array_equal(pixels(again.img), pixels(result.img))


def test_by_default_and_where_it_is_no_more_than_what_is_drawn(draw: Draw) -> None:
    usual = draw("a dog", steps=1, upscale=None)
    assert (usual.prompt.width, usual.prompt.height) == usual.img.size == (512, 512)
    small = draw("a dog", steps=1, upscale=None, width=96, height=64)
    assert small.img.size == (96, 64) and list(small.images) == ["generated"]
    assert small.prompt.upscale is False


def test_without_an_upscaler_a_filter_enlarges_and_that_is_said(
    draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        result = draw("a dog", steps=1, width=512, height=256)
    assert (
        "storybook was made for 128x128: drawn at 184x88 and enlarged to 512x256"
        in (caplog.text)
    )
    assert result.img.size == (512, 256)
    assert result.applied["upscale"] == {"model": "lanczos", "resized": "512x256"}
    expected = result.images["generated"].resize((512, 256), Image.Resampling.LANCZOS)
    assert np.array_equal(pixels(result.img), pixels(expected))


def test_a_model_of_ones_own_goes_as_far_as_four_times_its_area(
    tiny_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = tiny_folder / "unet" / "config.json"
    assert json.loads(config.read_text())["sample_size"] == 8
    options = {"model": str(tiny_folder), "steps": 1, "seed": 1}
    (result,) = imagine(ImaginePrompt("a fox", width=128, height=64, **options))
    assert result.img.size == (128, 64) and "made for" not in caplog.text
    (result,) = imagine(ImaginePrompt("a fox", width=512, height=256, **options))
    assert result.img.size == (512, 256) and result.prompt.draw_size == "128x64"


def test_a_draw_size_is_obeyed(draw: Draw, tmp_path: Path) -> None:
    repeater = str(save_repeater(tmp_path / "repeater.safetensors"))
    result = draw(
        "a dog", steps=1, draw_size="192X64", upscale=True, upscaler=repeater,
        width=384, height=128,
    )  # fmt: skip
    assert result.images["generated"].size == (192, 64)
    assert result.img.size == (384, 128)
    assert result.applied["upscale"]["resized"] == "384x128"
    result = draw("a dog", steps=1, draw_size="64x128")
    assert (result.prompt.width, result.prompt.height) == result.img.size == (64, 128)
    for text in ("64", "60x64", "64x10000", 64, "axb"):
        with pytest.raises(BadOptionError, match="draw_size"):
            ImaginePrompt("a dog", draw_size=text)


def test_with_an_init_image_its_shape_fits_into_the_size(draw: Draw) -> None:
    image = Image.new("RGB", (300, 200), "teal")
    options = {"init_image": image, "steps": 2, "init_image_strength": 0.5}
    result = draw("a dog", upscale=None, width=512, height=512, **options)
    assert result.prompt.draw_size == "128x88"
    assert (result.prompt.width, result.prompt.height) == result.img.size == (512, 352)
    assert result.init_image is not None and result.init_image.size == (128, 88)


@pytest.mark.parametrize("size", [(96, 48), (20, 40)])
def test_resized_tiles_repeat_without_a_seam(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    tile = Image.fromarray(rng.integers(0, 255, (24, 32, 3), np.uint8))
    once = resized(tile, size, "xy")
    twice = Image.fromarray(np.tile(np.asarray(tile), (3, 3, 1)))
    large = twice.resize((3 * size[0], 3 * size[1]), Image.Resampling.LANCZOS)
    box = (size[0], size[1], 2 * size[0], 2 * size[1])
    assert np.abs(pixels(once) - pixels(large.crop(box))).max() <= 1


def test_what_older_files_say_is_understood() -> None:
    said = {"prompt": "a", "width": 128, "height": 64, "upscale": False}
    assert with_sizes(said) == {**said, "draw_size": "128x64"}
    larger = {**said, "upscale": True, "applied": {"upscale": {"scale": 4}}}
    sizes = {"width": 512, "height": 256, "draw_size": "128x64"}
    assert with_sizes(larger) == {**larger, **sizes}
    assert with_sizes(with_sizes(larger)) == with_sizes(larger)
    huge = {**larger, "width": 4096}
    assert with_sizes(huge)["width"] is None
    assert with_sizes({"prompt": "a"}) == {"prompt": "a"}


@pytest.mark.parametrize(
    ("asked", "drawn", "larger"),
    [
        ((None, None), (64, 64), True),
        ((64, 64), (64, 64), False),
        ((72, None), (64, 64), True),
        ((None, 72), (64, 64), True),
        ((None, 56), (64, 64), False),
        ((128, 32), (64, 64), False),
        ((128, 40), (64, 64), True),
    ],
)
def test_what_is_larger_than_what_is_drawn(
    asked: tuple[int | None, int | None], drawn: tuple[int, int], larger: bool
) -> None:
    assert exceeds(asked, drawn) is larger


@pytest.mark.parametrize(
    ("size", "factor", "nearest"),
    [
        ((99, 107), 1, (96, 104)),
        ((101, 200), 1, (104, 200)),
        ((128, 512), 0.25, (64, 128)),
        ((60, 64), 1, (64, 64)),
    ],
)
def test_the_grid(
    size: tuple[int, int], factor: float, nearest: tuple[int, int]
) -> None:
    assert on_grid(size, factor) == nearest


def test_margins_keep_their_share_of_a_size_of_another_scale() -> None:
    margins = (10, 20, 30, 40)  # up, right, down, left
    assert with_margins((512, 256), margins, (256, 128)) == (512 + 120, 256 + 80)
    assert with_margins((64, 64), (0, 64, 0, 0), (64, 64)) == (128, 64)
    assert with_margins((64, 64), (64, 0, 0, 0), (64, 64)) == (64, 128)
    assert with_margins((64, 64), (8192, 0, 0, 0), (64, 64)) == (64, 8192)
    assert enlarged_like((64, 128), (128, 128), (256, 64)) == (128, 64)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512x768", (512, 768)),
        (" 64 X 72 ", (64, 72)),
        ("64\u00d772", (64, 72)),
        ("64", None),
        ("64x", None),
        ("64x72x80", None),
        ("-64x72", None),
        ("9" * 5000 + "x8", None),
    ],
)
def test_sizes_in_words(text: str, size: tuple[int, int] | None) -> None:
    assert parse_size(text) == size
    if size is not None:
        assert written(size) == f"{size[0]}x{size[1]}"


def test_sizes_that_can_be_drawn() -> None:
    for text in ("64x8192", "8192x64", "72x64"):
        assert drawable("draw_size", text.replace("x", " X ")) == text
    for text in ("56x64", "64x56", "8200x64", "64x8200", "68x64", "64x68"):
        with pytest.raises(BadOptionError) as refused:
            drawable("draw_size", text)
        assert str(refused.value) == (
            f"draw_size {text} cannot be drawn; both sides are multiples of 8 from 64 "
            "to 8192."
        )
    with pytest.raises(BadOptionError) as refused:
        drawable("draw_size", 64)
    assert str(refused.value) == (
        "draw_size 64 cannot be read; write width and height as 512x768."
    )


def test_sizes_that_can_be_told() -> None:
    for text in ("1x1", "16384x3", "1023x769"):
        assert tellable("original_size", text.replace("x", " X ")) == text
    assert tellable("original_size", "\u0663\u0662x8") == "32x8"
    for text in ("0x0", "0x8", "8x0", "16385x8", "8x999999999"):
        with pytest.raises(BadOptionError) as refused:
            tellable("original_size", text)
        assert str(refused.value) == (
            f"original_size {text} is out of range; both sides are from 1 to 16384."
        )
    for value in ("10x", "", "-8x8", "1.5x2", "\u00b2x8", "9" * 5000 + "x8", (8, 8), 8):
        with pytest.raises(BadOptionError, match="cannot be read") as refused:
            tellable("target_size", value)
        assert len(str(refused.value)) < 130


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("0,64", "0,64"),
        (" 8 , 16384 ", "8,16384"),
        ("top8,left16", "8,16"),
        ("Left16, Top8", "8,16"),
        ("l16", "0,16"),
        ("t8", "8,0"),
        ("\u0663,1", "3,1"),
    ],
)
def test_crops_in_words(text: str, read: str) -> None:
    assert crop("crop", text) == read
    assert crop("crop", read) == read


@pytest.mark.parametrize(
    "value",
    ["", "8", "8,", ",8", "1,2,3", "-8,0", "0,-8", "16385,0", "top16385", "1.5,2",
     "1 2,3", "t1,top2", "top1,2", "right8", "left", "9" * 5000 + ",0", (0, 8), 8,
     None],
)  # fmt: skip
def test_what_is_no_crop(value: object) -> None:
    with pytest.raises(BadOptionError) as refused:
        crop("crop", value)
    said = str(refused.value)
    assert said.startswith("crop ") and len(said) < 160
    assert said.endswith(
        " cannot be read; give the pixels cropped at the top and at the left, from 0 "
        "to 16384, as 64,0 or top64,left0."
    )
