"""Fitting, masking and pasting back, on pictures alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imaginairy import sizes
from imaginairy.masks.canvas import (
    Canvas,
    canvas_of,
    outpainted,
    say_if_pointless,
    with_mask,
)
from imaginairy.masks.paste import pasted, pasted_into_original
from tests.support.layers import NOTHING, layer

GOLDENS = np.load(Path(__file__).parents[1] / "data" / "masks.npz")


def canvas(mode: str) -> Canvas:
    init = Image.fromarray(GOLDENS["api.init"])
    mask = Image.fromarray(GOLDENS["api.soft.mask_image"])
    return with_mask(Canvas(init, init), mask, keeps=mode == "keep")


@pytest.mark.parametrize("mode", ["keep", "replace"])
def test_pasting_back_is_the_reference_s(mode: str) -> None:
    drawn = Image.fromarray(GOLDENS["api.generated"])
    found = np.asarray(pasted(drawn, canvas(mode)), int)
    error = np.abs(found - GOLDENS[f"api.soft.{mode}.composite"].astype(int))
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
    whole = with_mask(canvas_of(original, (128, 128)), mask, keeps=False)
    drawn = Image.new("RGB", whole.picture.size, "red")
    changed = np.asarray(pasted_into_original(drawn, whole))
    outside = np.ones((300, 400), bool)
    outside[80:220, 80:220] = False
    assert np.array_equal(changed[outside], np.asarray(original)[outside])
    assert (changed[120:180, 120:180] == (255, 0, 0)).all()


@pytest.mark.parametrize(
    ("paste", "steepest"),
    [(pasted, 34), (pasted_into_original, 20)],
    ids=["drawn at its size", "in the original"],
)
def test_the_edge_of_the_patch_fades_over_some_pixels(
    paste: Callable[[Image.Image, Canvas], Image.Image], steepest: int
) -> None:
    """Blurred by 3 and by 5: a step of 255 rises by 255 / (s * sqrt(2 pi)) at most."""
    mask = Image.new("L", (128, 128))
    mask.paste(255, (64, 0, 128, 128))
    black = Image.new("RGB", (128, 128))
    whole = with_mask(canvas_of(black, (128, 128)), mask, keeps=False)
    row = np.asarray(paste(Image.new("RGB", (128, 128), "white"), whole))[64, :, 0]
    assert row[0] == 0 and row[-1] == 255
    assert row[63] < 128 <= row[64]
    assert abs(np.diff(row.astype(int)).max() - steepest) <= 1


def test_a_small_patch_is_enlarged_smoothly_for_the_original() -> None:
    ramp = np.repeat(np.linspace(0, 255, 64, dtype=np.uint8)[None], 64, axis=0)
    drawn = Image.fromarray(ramp).convert("RGB")
    mask = Image.new("L", (256, 256), 255)
    black = Image.new("RGB", (256, 256))
    whole = with_mask(canvas_of(black, (64, 64)), mask, keeps=False)
    changed = pasted_into_original(drawn, whole)
    wanted = drawn.resize((256, 256), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(changed), np.asarray(wanted))


def test_a_picture_is_made_smaller_by_a_sharp_filter_and_its_original_stays() -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8))
    whole = canvas_of(image, (128, 128))
    wanted = image.resize((128, 128), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(whole.picture), np.asarray(wanted))
    assert np.array_equal(np.asarray(whole.original), np.asarray(image))


def test_a_canvas_is_upright_and_white_where_it_was_clear() -> None:
    image = Image.new("RGBA", (80, 64), (255, 0, 0, 0))
    image.getexif()[0x0112] = 6
    whole = canvas_of(image, (64, 80))
    assert whole.original.size == whole.picture.size == (64, 80)
    assert whole.picture.getpixel((5, 5)) == (255, 255, 255)
    around = outpainted(image, (0, 8, 0, 8), (80, 80))
    assert around.original.size == (80, 80)
    assert around.original.getpixel((0, 0)) == (255, 255, 255)


def test_outpainting_makes_room_and_keeps_the_picture() -> None:
    rng = np.random.default_rng(0)
    inner = Image.fromarray(rng.integers(0, 256, (80, 100, 3), dtype=np.uint8))
    whole = outpainted(inner, (10, 20, 30, 40), (160, 120))
    assert whole.original.size == (160, 120)
    assert whole.picture.size == (160, 120)
    assert whole.original_keep is not None
    keep = np.asarray(whole.original_keep)
    assert (keep[10:90, 40:140] == 255).all()
    assert keep.sum() == 255 * 100 * 80
    drawn_out = np.asarray(whole.original)
    assert np.array_equal(drawn_out[10:90, 40:140], np.asarray(inner))
    assert (drawn_out[:10, 40:140] == np.asarray(inner)[0]).all()
    assert (drawn_out[10:90, 140:] == np.asarray(inner)[:, -1:]).all()


def test_what_is_clear_in_a_mask_stays() -> None:
    whole = canvas_of(Image.new("RGB", (80, 60)), (128, 128))
    for keeps, white in ((False, 0), (True, 255)):
        whole = with_mask(whole, layer(NOTHING), keeps=keeps)
        assert whole.original_keep is not None
        assert whole.original_keep.getpixel((79, 59)) == 255 - white
        assert whole.original_keep.getpixel((35, 20)) == white


@pytest.mark.parametrize(
    ("mask", "keeps", "said"),
    [
        (Image.new("L", (8, 8), 0), False, "paints nothing: all of"),
        (Image.new("L", (8, 8), 8), False, "paints nothing: all of"),
        (Image.new("L", (8, 8), 9), False, "by more than 4 %"),
        (Image.new("L", (8, 8), 127), False, "by more than 50 %"),
        (Image.new("L", (8, 8), 128), False, ""),
        (Image.new("L", (8, 8), 246), False, ""),
        (Image.new("L", (8, 8), 247), False, "paints everything"),
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
    whole = canvas_of(Image.new("RGB", (80, 60)), (128, 128))
    say_if_pointless(with_mask(whole, mask, keeps=keeps))
    assert said in caplog.text and bool(said) == bool(caplog.text)
