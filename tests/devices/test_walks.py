"""Every sampler draws what the CPU draws, and within a step the host does not wait.

It neither waits for the device nor copies to or from it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, Observer, imagine
from imaginairy.observe import Step
from imaginairy.samplers import SAMPLERS
from tests.support.pictures import assert_same
from tests.support.pretend_device import NAME, Pretend, plugged_in

WAIT = {"k_dpm_adaptive"}
"""Samplers that choose each step by what they see in the one before."""
PICTURE: dict[str, Any] = {"init_image": Image.new("RGB", (64, 64), "teal")}
HALF = Image.new("L", (64, 64))
HALF.paste(255, (0, 0, 32, 64))


class Walk(Observer):
    """Notes what has passed between host and device when each step is done."""

    def __init__(self, device: Pretend) -> None:
        self.device = device
        self.image = Image.new("RGB", (1, 1))
        self.passed: list[Counter[tuple[str, str]]] = []

    def on_step(self, step: Step) -> None:
        self.passed.append(self.device.traffic.copy())

    def on_result(self, result: ImagineResult) -> None:
        self.image = result.img

    @property
    def within(self) -> Counter[tuple[str, str]]:
        """What passed within all steps but the first."""
        return self.passed[-1] - self.passed[0]


Walked = Callable[..., Walk]


@pytest.fixture(scope="module")
def device() -> Iterator[Pretend]:
    with plugged_in("cuda") as pretend:
        yield pretend


@pytest.fixture(scope="module")
def walked(device: Pretend, models: dict[str, str]) -> Walked:
    store = ModelStore(NAME, "full")

    def walked(model: str = "1", at: ModelStore = store, **fields: Any) -> Walk:
        usual = {"width": 64, "height": 64, "model": models[model], "seed": 2}
        usual |= {"sampler_type": "ddim", "steps": 3}
        at.get(models[model])
        device.forget()
        walk = Walk(device)
        prompt = ImaginePrompt("a fox", **{**usual, **fields})
        list(imagine(prompt, store=at, observer=walk))
        return walk

    return walked


@pytest.fixture(scope="module")
def cpu() -> ModelStore:
    return ModelStore("cpu", "full")


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in WAIT])
def test_samplers_draw_the_same_and_wait_for_nothing(
    name: str, walked: Walked, cpu: ModelStore
) -> None:
    """What one draws of noise is sent along, which nobody waits for."""
    walk = walked(sampler_type=name)
    assert_same(walk.image, walked(sampler_type=name, at=cpu).image)
    draws = SAMPLERS[name].draws_noise
    assert {what for what, _ in walk.within} == ({"sent"} if draws else set())


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("1", {"guidance_rescale": 0.5, "dynamic_threshold": 0.9, "apg": "0:2"}),
        ("1", {"negative_prompt": "fruit", "perpendicular_negative": 0.5}),
        ("1", {**PICTURE, "mask_image": HALF, "init_image_strength": 0}),
        ("inpainting", {**PICTURE, "mask_image": HALF, "init_image_strength": 0}),
        ("XL", {"guidance_interval": "0.5:1"}),
    ],
)
def test_what_is_around_a_sampler_waits_for_nothing(
    model: str, fields: dict[str, Any], walked: Walked
) -> None:
    walk = walked(model, **fields)
    assert len(walk.passed) == 3
    assert not walk.within


def test_an_adaptive_sampler_waits_to_see_how_far_it_may_go(
    walked: Walked, cpu: ModelStore
) -> None:
    nearly_done = {**PICTURE, "steps": 10, "init_image_strength": 0.8}
    (nearly_done["sampler_type"],) = WAIT
    walk = walked(**nearly_done)
    assert_same(walk.image, walked(at=cpu, **nearly_done).image)
    assert {where for _, where in walk.within} == {"samplers/dpm.py"}


def test_a_picture_waits_a_few_times(walked: Walked) -> None:
    """For the texts, the first prediction, the end of the walk, and the picture."""
    assert walked().device.traffic == {
        ("to device", "families/text.py"): 2,
        ("sent", "device.py"): 1,
        ("to device", "steps/sample.py"): 1,
        ("item", "finite.py"): 5,
        ("item", "steps/stages.py"): 1,
        ("to host", "pixels.py"): 1,
    }
