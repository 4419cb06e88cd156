"""Fitting, masking and pasting back, on pictures alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imaginairy import LazyLoadingImage, masks, sizes
from imaginairy.images import painted

GOLDENS = np.load(Path(__file__).parent / "data" / "masks.npz")


def canvas(kind: str, mode: str) -> masks.Canvas:
    init = Image.fromarray(GOLDENS["api.init"])
    mask = Image.fromarray(GOLDENS[f"api.{kind}.mask_image"])
    return masks.with_mask(masks.Canvas(init, init), mask, keeps=mode == "keep")


@pytest.mark.parametrize("mode", ["keep", "replace"])
@pytest.mark.parametrize("kind", ["binary", "soft"])
def test_latent_masks_are_the_reference_s(kind: str, mode: str) -> None:
    keep = canvas(kind, mode).keep
    assert keep is not None
    expected = GOLDENS[f"api.{kind}.{mode}.latent_mask"]
    assert np.array_equal(masks.latent_mask(keep, 8)[0, 0].numpy(), expected)


@pytest.mark.parametrize("mode", ["keep", "replace"])
def test_pasting_back_is_the_reference_s(mode: str) -> None:
    drawn = Image.fromarray(GOLDENS["api.generated"])
    pasted = np.asarray(masks.pasted(drawn, canvas("soft", mode)), int)
    error = np.abs(pasted - GOLDENS[f"api.soft.{mode}.composite"].astype(int))
    assert error.max() <= 1, f"worst {error.max()}, mean {error.mean()}"


@pytest.mark.parametrize(
    ("size", "box", "fitted"),
    [
        ((512, 512), (512, 512), (512, 512)),
        ((1024, 512), (512, 512), (512, 256)),
        ((600, 1000), (512, 512), (304, 512)),
        ((300, 200), (512, 512), (304, 200)),
        ((299, 100), (512, 512), (296, 96)),
        ((299, 100), (296, 96), (296, 96)),
        ((20, 30), (512, 512), (64, 64)),
        ((10_000, 10), (512, 512), (512, 64)),
        ((2000, 2000), (128, 128), (128, 128)),
    ],
)
def test_fitting(
    size: tuple[int, int], box: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert sizes.fitted_size(size, box) == fitted


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_fitted_sizes_are_always_good(width: int, height: int) -> None:
    for side in sizes.fitted_size((width, height), (512, 384)):
        assert side % 8 == 0 and 64 <= side <= 512


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_what_was_fitted_once_fits_again(width: int, height: int) -> None:
    fitted = sizes.fitted_size((width, height), (512, 384))
    assert sizes.fitted_size((width, height), fitted) == fitted


def test_the_original_is_untouched_outside_the_feather() -> None:
    rng = np.random.default_rng(0)
    original = Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    mask = Image.new("L", original.size)
    mask.paste(255, (100, 100, 200, 200))
    whole = masks.with_mask(masks.canvas_of(original, (128, 128)), mask, keeps=False)
    drawn = Image.new("RGB", whole.picture.size, "red")
    changed = np.asarray(masks.pasted_into_original(drawn, whole))
    outside = np.ones((300, 400), bool)
    outside[80:220, 80:220] = False
    assert np.array_equal(changed[outside], np.asarray(original)[outside])
    assert (changed[120:180, 120:180] == (255, 0, 0)).all()
    column = changed[150, 85:115, 0].astype(int)
    assert len(set(column)) > 5, "the edge of the patch is not feathered"


def test_outpainting_makes_room_and_keeps_the_picture() -> None:
    inner = Image.new("RGB", (100, 80), "blue")
    whole = masks.outpainted(inner, (10, 20, 30, 40), (512, 512))
    assert whole.original.size == (160, 120)
    assert whole.picture.size == (160, 120)
    assert whole.original_keep is not None
    keep = np.asarray(whole.original_keep)
    assert (keep[10:90, 40:140] == 255).all()
    assert keep.sum() == 255 * 100 * 80


LINES = np.zeros((6, 8), np.uint8)
LINES[1:3, 2:5] = 1
"""Where the masks below paint."""
WHITE, NOTHING = (255, 255, 255, 255), (0, 0, 0, 0)


def layer(ground: tuple[int, ...], stroke: tuple[int, ...] = WHITE) -> Image.Image:
    """Return a layer as a drawing program saves it."""
    colors = np.array([ground, stroke], np.uint8)
    return Image.fromarray(colors[LINES])


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


def test_grey_and_half_clear_paint_by_degrees() -> None:
    mask = layer((255, 255, 255, 51), (102, 102, 102, 255))
    assert sorted(set(np.asarray(painted(mask)).flat)) == [51, 102]
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


def test_what_is_clear_in_a_mask_stays() -> None:
    whole = masks.canvas_of(Image.new("RGB", (80, 60)), (128, 128))
    for keeps, white in ((False, 0), (True, 255)):
        whole = masks.with_mask(whole, layer(NOTHING), keeps=keeps)
        assert whole.original_keep is not None
        assert whole.original_keep.getpixel((79, 59)) == 255 - white
        assert whole.original_keep.getpixel((35, 20)) == white


@pytest.mark.parametrize(
    ("mask", "keeps", "said"),
    [
        (Image.new("L", (8, 8), 0), False, "paints nothing: all of"),
        (Image.new("L", (8, 8), 3), False, "paints nothing: all of"),
        (Image.new("L", (8, 8), 255), True, "paints nothing: all of"),
        (layer(NOTHING, (0, 0, 0, 255)), False, "paints nothing: all of"),
        (Image.new("L", (8, 8), 255), False, "paints everything"),
        (layer(NOTHING, (0, 0, 0, 255)), True, "paints everything"),
        (Image.new("RGB", (80, 60), "red"), False, "by more than 30 %"),
        (layer(NOTHING), False, ""),
        (layer(NOTHING), True, ""),
    ],
)
def test_a_mask_that_does_nothing_is_said(
    mask: Image.Image, keeps: bool, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = masks.canvas_of(Image.new("RGB", (80, 60)), (128, 128))
    masks.say_if_pointless(masks.with_mask(whole, mask, keeps=keeps))
    assert said in caplog.text and bool(said) == bool(caplog.text)
