"""The bundled model draws the same pictures in the shapes of other families.

So what is particular to a family, from its two layouts and its text encoders to the
numbers beside the text, changes nothing of what is done with any model.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, WeightedPrompt, imagine
from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from imaginairy.families.table import register
from imaginairy.samplers import SAMPLERS
from tests.support.lifted import (
    LIFTED,
    assert_alike,
    family_of_file,
    save_file_of,
    save_folder_of,
)

MODELS = ("2 file", "2 folder", "XL file", "XL folder")
REFINERS = ("refiner file", "refiner folder")
FOX, BOWL = "a red fox in a forest", "a bowl of fruit"
LONG = "a snowy mountain range at dusk, " * 8 + "a wooden cabin"
Draw = Callable[..., list[np.ndarray]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("lifted")

    @lru_cache
    def saved(model: str) -> Path:
        kind, layout = model.split()
        place = folder / f"{kind} {layout}"
        if layout == "folder":
            save_folder_of(kind, place)
            return place
        place.mkdir()
        save_file_of(kind, place / "model.safetensors", LIFTED[kind](), {})
        return place / "model.safetensors"

    return saved


@pytest.fixture(scope="module")
def stores(store: ModelStore, models: Callable[[str], Path]) -> dict[str, ModelStore]:
    """Hold each model, the bundled one too."""
    held = {"storybook": store}
    for model in (*MODELS, *REFINERS):
        held[model] = ModelStore("cpu")
        opened(model, held[model].get, models)
    refined = {"XL file": "refiner folder", "XL folder": "refiner file"}
    for model, refiner in refined.items():
        opened(refiner, held[model].refiner, models)
    return held


def opened(
    model: str, get: Callable[[str], Any], models: Callable[[str], Path]
) -> None:
    """Load a model; a file cannot say how many heads and groups there are."""
    kind, layout = model.split()
    with ExitStack() as scope:
        if layout == "file":
            scope.enter_context(register(family_of_file(kind)))
        get(str(models(model)))


@pytest.fixture(scope="module")
def drawn(stores: dict[str, ModelStore], models: Callable[[str], Path]) -> Draw:
    """Draw pictures with a model: drawn(model, *prompts, **fields)."""

    def drawn(model: str, *texts: Any, **options: Any) -> list[np.ndarray]:
        usual: dict[str, Any] = {
            "negative_prompt": BOWL, "prompt_strength": 4.0, "steps": 3, "width": 64,
            "height": 64, "sampler_type": "k_euler", "upscale": False,
        }  # fmt: skip
        place = model if model == "storybook" else str(models(model))
        prompts = [
            ImaginePrompt(text, seed=seed, **{**usual, **options, "model": place})
            for seed, text in enumerate(texts or (FOX,), start=1)
        ]
        results = imagine(prompts, store=stores[model], batch_size=len(prompts))
        return [np.asarray(result.img, dtype=float) for result in results]

    return drawn


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler(drawn: Draw, name: str) -> None:
    options: dict[str, Any] = {"sampler_type": name}
    if SAMPLERS[name].adaptive:  # which takes many steps from noise alone
        options |= {"init_image": picture(), "init_image_strength": 0.6}
    wanted = drawn("storybook", **options)
    model = ("2 file", "XL folder")[[*SAMPLERS].index(name) % 2]
    assert_alike(drawn(model, **options), wanted)


FEW = {"k_lcm": "lcm", "k_tcd": "lcm", "k_euler": "trailing", "ddim": "trailing"}


@pytest.mark.parametrize("name", FEW)
def test_few_steps(drawn: Draw, name: str) -> None:
    """Any number of them makes a picture, in whatever shape the model is."""
    few = {"sampler_type": name, "schedule": FEW[name]}
    for steps in (1, 3):
        wanted = drawn("storybook", steps=steps, **few)
        assert_alike(drawn("XL folder", steps=steps, **few), wanted)


@pytest.mark.parametrize("name", FEW)
def test_eight_steps_have_the_colours_of_many(
    drawn: Draw, many: np.ndarray, name: str
) -> None:
    few = {"sampler_type": name, "schedule": FEW[name], **NATIVE}
    [one], [eight] = (drawn("storybook", steps=steps, **few) for steps in (1, 8))
    near, far = (np.abs(coarse(each) - coarse(many)).mean() for each in (eight, one))
    assert near < 20 and near < 0.6 * far, f"{near:.1f}, and {far:.1f} in one step"


NATIVE = {"width": 128, "height": 128, "negative_prompt": "", "prompt_strength": 3.5}


@pytest.fixture(scope="module")
def many(drawn: Draw) -> np.ndarray:
    [usual] = drawn("storybook", steps=25, sampler_type="ddim", **NATIVE)
    return usual


def coarse(image: np.ndarray) -> np.ndarray:
    """Return the mean colours of squares of 16 pixels."""
    return image.reshape(8, 16, 8, 16, 3).mean(axis=(1, 3))


def picture() -> Image.Image:
    """A picture of which every part is another."""
    ramp = np.linspace(0, 255, 64)
    across, down = np.meshgrid(ramp, ramp)
    return Image.fromarray(
        np.stack([across, down, 255 - across], axis=-1).astype(np.uint8)
    )


def left_half() -> Image.Image:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    return mask


WAYS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "another size": ((FOX,), {"width": 96, "height": 72}),
    "from a picture": (
        (FOX,), {"init_image": picture(), "init_image_strength": 0.3},
    ),
    "in a part of a picture": (
        (FOX,), {"init_image": picture(), "mask_image": left_half()},
    ),
    "beyond a picture": ((FOX,), {"init_image": picture(), "outpaint": "right32"}),
    "a tile": ((FOX,), {"tile_mode": "xy"}),
    "a variation": ((FOX,), {"variation_seed": 8, "variation_strength": 0.3}),
    "several together": ((FOX, "a cat on a sofa", BOWL), {}),
    "without guidance": ((FOX,), {"prompt_strength": 1.0, "negative_prompt": ""}),
    "a long text beside a short one": ((LONG, FOX), {}),
    "weights": (([WeightedPrompt(FOX, 2), WeightedPrompt(LONG, 1)],), {}),
    "emphasis": (("a (red:1.4) fox in a (forest:0.5)",), {}),
    "few steps": ((FOX,), {"sampler_type": "ddim", "schedule": "trailing"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def plainly(drawn: Draw) -> Callable[[str], list[np.ndarray]]:
    """Draw in a way with the model as it is."""
    return cache(lambda way: drawn("storybook", *WAYS[way][0], **WAYS[way][1]))


@pytest.mark.parametrize("way", WAYS)
def test_every_way(
    drawn: Draw, plainly: Callable[[str], list[np.ndarray]], way: str
) -> None:
    (texts, options), wanted = WAYS[way], plainly(way)
    for model in ("2 folder", "XL file"):
        assert_alike(drawn(model, *texts, **options), wanted)


@pytest.mark.parametrize("model", ["2 file", "2 folder"])
def test_nothing_to_avoid_and_an_earlier_layer(drawn: Draw, model: str) -> None:
    """They mean the same in Stable Diffusion 2, and something else in XL."""
    options = {"negative_prompt": "", "clip_skip": 2}
    assert_alike(drawn(model, **options), drawn("storybook", **options))


@pytest.mark.parametrize("model", ["2 folder", "XL folder"])
def test_again(
    models: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = Stores()
    words = ["--model", str(models(model)), "--size", "64", "--steps", "2", "-q"]
    ran = CliRunner().invoke(aimg, ["imagine", FOX, *words], obj=kept)
    assert ran.exit_code == 0, ran.output
    [first] = Path("outputs").glob("*.jpg")
    ran = CliRunner().invoke(aimg, ["again", "--trust", str(first)], obj=kept)
    assert ran.stdout == f"{first}: the same picture, pixel for pixel.\n", ran.output


# --- behind another model -------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLERS)
def test_behind_another_with_every_sampler(
    drawn: Draw, models: Callable[[str], Path], name: str
) -> None:
    """Two walks, of which the second forgets what the first remembers."""
    options: dict[str, Any] = {"sampler_type": name, "steps": 4}
    share = 0.5
    if SAMPLERS[name].adaptive:
        options |= {"init_image": picture(), "init_image_strength": 0.6}
        share = 0.9
    refined = {**options, "refiner": f"{models('refiner folder')}@{share}"}
    behind_itself = {**options, "refiner": f"storybook@{share}"}
    assert_alike(drawn("XL file", **refined), drawn("storybook", **behind_itself))


@pytest.mark.parametrize("way", WAYS)
def test_behind_another_in_every_way(
    drawn: Draw,
    plainly: Callable[[str], list[np.ndarray]],
    models: Callable[[str], Path],
    way: str,
) -> None:
    (texts, options), wanted = WAYS[way], plainly(way)
    refined = {"refiner": f"{models('refiner file')}@0.5", **options}
    assert_alike(drawn("XL folder", *texts, **refined), wanted)


@pytest.mark.parametrize("model", REFINERS)
def test_a_refiner_alone(drawn: Draw, model: str) -> None:
    options = {"init_image": picture(), "init_image_strength": 0.3}
    assert_alike(drawn(model, **options), drawn("storybook", **options))
