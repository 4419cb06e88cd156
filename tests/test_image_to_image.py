"""Starting from a picture: every sampler, every strength."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from imaginairy import ImagineResult, ModelStore
from imaginairy.images import image_to_tensor, tensor_to_image
from imaginairy.samplers import SAMPLERS
from tests.support.pictures import distance, pixels

Draw = Callable[..., ImagineResult]
STRENGTHS = (0, 0.3, 0.7, 1)
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def source(draw: Draw) -> Image.Image:
    return draw("a landscape with mountains at night", seed=3).img


@pytest.fixture(scope="module")
def through_the_autoencoder(source: Image.Image, store: ModelStore) -> Image.Image:
    import torch

    model = store.get("storybook").diffusion
    noise = torch.zeros(1, 4, source.height // 8, source.width // 8)
    with torch.inference_mode():
        return tensor_to_image(
            model.decode(model.encode(image_to_tensor(source), noise))[0]
        )


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_stronger_the_closer(
    sampler: str, draw: Draw, source: Image.Image, through_the_autoencoder: Image.Image
) -> None:
    options = {"sampler_type": sampler, "steps": 8, "prompt_strength": 2}
    distances = []
    for strength in STRENGTHS:
        drawn = [
            draw(
                "a landscape", seed=seed, init_image=source,
                init_image_strength=strength, **options,
            ).img
            for seed in SEEDS
        ]  # fmt: skip
        distances.append(np.mean([distance(image, source) for image in drawn]))
    assert distances == sorted(distances, reverse=True), distances
    assert distance(drawn[0], through_the_autoencoder) < 2, "strength 1 gives it back"


@pytest.mark.parametrize("sampler", ["plms", "k_euler_a"])
def test_strength_0_ignores_the_picture(
    sampler: str, draw: Draw, source: Image.Image
) -> None:
    with_picture = draw(
        "a dog", sampler_type=sampler, init_image=source, init_image_strength=0
    )
    without = draw("a dog", sampler_type=sampler)
    assert np.array_equal(np.asarray(with_picture.img), np.asarray(without.img))


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
