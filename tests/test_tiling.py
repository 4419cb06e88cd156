"""Pictures that repeat without a seam."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from imaginairy import ImagineResult
from tests.support.pictures import pixels

Draw = Callable[..., ImagineResult]


def steps_across(image: Image.Image, axis: int) -> tuple[float, float]:
    """Return the mean step between pixels across the wrap, and anywhere inside."""
    seen = pixels(image).swapaxes(0, axis)
    return (
        float(np.abs(seen[0] - seen[-1]).mean()),
        float(np.abs(np.diff(seen, axis=0)).mean()),
    )


@pytest.mark.parametrize(("mode", "axes"), [("xy", (0, 1)), ("x", (1,)), ("y", (0,))])
def test_no_seam_where_asked(mode: str, axes: tuple[int, ...], draw: Draw) -> None:
    for axis in axes:
        pairs = [
            steps_across(draw("gold coins", tile_mode=mode, seed=seed).img, axis)
            for seed in range(3)
        ]
        seam, inside = np.mean(pairs, axis=0)
        assert seam < 1.3 * inside, (seam, inside)


def test_tiling_does_not_leak_into_the_next_picture(draw: Draw) -> None:
    before = draw("gold coins").img
    draw("gold coins", tile_mode="xy")
    assert np.array_equal(pixels(draw("gold coins").img), pixels(before))
