"""Pictures that repeat without a seam."""

from collections.abc import Callable

import numpy as np
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


def test_no_seam_where_asked(draw: Draw) -> None:
    drawn = [draw("gold coins", tile_mode="xy", seed=seed, steps=10) for seed in (0, 1)]
    for axis in (0, 1):
        pairs = [steps_across(result.img, axis) for result in drawn]
        seam, inside = np.mean(pairs, axis=0)
        assert seam < 1.3 * inside, (seam, inside)


def test_tiling_does_not_leak_into_the_next_picture(draw: Draw) -> None:
    before, tiled, after = (
        draw("gold coins", tile_mode=mode, steps=2).img for mode in ("", "xy", "")
    )
    assert np.array_equal(pixels(after), pixels(before))
    assert not np.array_equal(pixels(tiled), pixels(before))
