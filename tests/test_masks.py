"""Fitting, masking and pasting back, on pictures alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imaginairy import masks

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
    assert masks.fitted_size(size, box) == fitted


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_fitted_sizes_are_always_good(width: int, height: int) -> None:
    for side in masks.fitted_size((width, height), (512, 384)):
        assert side % 8 == 0 and 64 <= side <= 512


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_what_was_fitted_once_fits_again(width: int, height: int) -> None:
    fitted = masks.fitted_size((width, height), (512, 384))
    assert masks.fitted_size((width, height), fitted) == fitted


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
