"""Whatever is drawn on a strict device is what the CPU draws."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from PIL import Image

from imaginairy import (
    ImaginePrompt,
    ModelStore,
    Observer,
    describe,
    find_img_text_similarity,
    fix_faces,
    imagine,
    mask,
    upscale,
)
from imaginairy.observe import Step
from tests.support.pictures import assert_same, noise
from tests.support.portraits import portraits
from tests.support.pretend_device import NAME, plugged_in

Stores = tuple[ModelStore, ModelStore]
Fields = dict[str, Any]
DrawnAlike = Callable[..., None]


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    """The CPU's, and the device's."""
    with plugged_in("cuda"):
        yield ModelStore("cpu", "full"), ModelStore(NAME, "full")


@pytest.fixture
def drawn_alike(models: dict[str, str], stores: Stores) -> DrawnAlike:
    """Draw on both, all that is asked for in one batch, and compare."""

    def drawn_alike(*asked: Fields, model: str = "1") -> None:
        usual = {"prompt": "a red fox", "width": 64, "height": 64, "steps": 2}
        usual |= {"model": models[model], "sampler_type": "ddim", "seed": 5}
        prompts = [ImaginePrompt(**{**usual, **fields}) for fields in asked]
        size = len(prompts)
        pairs = zip(
            *(imagine(prompts, store=store, batch_size=size) for store in stores),
            strict=True,
        )
        for wanted, drawn in pairs:
            assert drawn.images.keys() == wanted.images.keys()
            for kind, image in wanted.images.items():
                assert_same(drawn.images[kind], image)

    return drawn_alike


PICTURE = {"init_image": noise("RGB", (64, 64)), "init_image_strength": 0.4}
HALF = Image.new("L", (64, 64))
HALF.paste(255, (0, 0, 32, 64))
WORDS = {"mask_prompt": "a dog", "mask_model": "storybook-clipseg"}
WAYS: dict[str, Fields] = {
    "image to image": PICTURE,
    "an image and no steps": {**PICTURE, "init_image_strength": 1},
    "a mask": {**PICTURE, "mask_image": HALF},
    "a mask in words": {
        **PICTURE,
        "mask_prompt": "a dog",
        "mask_model": "storybook-clipseg",
    },
    "outpainting": {**PICTURE, "outpaint": "left16", "width": 80},
    "tiles": {"tile_mode": "xy"},
    "tiles enlarged": {"tile_mode": "x", "upscale": True},
    "a variation": {"variation_strength": 0.4, "variation_seed": 9},
    "weights": {"prompt": "a (red:1.3) fox", "negative_prompt": "fruit"},
    "two texts": {"prompt": [("a bowl", 0.7), ("fox", 0.3)]},
    "embeddings": {"prompt": "", "conditioning": torch.randn(1, 77, 48)},
    "no guidance": {"prompt_strength": 1},
    "limits": {"guidance_rescale": 0.7, "dynamic_threshold": 0.9, "apg": "0:2"},
    "perpendicular": {"negative_prompt": "fruit", "perpendicular_negative": 1},
    "an interval": {"guidance_interval": "0.5:1"},
    "steps that share": {"speed": "fast", "steps": 8},
    "noise": {"sampler_type": "k_euler_a", "eta": 0.5},
    "another schedule": {"sampler_type": "k_dpmpp_2m", "schedule": "beta"},
    "an earlier layer": {"clip_skip": 2},
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_draw_works_on_it(way: str, drawn_alike: DrawnAlike) -> None:
    drawn_alike(WAYS[way])


@pytest.mark.parametrize("model", ["2", "XL", "inpainting"])
def test_every_kind_of_model_draws_on_it(model: str, drawn_alike: DrawnAlike) -> None:
    masked = {"mask_image": HALF} if model == "inpainting" else {}
    drawn_alike({**PICTURE, **masked}, model=model)


def test_a_refiner_and_a_vae_take_part_on_it(
    drawn_alike: DrawnAlike, models: dict[str, str]
) -> None:
    drawn_alike({"vae": models["vae"]})
    refined = {"refiner": f"{models['refiner']}@0.5", "steps": 3}
    drawn_alike(refined, model="XL")


def test_batches_are_drawn_on_it(drawn_alike: DrawnAlike) -> None:
    drawn_alike(
        {"seed": 1, "prompt_strength": 3},
        {"seed": 2, "prompt": "a bowl of fruit " * 20},
        {"seed": 3, "negative_prompt": "fox"},
    )


def test_previews_are_decoded_on_it(models: dict[str, str], stores: Stores) -> None:
    class Previews(Observer):
        def __init__(self) -> None:
            self.seen: list[Image.Image] = []

        def on_step(self, step: Step) -> None:
            self.seen.append(step.decode(step.denoised))

    watching = [Previews(), Previews()]
    prompt = ImaginePrompt("a fox", model=models["1"], steps=2, width=64, height=64)
    for store, observer in zip(stores, watching, strict=True):
        list(imagine(prompt, store=store, observer=observer))
    assert len(watching[0].seen) == 2
    for one, other in zip(*(each.seen for each in watching), strict=True):
        assert_same(one, other)


def test_pictures_are_finished_on_it(stores: Stores) -> None:
    portrait = portraits()[0].image
    for finish in (
        lambda store: upscale(portrait.resize((48, 48)), store=store),
        lambda store: fix_faces(portrait, store=store),
        lambda store: mask(portrait, "a cat", store=store).binary,
    ):
        assert_same(*(finish(store) for store in stores))


def test_pictures_are_read_on_it(stores: Stores) -> None:
    portrait = portraits()[0].image
    said, said_there = (describe(portrait, beams=1, store=store) for store in stores)
    assert said == said_there
    texts = ["a cat", "a house"]
    likes, likes_there = (
        find_img_text_similarity(portrait, texts, store=store) for store in stores
    )
    assert dict(likes_there) == pytest.approx(dict(likes), abs=1e-5)
