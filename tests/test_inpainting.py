"""Painting into a part of a picture, around it, and into nothing but that part."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from imaginairy import ImagineResult
from tests.support.pictures import distance, pixels, share

Draw = Callable[..., ImagineResult]
BOX = (32, 32, 96, 96)


@pytest.fixture(scope="module")
def source(draw: Draw) -> Image.Image:
    return draw("a yellow star on a blue background", seed=3).img


@pytest.fixture(scope="module")
def mask() -> Image.Image:
    mask = Image.new("L", (128, 128), 0)
    mask.paste(255, BOX)
    return mask


@pytest.mark.parametrize("sampler", ["plms", "k_dpm_adaptive"])
def test_a_sampler_paints_only_what_the_mask_shows(
    sampler: str, draw: Draw, source: Image.Image, mask: Image.Image
) -> None:
    result = draw(
        "a red circle on a blue background", sampler_type=sampler, steps=5,
        init_image=source, init_image_strength=0, mask_image=mask,
    )  # fmt: skip
    reach = pixels(mask.filter(ImageFilter.GaussianBlur(5)).convert("RGB")) > 0
    kept = ~reach.any(axis=2)
    changed = result.images["modified_original"]
    assert np.array_equal(pixels(changed)[kept], pixels(source)[kept])
    assert distance(changed.crop(BOX), source.crop(BOX)) > 10


def test_mask_mode_keep_turns_the_mask_round(
    draw: Draw, source: Image.Image, mask: Image.Image
) -> None:
    options = {"init_image": source, "init_image_strength": 0, "seed": 5}
    kept = draw("a dog on grass", mask_image=mask, mask_mode="keep", **options).img
    inside = (44, 44, 84, 84)
    assert distance(kept.crop(inside), source.crop(inside)) < 1
    assert distance(kept, source) > 10
    replaced = draw("a dog on grass", mask_image=mask, **options).img
    assert distance(replaced.crop(inside), source.crop(inside)) > 10


def test_what_is_painted_fits_its_surroundings(
    draw: Draw, source: Image.Image, mask: Image.Image
) -> None:
    """The seam is no stronger than the picture is elsewhere, at full strength."""
    seams, inside = [], []
    for seed in range(2):
        result = draw(
            "a blue background", seed=seed, steps=15, init_image=source,
            init_image_strength=0, mask_image=mask,
        )  # fmt: skip
        steps = np.abs(np.diff(pixels(result.img).mean(axis=2), axis=1))
        seams.append(steps[32:96, [30, 31, 32, 94, 95, 96]].mean())
        inside.append(steps.max(axis=1).mean())
    assert np.mean(seams) < np.mean(inside) / 2, (seams, inside)


def test_a_soft_mask_lets_through_by_degrees(draw: Draw, source: Image.Image) -> None:
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 128, dtype=np.uint8), (128, 1)))
    result = draw(
        "a red square on a white background", init_image=source, mask_image=ramp,
        init_image_strength=0,
    )  # fmt: skip
    change = np.abs(pixels(result.img) - pixels(source)).mean(axis=(0, 2))
    left, right = change[:32].mean(), change[96:].mean()
    assert left < right / 3, (left, right)


def test_the_patch_goes_into_the_original_at_its_own_size(
    draw: Draw, source: Image.Image
) -> None:
    rng = np.random.default_rng(0)
    grain = rng.integers(-8, 8, (300, 300, 3))
    large = Image.fromarray(
        (pixels(source.resize((300, 300))) + grain).clip(0, 255).astype(np.uint8)
    )
    mask = Image.new("L", large.size, 0)
    mask.paste(255, (90, 90, 210, 210))
    options = {"init_image": large, "mask_image": mask, "init_image_strength": 0}
    result = draw("a red circle on a blue background", **options)
    whole = result.images["modified_original"]
    assert whole.size == large.size
    assert result.img.size == (128, 128)
    outside = np.ones((300, 300), bool)
    outside[70:230, 70:230] = False
    assert np.array_equal(pixels(whole)[outside], pixels(large)[outside])
    without = draw("a red circle", mask_modify_original=False, steps=2, **options)
    assert list(without.images) == ["generated"]


def test_outpainting_draws_on(draw: Draw, source: Image.Image) -> None:
    result = draw(
        "a yellow star on a blue background", init_image=source, seed=2,
        outpaint="left64,right64",
    )  # fmt: skip
    whole = result.images["modified_original"]
    assert whole.size == result.img.size == (256, 128)
    inner = whole.crop((64 + 16, 0, 64 + 112, 128))
    assert np.array_equal(pixels(inner), pixels(source.crop((16, 0, 112, 128))))
    for side in ((0, 0, 64, 128), (192, 0, 256, 128)):
        assert share(whole, "blue", side) > 0.5, "the ground does not go on"
