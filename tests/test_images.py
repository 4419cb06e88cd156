"""Pictures of any mode read as RGB and as masks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaginairy import LazyLoadingImage
from imaginairy.errors import BadImageError
from imaginairy.images import painted, upright_rgb
from tests.support.layers import LINES, NOTHING, layer

RED = (255, 0, 0)


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (Image.new("RGBA", (4, 4), (255, 0, 0, 255)), RED),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("L", (4, 4), 100), (100, 100, 100)),
        (Image.new("LA", (4, 4), (100, 0)), (255, 255, 255)),
        (Image.new("1", (4, 4), 1), (255, 255, 255)),
        (Image.new("RGB", (4, 4), "red").convert("P"), RED),
        (Image.new("CMYK", (4, 4), (0, 255, 255, 0)), RED),
        (Image.fromarray(np.full((4, 4), 51400, np.uint16)), (200, 200, 200)),
        (Image.fromarray(np.full((4, 4), 0.5, np.float32)), (128, 128, 128)),
        (Image.fromarray(np.full((4, 4), 200, np.float32)), (200, 200, 200)),
        (Image.fromarray(np.full((4, 4), 200, np.int32)), (200, 200, 200)),
        (Image.fromarray(np.full((4, 4), 1, np.int32)), (255, 255, 255)),
        (Image.fromarray(np.full((4, 4), 5140, np.uint16)), (20, 20, 20)),
        (Image.frombytes("I;16B", (4, 4), b"\x14\x14" * 16), (20, 20, 20)),
        (Image.fromarray(np.zeros((4, 4), np.int32)), (0, 0, 0)),
        (Image.new("HSV", (4, 4), (0, 255, 255)), RED),
        (Image.new("LA", (4, 4), (100, 255)).convert("La"), (100, 100, 100)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 0)).convert("RGBa"), (255, 255, 255)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_every_mode_becomes_rgb(image: Image.Image, colour: tuple[int, ...]) -> None:
    rgb = upright_rgb(image)
    assert rgb.mode == "RGB"
    assert np.abs(np.subtract(rgb.getpixel((2, 2)), colour)).max() <= 1


@pytest.mark.parametrize(
    "numbers",
    [
        np.array([[0, 20]], np.int32),
        np.array([[0, 127]], np.int32),
        np.array([[0, 4000]], np.int32),
        np.array([[0, 32767]], np.int32),
        np.array([[0, 90000]], np.int32),
        np.array([[-1, 1]], np.int32),
        np.array([[-32, 255]], np.int32),
        np.array([[0, 287]], np.int32),
        np.array([[0, 20]], np.uint16),
        np.array([[0, 20]], np.float32),
        np.array([[0, np.nan]], np.float32),
        np.array([[0, np.inf]], np.float32),
    ],
    ids=lambda numbers: f"{numbers.dtype} {numbers.min()} to {numbers.max()}",
)
def test_numbers_that_do_not_say_what_white_is_are_refused(numbers: np.ndarray) -> None:
    with pytest.raises(BadImageError, match="does not say what white is"):
        upright_rgb(Image.fromarray(numbers))


@pytest.mark.parametrize(
    ("numbers", "levels"),
    [
        (np.array([[-0.125, 0.4999, 1.125]], np.float32), [0, 127, 255]),
        (np.array([[-31, 100, 286]], np.int32), [0, 100, 255]),
        (np.array([[0, 64, 127.5]], np.float32), [0, 64, 128]),
        (np.array([[0, 128]], np.int32), [0, 128]),
        (np.array([[0, 32768]], np.int32), [0, 128]),
    ],
    ids=lambda value: f"to {value.max()}" if isinstance(value, np.ndarray) else "",
)
def test_numbers_may_go_a_little_beyond_black_and_white_and_to_half_of_it(
    numbers: np.ndarray, levels: list[int]
) -> None:
    rgb = upright_rgb(Image.fromarray(numbers))
    assert np.asarray(rgb)[0].tolist() == [[level] * 3 for level in levels]


def test_half_clear_colours_lie_on_white() -> None:
    image = Image.new("RGBA", (2, 2), (255, 0, 100, 51))
    assert upright_rgb(image).getpixel((0, 0)) == (255, 204, 224)


@pytest.mark.parametrize(
    ("mode", "holds"),
    [
        ("RGB", True),
        ("RGBA", True),
        ("P", True),
        ("CMYK", False),
        ("L", False),
        ("LA", False),
    ],
)
def test_a_colour_profile_is_handed_on_where_it_holds_for_rgb(
    mode: str, holds: bool
) -> None:
    image = Image.new(mode, (2, 2))
    image.info["icc_profile"] = b"of a printer"
    read = upright_rgb(image).info.get("icc_profile")
    assert read == (b"of a printer" if holds else None)
    assert image.info["icc_profile"] == b"of a printer"


def test_pictures_are_turned_as_exif_says(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    lazy = LazyLoadingImage(filepath=tmp_path / "turned.jpg")
    assert upright_rgb(lazy.as_pillow()).size == (20, 40)


def numbers(white: float, kind: type) -> Image.Image:
    """Return a mask of numbers."""
    return Image.fromarray((LINES * float(white)).astype(kind))


def palette(**options: object) -> Image.Image:
    """Return a mask of two colours of a palette, of which the first may be clear."""
    mask = Image.fromarray(LINES).convert("P")
    mask.putpalette([255, 255, 255] * 2 if options else [0, 0, 0, 255, 255, 255])
    mask.info.update(options)
    return mask


MASKS = {
    "white strokes on a clear layer": layer(NOTHING),
    "the same, clear white": layer((255, 255, 255, 0)),
    "black ground, opaque": layer((0, 0, 0, 255)),
    "grey with opacity": layer(NOTHING).convert("LA"),
    "premultiplied": layer(NOTHING).convert("RGBa"),
    "premultiplied grey": layer((255, 255, 255, 0)).convert("LA").convert("La"),
    "palette with opacity": palette().convert("PA"),
    "palette": palette(),
    "palette with a clear colour": palette(transparency=0),
    "palette with opacities": palette(transparency=b"\0\xff"),
    "colours": layer((0, 0, 0, 255)).convert("RGB"),
    "bits": Image.fromarray(LINES.astype(bool)),
    "8 bits": numbers(255, np.uint8),
    "8 bits of 0 and 1": numbers(1, np.uint8),
    "16 bits": numbers(65535, np.uint16),
    "16 bits of 0 to 255": numbers(255, np.uint16),
    "16 bits of 0 and 1": numbers(1, np.uint16),
    "integers": numbers(65535, np.int32),
    "integers of 0 to 255": numbers(255, np.int32),
    "integers of 0 and 1": numbers(1, np.int32),
    "fractions": numbers(1, np.float32),
    "fractions of 0 to 255": numbers(255, np.float32),
    "ink": layer((0, 0, 0, 255)).convert("RGB").convert("CMYK"),
    "brightness and two colours": layer((0, 0, 0, 255)).convert("RGB").convert("YCbCr"),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_masks_of_every_mode_paint_where_they_are_white(mask: Image.Image) -> None:
    assert np.abs(np.asarray(painted(mask)) - 255.0 * LINES).max() <= 1


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("white strokes on a clear layer", "png"),
        ("white strokes on a clear layer", "webp"),
        ("grey with opacity", "png"),
        ("palette with opacities", "png"),
        ("palette with a clear colour", "gif"),
        ("bits", "png"),
        ("16 bits", "png"),
        ("integers", "tif"),
        ("fractions of 0 to 255", "tif"),
        ("ink", "tif"),
    ],
)
def test_files_of_masks_paint_where_they_are_white(
    name: str, ending: str, tmp_path: Path
) -> None:
    MASKS[name].save(tmp_path / f"mask.{ending}", lossless=True)
    mask = LazyLoadingImage(filepath=tmp_path / f"mask.{ending}").as_pillow()
    assert np.abs(np.asarray(painted(mask)) - 255.0 * LINES).max() <= 1


def test_a_png_of_16_bits_may_declare_one_grey_clear(tmp_path: Path) -> None:
    grey = Image.fromarray(np.array([[0, 30000, 65535]], np.uint16))
    grey.save(tmp_path / "mask.png", transparency=65535)
    mask = LazyLoadingImage(filepath=tmp_path / "mask.png").as_pillow()
    assert np.asarray(painted(mask)).tolist() == [[0, 117, 0]]
    grey.save(tmp_path / "mask.png", transparency=0)
    with Image.open(tmp_path / "mask.png") as image:
        assert np.asarray(upright_rgb(image))[0, :, 0].tolist() == [255, 117, 255]


def test_grey_and_half_clear_paint_by_degrees() -> None:
    mask = layer((255, 255, 255, 51), (102, 102, 102, 255))
    assert sorted(set(np.asarray(painted(mask)).flat)) == [51, 102]
    assert np.asarray(painted(Image.fromarray(2 * LINES))).max() == 2
    both = layer(NOTHING, (128, 128, 128, 128))
    assert np.asarray(painted(both)).max() == 64
    assert np.asarray(painted(numbers(0.25, np.float32))).max() == 64


def test_a_mask_is_turned_as_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("8 bits", "16 bits", "white strokes on a clear layer"):
        MASKS[name].save(tmp_path / "mask.png", exif=exif)
        mask = LazyLoadingImage(filepath=tmp_path / "mask.png").as_pillow()
        turned = np.asarray(painted(mask))
        assert np.array_equal(turned, 255 * np.rot90(LINES, -1)), name
