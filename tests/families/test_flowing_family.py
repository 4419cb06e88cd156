"""A family that flows, drawn by hand beside what the package makes of its row.

Its levels follow the size of the picture, as those of Flux.1-dev do.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import exp, floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from imaginairy import ImaginePrompt, ModelStore, Observer, Step, imagine
from imaginairy.device import SeededNoise, spherical_mix
from imaginairy.errors import BadOptionError
from imaginairy.families.table import register
from imaginairy.families.text import Wanted
from imaginairy.models.drawing import DrawingModel
from imaginairy.pixels import image_to_tensor
from imaginairy.samplers import get_sampler, made_for
from imaginairy.samplers.flow import FlowConfig, FlowSchedule
from imaginairy.settling import usual_schedule
from imaginairy.sources.rows import HubRepo, ModelRow
from imaginairy.weighted_prompt import WeightedPrompt
from tests.families.patchwork.flow import FLOWING
from tests.families.patchwork.saving import save_as_file

CPU = torch.device("cpu")
FOX = "a red fox"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_as_file(tmp_path_factory.mktemp("file") / "quilt.safetensors")


@pytest.fixture(scope="module")
def store() -> Iterator[ModelStore]:
    with register(FLOWING):
        yield ModelStore("cpu")


@pytest.fixture
def model(store: ModelStore, file: Path) -> DrawingModel:
    return store.get(str(file)).diffusion


class Watch(Observer):
    """Keep the last step of each picture, and look at one as it is previewed."""

    def __init__(self) -> None:
        self.last: dict[int, Tensor] = {}
        self.previews: list[Image.Image] = []

    def on_step(self, step: Step) -> None:
        self.last[step.picture] = step.latents
        if step.index == 1:
            self.previews.append(step.preview(fetch=False))


def drawn(store: ModelStore, *prompts: ImaginePrompt, **how: Any) -> list[Tensor]:
    watch = Watch()
    results = list(imagine(prompts, store=store, observer=watch, **how))
    assert len(results) == len(prompts)
    assert {each.size for each in watch.previews} == {results[0].img.size}
    return [watch.last[number] for number in sorted(watch.last)]


def prompt(file: Path, **options: Any) -> ImaginePrompt:
    usual: dict[str, Any] = {"seed": 1, "sampler_type": "k_euler", "model": str(file)}
    return ImaginePrompt(FOX, **{**usual, **options})


def levels(size: tuple[int, int], steps: int) -> list[float]:
    """List 1 - k / N, shifted by mu, which is linear in the number of tokens."""
    tokens = (size[0] // 32) * (size[1] // 32)
    mu = 0.5 + 0.65 * (tokens - 256) / 3840
    even = (1 - step / steps for step in range(steps))
    return [*(exp(mu) / (exp(mu) + 1 / s - 1) for s in even), 0.0]


def by_hand(
    model: DrawingModel,
    size: tuple[int, int],
    visited: list[float],
    x: Tensor,
    scale: float,
    rescale: float = 0.0,
) -> Tensor:
    """Walk with Euler's steps along the velocity, guided and rescaled."""
    said = Wanted([WeightedPrompt(FOX)], "", size=size)
    follow, avoid = model.condition(said)
    for level, after in pairwise(visited):
        to_follow, to_avoid = (
            model.network(x, torch.tensor([1000 * level]), each)
            for each in (follow, avoid)
        )
        velocity = to_avoid + scale * (to_follow - to_avoid)
        even = velocity * to_follow.std() / velocity.std()
        velocity = rescale * even + (1 - rescale) * velocity
        x = x + (after - level) * velocity
    return x


@pytest.mark.parametrize("size", [(64, 64), (128, 64)])
def test_a_picture_is_what_the_network_says(
    store: ModelStore, model: DrawingModel, file: Path, size: tuple[int, int]
) -> None:
    asked = prompt(
        file, width=size[0], height=size[1], steps=5, prompt_strength=3.0,
        guidance_rescale=0.7,
    )  # fmt: skip
    [latents] = drawn(store, asked)
    with torch.inference_mode():
        start = SeededNoise(1, model.latent_shape(size), CPU)()
        wanted = by_hand(model, size, levels(size, 5), start, 3.0, 0.7)
    torch.testing.assert_close(latents, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("strength", "steps"), [(0.4, 8), (0.75, 8), (0.25, 6)])
def test_an_init_image_is_noised_to_the_level_of_its_strength(
    store: ModelStore, model: DrawingModel, file: Path, strength: float, steps: int
) -> None:
    shades = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    init = Image.fromarray(shades)
    asked = prompt(
        file, init_image=init, init_image_strength=strength, steps=steps,
        prompt_strength=2.0,
    )  # fmt: skip
    [latents] = drawn(store, asked)
    skipped = floor(steps - min(steps * (1 - strength), steps) + 1e-9)
    visited = levels((64, 64), steps)[skipped:]
    with torch.inference_mode():
        draw = SeededNoise(1, model.latent_shape((64, 64)), CPU)
        clean, noise = model.encode(image_to_tensor(init), draw()), draw()
        start = (1 - visited[0]) * clean + visited[0] * noise
        wanted = by_hand(model, (64, 64), visited, start, 2.0)
    torch.testing.assert_close(latents, wanted, rtol=0, atol=1e-4)


def test_variations_and_batches_start_from_their_own_noise(
    store: ModelStore, model: DrawingModel, file: Path
) -> None:
    varied = {"variation_seed": 9, "variation_strength": 0.4}
    prompts = [
        prompt(file, seed=seed, steps=3, sampler_type=sampler, **more)
        for sampler in ("k_euler", "k_euler_a")
        for seed, more in ((1, varied), (2, {}))
    ]
    for pair in (prompts[:2], prompts[2:]):
        together = drawn(store, *pair, batch_size=2)
        alone = [drawn(store, each)[0] for each in pair]
        for both, one in zip(together, alone, strict=True):
            torch.testing.assert_close(both, one, rtol=0, atol=1e-4)
    [latents] = drawn(store, replace(prompts[0], prompt_strength=1.0))
    first, other = (
        SeededNoise(seed, model.latent_shape((64, 64)), CPU)() for seed in (1, 9)
    )
    with torch.inference_mode():
        start = spherical_mix(first, other, 0.4)
        wanted = by_hand(model, (64, 64), levels((64, 64), 3), start, 1.0)
    torch.testing.assert_close(latents, wanted, rtol=0, atol=1e-4)


def test_what_is_not_fetched_yet_is_planned_by_the_schedule_of_its_family(
    store: ModelStore,
) -> None:
    row = ModelRow(
        "draws", "quilt", "", HubRepo("a/b"), "", family="flowing", says={"shift": 3.0}
    )
    schedule = usual_schedule(row)
    assert isinstance(schedule, FlowSchedule)
    assert schedule.config == FlowConfig(shift=3.0, by_size=True)
    with pytest.raises(BadOptionError, match="'plms' is not made for this model"):
        made_for(schedule.kind, get_sampler("plms"))
    assert usual_schedule(replace(row, family="")).kind == "discrete"
