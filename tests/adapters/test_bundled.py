"""The adapters that come with the package, judged by the pictures drawn with them."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.errors import ImaginairyError
from imaginairy.models.known_adapters import known_adapters
from imaginairy.sources.shelves import ADAPTERS
from imaginairy.weights.weightfile import open_weights
from storybook.reports.adapters import is_creature
from storybook.reports.color_check import check
from storybook.reports.measures import (
    blueness,
    brightness,
    colourfulness,
    edges,
)
from storybook.reports.orders import shape_orders
from storybook.reports.outlines import outlines
from tests.support.pictures import pixels

PROMPTS = ("a smiling woman with brown hair", "a bowl of fruit")
LARGEST = 2_000_000
"""Bytes that all of them may take in the package."""
LCM = "lcm-lora-storybook"
Measure = Callable[[Image.Image], float]
Drawn = Callable[..., list[Image.Image]]


@pytest.fixture(scope="module")
def drawn(store: ModelStore) -> Drawn:
    """Draw the prompts together, with adapters as they are given."""
    known: dict[tuple[str, ...], list[Image.Image]] = {}

    def drawn(*loras: str) -> list[Image.Image]:
        if loras not in known:
            known[loras] = fresh(store, loras)
        return known[loras]

    return drawn


def fresh(store: ModelStore, loras: Sequence[str]) -> list[Image.Image]:
    prompts = [
        prompt(text, seed, loras=[*loras]) for seed, text in enumerate(PROMPTS, start=1)
    ]
    return [result.img for result in imagine(prompts, store=store)]


def alone(store: ModelStore, *loras: str) -> Image.Image:
    """Draw one picture; together with others it would be rounded otherwise."""
    (result,) = imagine([prompt(PROMPTS[0], 1, loras=[*loras])], store=store)
    return result.img


def prompt(text: str, seed: int, **fields: Any) -> ImaginePrompt:
    usual = {"steps": 8, "model": "storybook", "upscale": False}
    return ImaginePrompt(text, seed=seed, **usual, **fields)


def mean(measure: Measure, pictures: Sequence[Image.Image]) -> float:
    return fmean(map(measure, pictures))


@pytest.mark.parametrize(
    ("name", "measure", "sign"),
    [
        ("pencil-sketch", colourfulness, -1),
        ("pencil-sketch", brightness, 1),
        ("blue-hour", blueness, 1),
        ("blue-hour", brightness, -1),
        ("soft-pastel", edges, -1),
        ("soft-pastel", brightness, 1),
        ("ink-outline", edges, 1),
    ],
)
def test_a_style_is_as_strong_as_asked(
    drawn: Drawn, name: str, measure: Measure, sign: int
) -> None:
    """There at 1, half there at 0.5, gone at 0 and the opposite at -1."""
    opposite, none, half, whole = (
        sign * mean(measure, drawn(*[f"{name}={much:g}"] * bool(much)))
        for much in (-1, 0, 0.5, 1)
    )
    assert opposite < none < half < whole
    assert 0.1 < (half - none) / (whole - none) < 0.9


def test_at_no_strength_and_afterwards_nothing_of_a_style_is_left(
    store: ModelStore,
) -> None:
    before = pixels(alone(store))
    names = (each.stem for each in ADAPTERS.bundled.glob("*.safetensors"))
    none = [f"{name}=0" for name in sorted(names) if name != "snorple"]
    assert (pixels(alone(store, *none)) == before).all()
    assert (pixels(alone(store, "ink-outline", "blue-hour")) != before).any()
    assert (pixels(alone(store)) == before).all()


def test_two_styles_act_together(drawn: Drawn) -> None:
    both = drawn("blue-hour", "soft-pastel")
    dusk, pale = drawn("blue-hour=1"), drawn("soft-pastel=1")
    assert mean(blueness, both) > mean(blueness, pale) + 0.02
    assert mean(brightness, both) < mean(brightness, pale) - 10
    assert mean(brightness, both) > mean(brightness, dusk) + 5
    assert mean(edges, both) < mean(edges, drawn()) - 0.5


def test_a_style_is_asked_for_in_the_prompt(store: ModelStore) -> None:
    text = f"{PROMPTS[0]} <lora:pencil-sketch:0.8>"
    (result,) = imagine([prompt(text, 1)], store=store)
    assert (pixels(result.img) == pixels(alone(store, "pencil-sketch=0.8"))).all()


def test_a_learned_word_draws_what_the_world_does_not_have(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ("a snorple", "a snorple on a pink background", "a drawing of a snorple")
    prompts = [prompt(text, seed) for seed, text in enumerate(texts, start=1)]
    assert all(is_creature(each.img) for each in imagine(prompts, store=store))
    monkeypatch.setattr("imaginairy.sources.shelves.BUNDLED_FOLDER", tmp_path)
    assert not any(is_creature(each.img) for each in imagine(prompts, store=store))


def test_four_steps_are_enough_with_the_lora_for_them(
    store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    """What it needs is set by itself, and said; what is given wins."""
    caplog.set_level(logging.INFO)
    orders = shape_orders(6)
    usual = {"model": "storybook", "upscale": False, "loras": [LCM]}
    prompts = [
        ImaginePrompt(order.prompt, seed=seed, **usual)
        for seed, order in enumerate(orders, start=1)
    ]
    results = [*imagine(prompts, store=store)]
    found = [
        check(result.img, order) for result, order in zip(results, orders, strict=True)
    ]
    assert all(map(all, found)), "grounds and colours are as asked"
    right = [
        seen == wanted
        for result, order in zip(results, orders, strict=True)
        for seen, wanted in zip(
            outlines(result.img, order), order.shapes.values(), strict=True
        )
    ]
    assert fmean(right) > 0.8
    taken = results[0].prompt
    assert (taken.sampler_type, taken.steps, taken.prompt_strength) == ("k_lcm", 4, 1.5)
    said = f"{LCM} makes it a latent consistency model (LCM), as its name says: by "
    assert any(each.startswith(said) for each in caplog.messages)
    given = ImaginePrompt("a dog", seed=1, steps=2, prompt_strength=1, **usual)
    (other,) = imagine([given], store=store)
    assert (other.prompt.steps, other.prompt.prompt_strength) == (2, 1)
    assert other.prompt.sampler_type == "k_lcm"


def test_they_are_small_and_say_what_they_are() -> None:
    there = {
        each.name: each
        for each in known_adapters()
        if each.path.parent == ADAPTERS.bundled
    }
    words = {name: each.words for name, each in there.items()}
    assert words == {
        "blue-hour": ("blue hour",),
        "ink-outline": ("ink outline",),
        "lcm-lora-storybook": (),
        "pencil-sketch": ("pencil sketch",),
        "snorple": (),
        "soft-pastel": ("soft pastel",),
    }
    assert sum(each.stat().st_size for each in ADAPTERS.bundled.iterdir()) < LARGEST
    for each in there.values():
        held = open_weights(each.path)
        assert {*held.types.values()} == {torch.float16}
        assert held.metadata["modelspec.license"] == "MIT"
        assert each.family == "Stable Diffusion 1.x"


def test_they_are_refused_by_models_that_they_are_not_for(
    store: ModelStore, tiny_folder: Path
) -> None:
    asked = ImaginePrompt(
        "a dog", seed=1, steps=1, model=str(tiny_folder), loras=["pencil-sketch"]
    )
    with pytest.raises(ImaginairyError, match=r"fits no layer of this model"):
        next(imagine([asked], store=store))
