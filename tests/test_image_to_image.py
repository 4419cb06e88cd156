"""Starting from a picture, as the eye sees it; tests/roads has the numbers."""

from collections.abc import Callable

import pytest
from PIL import Image

from imaginairy import ImagineResult
from tests.support.pictures import distance, pixels

Draw = Callable[..., ImagineResult]
STRENGTHS = (0, 0.4, 0.8, 1)


@pytest.fixture(scope="module")
def source(draw: Draw) -> Image.Image:
    return draw("a landscape with mountains at night", seed=3).img


@pytest.mark.parametrize("sampler", ["plms", "k_dpmpp_2m"])
def test_the_stronger_the_closer(sampler: str, draw: Draw, source: Image.Image) -> None:
    options = {"sampler_type": sampler, "steps": 6, "prompt_strength": 2}
    distances = [
        distance(
            draw(
                "a landscape", init_image=source, init_image_strength=strength,
                **options,
            ).img,
            source,
        )
        for strength in STRENGTHS
    ]  # fmt: skip
    assert distances == sorted(distances, reverse=True), distances
    assert distances[-1] < 4, "strength 1 gives it back"


def test_the_prompt_changes_what_the_strength_leaves(
    draw: Draw, source: Image.Image
) -> None:
    changed = draw(
        "a landscape with mountains, day", init_image=source, init_image_strength=0.2
    ).img
    assert pixels(changed).mean() > pixels(source).mean() + 20


def test_odd_sizes_are_fitted_and_the_file_says_so(draw: Draw) -> None:
    result = draw("a dog", steps=2, init_image=Image.new("RGB", (301, 203), "teal"))
    assert result.img.size == (128, 88)
    assert (result.prompt.width, result.prompt.height) == (128, 88)
