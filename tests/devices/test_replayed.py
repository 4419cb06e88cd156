"""What a device recorded of a network draws the CPU's pictures."""

from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.conditioning import Conditioning
from imaginairy.replayed import LEAST_STEPS, MOST_PLACES, Replayed, places
from tests.support.adapters import flat, of_kind, random, saved
from tests.support.pictures import assert_same, distance
from tests.support.pretend_device import NAME, Pretend, plugged_in

STEPS = LEAST_STEPS + 1
CPU = torch.device("cpu")
PICTURE: dict[str, Any] = {"init_image": Image.new("RGB", (64, 64), "teal")}
HALF = Image.new("L", (64, 64))
HALF.paste(255, (0, 0, 32, 64))
QUERY = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture
def device() -> Iterator[Pretend]:
    with plugged_in("cuda") as pretend:
        yield pretend


def drawn(store: ModelStore, model: str, **fields: Any) -> Image.Image:
    usual = {"width": 64, "height": 64, "steps": STEPS, "sampler_type": "ddim"}
    prompt = ImaginePrompt("a red fox", model=model, seed=1, **{**usual, **fields})
    return next(iter(imagine(prompt, store=store))).img


@pytest.mark.parametrize(
    ("fields", "ways"),
    [
        ({}, 1),
        ({"sampler_type": "k_dpmpp_2m", "guidance_interval": "0.4:1"}, 2),
        ({**PICTURE, "mask_image": HALF, "init_image_strength": 0}, 1),
        ({"steps": LEAST_STEPS - 1}, 0),
        ({"speed": "fast", "steps": 16}, 0),
    ],
)
def test_steps_that_are_alike_are_recorded_once(
    device: Pretend, models: dict[str, str], fields: dict[str, Any], ways: int
) -> None:
    """Each way of asking is asked once, and then recorded."""
    store = ModelStore(NAME, "full")
    wanted = drawn(ModelStore("cpu", "full"), models["1"], **fields)
    for _ in range(2):  # what is told of one picture is not told of the next
        device.recorded = device.replayed = 0
        image = drawn(store, models["1"], **fields)
        assert_same(image, wanted)
        assert device.recorded == ways
        assert device.replayed == (STEPS - ways if ways else 0)


def test_adapters_that_begin_and_end_are_recorded_apart(
    device: Pretend, models: dict[str, str], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    tensors = {
        f"lora_unet_{flat(QUERY)}.{name}": random(*each.shape) if each.ndim else each
        for name, each in of_kind("lora", (32, 32)).items()
    }
    path = saved(tmp_path / "it.safetensors", tensors)
    for_half = {"loras": f"{path}=3@0-0.5"}
    image = drawn(ModelStore(NAME, "full"), models["1"], **for_half)
    assert device.recorded == 2
    assert_same(image, drawn(ModelStore("cpu", "full"), models["1"], **for_half))
    plain = drawn(ModelStore(NAME, "full"), models["1"])
    assert distance(plain, image) > 0


def test_what_overflows_is_not_taken_from_what_was_recorded_in_halves(
    device: Pretend, models: dict[str, str]
) -> None:
    store = ModelStore(precision="autocast")
    network = store.get(models["1"]).diffusion.network

    def spoil(module: nn.Module, given: tuple[Any, ...], result: Tensor) -> Tensor:
        half = next(network.parameters()).dtype == torch.float16
        return result * torch.where(given[1][0] < 500, inf if half else 1, 1)

    network.register_forward_hook(spoil)
    image = drawn(store, models["1"])
    assert device.replayed
    assert device.recorded == 2, "what overflows late is drawn twice"
    assert distance(image, drawn(ModelStore("cpu", "full"), models["1"])) < 3


def test_what_a_device_cannot_record_it_computes(
    device: Pretend, models: dict[str, str]
) -> None:
    device.records = False
    image = drawn(ModelStore(NAME, "full"), models["1"])
    assert device.replayed == 0
    assert_same(image, drawn(ModelStore("cpu", "full"), models["1"]))


class Doubles(nn.Module):
    """Counts how often Python computes it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0), requires_grad=False)
        self.asked = 0

    def forward(self, latents: Tensor, timesteps: Tensor, _: Conditioning) -> Tensor:
        self.asked += 1
        return latents * self.weight + timesteps[:, None, None, None]


def told() -> Conditioning:
    return Conditioning(torch.zeros(1, 1, 1, device=NAME))


def test_it_may_be_asked_for_other_numbers_and_what_it_gave_stays(
    device: Pretend,
) -> None:
    there, network = torch.device(NAME, 0), Doubles().to(NAME)
    replayed, text = Replayed(network, there), told()
    given = [
        replayed(
            torch.full((1, 4, 2, 2), float(number), device=there),
            torch.full((1,), 10 * number, device=there),
            text,
        )
        for number in range(4)
    ]
    assert [each.to(CPU).unique().tolist() for each in given] == [[0], [12], [24], [36]]
    assert (device.recorded, device.replayed) == (1, 3)


def test_who_asks_in_ever_new_ways_or_for_much_is_not_recorded(
    device: Pretend,
) -> None:
    there, network = torch.device(NAME, 0), Doubles().to(NAME)
    latents, timesteps = torch.ones(1, 4, 2, 2).to(NAME), torch.zeros(1).to(NAME)
    replayed = Replayed(network, there)
    for _ in range(9):
        replayed(latents, timesteps, told())
    text = told()
    for _ in range(3):
        replayed(latents, timesteps, text)
    large = torch.ones(2, 1, 128, 129).to(NAME)
    assert places(large) == 2 * 128 * 129 > MOST_PLACES
    replayed = Replayed(network, there)
    for _ in range(3):
        replayed(large, timesteps, text)
    assert device.recorded == 0


def test_weights_that_leave_are_recorded_no_more(device: Pretend) -> None:
    there, network, stays = torch.device(NAME, 0), Doubles().to(NAME), [True, True]
    latents, timesteps = torch.ones(1, 4, 2, 2).to(NAME), torch.zeros(1).to(NAME)
    replayed, text = Replayed(network, there, may=lambda: bool(stays)), told()
    for _ in range(4):
        replayed(latents, timesteps, text)
        stays = stays[1:]
    assert device.replayed == 1
