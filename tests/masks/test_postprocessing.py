"""Smoothing and cutting of masks, against imaginAIry 2.0's results."""

from pathlib import Path

import numpy as np
import pytest

from imaginairy.masks import postprocessing
from imaginairy.masks.postprocessing import median_blur, postprocess

ARRAYS = np.load(Path(__file__).with_name("data") / "masks.npz")


@pytest.mark.parametrize("name", ["a", "b"])
def test_goldens(name: str) -> None:
    mask = ARRAYS[f"post.{name}.in"]
    np.testing.assert_array_equal(median_blur(mask), ARRAYS[f"post.{name}.median"])
    finished = postprocess(mask)
    np.testing.assert_array_equal(finished.binary, ARRAYS[f"post.{name}.binary_uint8"])
    np.testing.assert_array_equal(
        finished.grayscale, ARRAYS[f"post.{name}.grayscale_uint8"]
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (7, 9), (64, 33)])
def test_any_shape_in_blocks_of_any_size(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.random.default_rng(0).random(shape, dtype=np.float32)
    whole = median_blur(mask)
    monkeypatch.setattr(postprocessing, "BLOCK_BYTES", 1)
    np.testing.assert_array_equal(median_blur(mask), whole)
    finished = postprocess(mask)
    assert finished.binary.shape == finished.grayscale.shape == shape
    assert finished.binary.dtype == finished.grayscale.dtype == np.uint8


def test_a_speck_goes_and_a_margin_is_added() -> None:
    mask = np.zeros((60, 80))
    mask[5:8, 5:8] = 1
    mask[30:50, 40:60] = 1
    binary, grayscale = postprocess(mask)
    assert set(np.unique(binary)) == {0, 255}
    assert not binary[:15, :15].any()
    rows, columns = np.nonzero(binary)
    assert (rows.min(), columns.min()) == (20, 30)
    assert (columns.max(), rows.max()) == (69, 59)
    assert (grayscale <= binary).all()


@pytest.mark.parametrize(("value", "cut"), [(0.4999, 0), (0.5, 255)])
def test_a_mask_is_cut_at_one_half(value: float, cut: int) -> None:
    binary, grayscale = postprocess(np.full((12, 12), value))
    assert set(binary.flat) == {cut} and set(grayscale.flat) == {127}


def test_the_mask_given_is_left_as_it_was() -> None:
    mask = ARRAYS["post.a.in"].copy()
    postprocess(mask)
    np.testing.assert_array_equal(mask, ARRAYS["post.a.in"])
