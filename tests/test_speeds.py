"""What `speed` leaves out of a walk: some of the steps use what another computed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from torch import Tensor, nn

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.speeds import SPEEDS, why_exact
from imaginairy.settling import settled
from tests.support.pictures import distance, furthest, noise
from tests.support.tiny_kin import tiny_refiner, tiny_sdxl

STEPS = 10
NOT_SHARING = {"k_dpm_fast", "k_dpm_adaptive", "k_lcm", "k_tcd"}
LEFT = Image.new("L", (64, 64))
LEFT.paste(255, (0, 0, 32, 64))

Draw = Callable[..., Image.Image]


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu", "full")


@pytest.fixture
def draw(store: ModelStore, tiny_folder: Path) -> Draw:
    def draw(**fields: Any) -> Image.Image:
        small = {"seed": 3, "steps": STEPS, "width": 64, "height": 64}
        usual = {**small, "model": str(tiny_folder), "sampler_type": "ddim"}
        prompt = ImaginePrompt("a red fox", **{**usual, **fields})
        return next(imagine(prompt, store=store)).img

    return draw


@contextmanager
def deep(network: Any) -> Iterator[list[int]]:
    """Note how many pictures what is deep in a network is computed of, each time."""
    batches: list[int] = []

    def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        batches.append(len(given[0]))

    handle = network.middle.register_forward_pre_hook(note)
    try:
        yield batches
    finally:
        handle.remove()


def asked(draw: Draw, store: ModelStore, model: Path, **fields: Any) -> list[int]:
    """Return of how many pictures what is deep is computed for one, each time."""
    with deep(store.get(str(model)).diffusion.network) as batches:
        draw(**fields)
    return batches


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [2] * STEPS),
        ({"speed": "balanced"}, [2] * (4 + 3)),
        ({"speed": "fast"}, [2] * (3 + 1) + [1]),
        ({"speed": "balanced", "prompt_strength": 1}, [1] * (4 + 3)),
        ({"speed": "balanced", "guidance_interval": "0:0.5"}, [2] * 4 + [1] * 3),
        (
            {
                "speed": "balanced",
                "negative_prompt": "fruit",
                "perpendicular_negative": 1,
            },
            [3] * (4 + 3),
        ),
        ({"speed": "balanced", "sampler_type": "k_euler_a"}, [2] * (4 + 3)),
        ({"speed": "balanced", "sampler_type": "k_heun"}, [2] * (7 + 3)),
        ({"speed": "balanced", "sampler_type": "k_dpm_2"}, [2] * (7 + 3)),
    ],
)
def test_some_steps_use_what_another_computed(
    draw: Draw,
    store: ModelStore,
    tiny_folder: Path,
    fields: dict[str, Any],
    expected: list[int],
) -> None:
    assert asked(draw, store, tiny_folder, **fields) == expected


@pytest.mark.parametrize(
    "sampler", ["plms", "k_euler_a", "k_dpmpp_2s_a", "k_heunpp2", "k_unipc_3"]
)
def test_the_picture_stays_near(draw: Draw, sampler: str) -> None:
    exact, balanced = (
        draw(sampler_type=sampler, speed=speed) for speed in ("exact", "balanced")
    )
    far = distance(exact, draw(sampler_type=sampler, seed=4))
    assert 0 < distance(exact, balanced) < far / 5


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"steps": 7}, "of 7 steps each has too little in common with the one before"),
        (
            {"init_image": noise("RGB", (64, 64)), "init_image_strength": 0.3},
            "of 7 steps each has too little in common with the one before",
        ),
        (
            {"sampler_type": "k_lcm"},
            "k_lcm makes steps that have too little in common",
        ),
    ],
    ids=("few steps", "few of them to run", "a sampler of few steps"),
)
def test_where_it_would_not_do_all_is_computed_and_that_is_said_once(
    tiny_folder: Path,
    fields: dict[str, Any],
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = ModelStore("cpu", "full")
    small = {"seed": 3, "steps": STEPS, "width": 64, "height": 64}
    usual = {**small, "model": str(tiny_folder), "sampler_type": "ddim", **fields}
    exact, *found = (
        next(imagine(ImaginePrompt("a red fox", **usual, speed=speed), store=store))
        for speed in ("exact", "fast", "fast")
    )
    for result in found:
        assert furthest(result.img, exact.img) == 0
        assert result.prompt.guidance_interval is None
    said = [each for each in caplog.messages if each.startswith("The speed")]
    assert said == [f"The speed 'fast' leaves nothing out here: {why}."]


def test_a_sampler_whose_levels_are_not_those_it_is_given_shares_nothing() -> None:
    alone = {name for name, row in SAMPLERS.items() if why_exact(row, 100)}
    assert alone == NOT_SHARING


def test_an_interval_that_is_asked_for_goes_before_that_of_the_speed(
    store: ModelStore, tiny_folder: Path
) -> None:
    def interval(**fields: Any) -> str | None:
        prompt = ImaginePrompt("a fox", model=str(tiny_folder), seed=1, **fields)
        return settled(prompt, store).prompt.guidance_interval

    assert interval() is None
    assert interval(speed="balanced") is None
    assert interval(speed="fast") == SPEEDS["fast"].guidance_interval
    assert interval(speed="fast", guidance_interval="0.2:1") == "0.2:1"
    assert interval(speed="fast", prompt_strength=1) is None, "there is no guidance"


@pytest.mark.parametrize(
    "fields",
    [
        {"init_image": noise("RGB", (64, 64)), "init_image_strength": 0.1},
        {
            "init_image": noise("RGB", (64, 64)),
            "init_image_strength": 0,
            "mask_image": LEFT,
        },
        {"tile_mode": "xy"},
    ],
    ids=["an init image", "a mask", "tiles"],
)
def test_edits_and_tiles_stay_near_too(draw: Draw, fields: dict[str, Any]) -> None:
    exact, balanced = draw(**fields), draw(**fields, speed="balanced")
    assert 0 < distance(exact, balanced) < distance(exact, draw(**fields, seed=4)) / 5


def test_each_of_two_experts_shares_its_own(store: ModelStore, tmp_path: Path) -> None:
    for name, pipeline in (("base", tiny_sdxl()), ("refiner", tiny_refiner())):
        pipeline.save_pretrained(tmp_path / name)
    prompt = ImaginePrompt(
        "a red fox", model=str(tmp_path / "base"), steps=STEPS, seed=3, width=64,
        height=64, sampler_type="ddim", refiner=f"{tmp_path / 'refiner'}@0.5",
        speed="balanced",
    )  # fmt: skip
    first = store.get(prompt.model).diffusion.network
    second = store.refiner(str(tmp_path / "refiner")).diffusion.network
    with deep(first) as of_first, deep(second) as of_second:
        next(imagine(prompt, store=store))
    assert of_first == [2] * 4
    assert of_second == [2] * 3


def test_the_next_picture_is_computed_as_it_asks(
    draw: Draw, store: ModelStore, tiny_folder: Path
) -> None:
    exact = draw()
    draw(speed="fast")
    assert asked(draw, store, tiny_folder) == [2] * STEPS
    assert furthest(draw(), exact) == 0
