"""The controls that come with the bundled model: what they see, they have drawn."""

import random
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.control import Control
from imaginairy.errors import UnknownModelError
from imaginairy.hints.make import make_hint
from imaginairy.sources.controls import controls_for, locate_control
from storybook.world import draw_scene
from storybook.world.plain import plain_caption

SIDE = 128
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


@pytest.fixture(scope="module")
def heart() -> Image.Image:
    """A red heart low on the right, and not where the model would put it."""
    image = Image.new("RGB", (SIDE, SIDE), (74, 160, 90))
    draw = ImageDraw.Draw(image)
    draw.pieslice((56, 44, 88, 76), 180, 360, (214, 48, 49))
    draw.pieslice((88, 44, 120, 76), 180, 360, (214, 48, 49))
    draw.polygon([(56, 60), (120, 60), (88, 106)], (214, 48, 49))
    return image


def drawn(
    store: ModelStore, text: str, *controls: Control, **more: object
) -> list[Image.Image]:
    """Draw small, in few steps, from each seed."""
    asked = [
        ImaginePrompt(
            text, model="storybook", seed=seed, steps=8, upscale=False,
            controls=controls, **more,
        )  # type: ignore[arg-type]
        for seed in SEEDS
    ]  # fmt: skip
    return [result.img for result in imagine(asked, store=store)]


def edges(image: Image.Image) -> np.ndarray:
    return np.asarray(make_hint("canny", image, image.size).convert("L")) > 0


def agreement(pictures: Sequence[Image.Image], wanted: np.ndarray) -> float:
    """Return the F1 of edges, of which neighbours count as the same."""
    scores = []
    for found in map(edges, pictures):
        hit, seen = (found & near(wanted)).sum(), (wanted & near(found)).sum()
        precision, recall = hit / max(1, found.sum()), seen / wanted.sum()
        scores.append(2 * precision * recall / max(1e-9, precision + recall))
    return float(np.mean(scores))


def near(seen: np.ndarray) -> np.ndarray:
    """Return where an edge is, or lies beside."""
    wide = np.pad(seen, 1)
    height, width = seen.shape
    shifts = product(range(3), repeat=2)
    return np.any([wide[y : y + height, x : x + width] for y, x in shifts], axis=0)


def squares(image: Image.Image) -> np.ndarray:
    return np.asarray(make_hint("colours", image, image.size, cell=16), np.float32)


def test_kinds_of_hints_mean_the_models_own_files() -> None:
    names = {row.name: row for row in controls_for("sd1", bundled=True)}
    assert {*names} == {"storybook-edges", "storybook-colours"}
    for word, name in {"canny": "edges", "edges": "edges", "colors": "colours"}.items():
        row = locate_control(word, "sd1", bundled=True)
        assert row == names[f"storybook-{name}"]
        assert row.weights.path.stat().st_size < 3e6
    with pytest.raises(UnknownModelError, match="canny, colours"):
        locate_control("depth", "sd1", bundled=True)


def test_edges_are_drawn_where_they_are_seen(
    store: ModelStore, heart: Image.Image
) -> None:
    """The scenes are such as it never saw; the heart is where none would be."""
    text = "a red heart on a green background"
    alone = drawn(store, text)
    off = drawn(store, text, Control("canny", heart, 0.0))
    assert [each.tobytes() for each in off] == [each.tobytes() for each in alone]
    steered = drawn(store, text, Control("edges", heart))
    assert agreement(steered, edges(heart)) > agreement(alone, edges(heart)) + 0.15
    rng = random.Random("scenes that nothing learnt from")
    scores = []
    for group in ("birds", "animals", "shapes"):
        scene = draw_scene(rng, group)
        text, wanted = plain_caption(group, scene.attributes), edges(scene.image)
        control = Control("canny", scene.image)
        pair = drawn(store, text, control), drawn(store, text)
        scores.append([agreement(each, wanted) for each in pair])
    steered_f1, alone_f1 = np.mean(scores, axis=0)
    assert steered_f1 > 0.6, scores
    assert steered_f1 > alone_f1 + 0.15, scores


def test_colours_are_drawn_where_they_are_seen(
    store: ModelStore, heart: Image.Image
) -> None:
    text, wanted = "a heart", squares(heart)
    alone = drawn(store, text)
    off = drawn(store, text, Control("colours", heart, 0.0))
    steered = drawn(store, text, Control("colours", heart))
    assert [each.tobytes() for each in off] == [each.tobytes() for each in alone]
    apart = [
        float(np.mean([np.abs(squares(each) - wanted).mean() for each in pictures]))
        for pictures in (steered, alone)
    ]
    assert apart[0] < 0.6 * apart[1], apart


def test_the_hint_of_colours_is_as_coarse_as_the_control_was_trained(
    store: ModelStore, heart: Image.Image, tmp_path: Path
) -> None:
    """Squares of the usual size would be two across at the size that is drawn."""
    prompt = ImaginePrompt(
        "a heart", model="storybook", seed=1, steps=1, upscale=False,
        controls=(Control("colours", heart),),
    )  # fmt: skip
    (result,) = imagine([prompt], store=store)
    (hint,) = (each for name, each in result.images.items() if name.startswith("hint"))
    assert np.array_equal(np.asarray(hint, np.float32), squares(heart))
