"""Controls act on a strict device as on the CPU, however much of them it holds."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.replayed import LEAST_STEPS
from tests.devices.test_placement import SAID
from tests.support.photographs import ASTRONAUT
from tests.support.pictures import assert_same, distance
from tests.support.pretend_device import NAME, Pretend, plugged_in
from tests.support.tiny import tiny_pipeline
from tests.support.tiny_controls import saved_folder, tiny_adapter, tiny_controlnet

STEPS = LEAST_STEPS + 1


@pytest.fixture
def device() -> Iterator[Pretend]:
    with plugged_in("cuda") as pretend:
        yield pretend


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A ControlNet and a T2I-Adapter."""
    folder = tmp_path_factory.mktemp("controls")
    net = saved_folder(tiny_controlnet(tiny_pipeline().unet), folder / "net")
    adapter = saved_folder(tiny_adapter(), folder / "adapter")
    return [f"{net},hint=canny", f"{adapter}=0.5,hint=tile"]


def drawn(store: ModelStore, model: str, controls: list[str], **fields: Any) -> Any:
    with Image.open(ASTRONAUT) as image:
        picture = image.convert("RGB").resize((64, 64))
    usual = {"width": 64, "height": 64, "steps": 2, "sampler_type": "ddim", "seed": 1}
    steered = {"controls": controls, "control_image": picture}
    prompt = ImaginePrompt("a red fox", model=model, **{**usual, **steered, **fields})
    return next(imagine(prompt, store=store)).img


def test_they_are_where_the_model_is(
    device: Pretend, models: dict[str, str], controls: list[str]
) -> None:
    """Beside it, in turn with its other networks, or block by block."""
    expected = drawn(ModelStore("cpu", "full"), models["1"], controls)
    store = ModelStore(NAME, "full")
    placed = store.get(models["1"]).diffusion.placed
    for placement in ("whole", "staged", "streamed"):
        if placed.placement != placement:
            placed.lower()
        assert placed.placement == placement
        assert_same(drawn(store, models["1"], controls), expected)
        placed.rest()
    assert device.held < 1000
    low = ModelStore(NAME, "full", low_memory=True)
    assert_same(drawn(low, models["1"], controls), expected)


def test_less_of_a_model_is_there_where_one_does_not_fit_beside_it(
    device: Pretend, models: dict[str, str], controls: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    expected = drawn(ModelStore("cpu", "full"), models["1"], controls)
    store = ModelStore(NAME, "full")
    model = store.get(models["1"]).diffusion
    side = model.family.native
    device.limit = device.held + model.bytes_held((side, side))
    with caplog.at_level(logging.WARNING, "imaginairy"):
        assert_same(drawn(store, models["1"], controls), expected)
    assert model.placed.placement == "staged"
    (said,) = [each for each in caplog.messages if "beside the model; " in each]
    assert said.partition("; ")[2] == SAID["staged"]


def test_what_ends_is_recorded_apart(
    device: Pretend, models: dict[str, str], controls: list[str]
) -> None:
    for_half = {"controls": [f"{each}@0-0.5" for each in controls], "steps": STEPS}
    image = drawn(ModelStore(NAME, "full"), models["1"], **for_half)
    assert device.recorded == 2
    assert_same(image, drawn(ModelStore("cpu", "full"), models["1"], **for_half))
    whole = drawn(ModelStore(NAME, "full"), models["1"], controls, steps=STEPS)
    assert distance(whole, image) > 0


def test_halves_that_overflow_are_computed_again(
    device: Pretend, models: dict[str, str], tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    net = tiny_controlnet(tiny_pipeline().unet)
    with torch.inference_mode():
        net.controlnet_mid_block.weight.mul_(2.0**18)
        net.controlnet_mid_block.bias.zero_()
    path = f"{saved_folder(net, tmp_path / 'loud')}=0.000002,hint=tile"
    given = drawn(ModelStore(NAME, "autocast"), models["1"], [path])
    assert "is beyond half precision; computed again in float32." in caplog.text
    assert_same(given, drawn(ModelStore("cpu", "full"), models["1"], [path]))
