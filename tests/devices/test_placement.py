"""Models of which a device holds all, one network, or one block at a time."""

import logging
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.conditioning import Conditioning
from imaginairy.errors import NotEnoughMemoryError
from imaginairy.models.loading import needs, opened
from imaginairy.models.placement import PLACEMENTS, SHARE, Needs, Placement
from imaginairy.networks.layers import blocks_of
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.pictures import assert_same
from tests.support.pretend_device import NAME, Pretend, plugged_in

SAID = {
    "whole": None,
    "staged": "its networks take turns there.",
    "streamed": "its weights are copied there block by block, as they are needed.",
}
KINDS = ("1", "XL")


def drawn(store: ModelStore, model: str, **fields: Any) -> Any:
    usual = {"width": 64, "height": 64, "steps": 2, "sampler_type": "ddim", "seed": 1}
    prompt = ImaginePrompt("a red fox", model=model, **{**usual, **fields})
    return next(imagine(prompt, store=store)).img


@pytest.fixture(scope="module")
def expected(models: dict[str, str]) -> dict[str, Any]:
    store = ModelStore("cpu", "full")
    return {kind: drawn(store, models[kind]) for kind in KINDS}


def needed(model: str) -> list[Needs]:
    """Return what a model needs of the device that is plugged in, in float32."""
    store = ModelStore(precision="full")
    checkpoint = opened(locate(DRAWS, model))
    return needs(checkpoint, store.device, store.dtype)


def room(wanted: list[Needs], placement: Placement) -> int:
    """Return how much memory a device has on which a placement is chosen."""
    takes = {
        "whole": sum(n.weights for n in wanted) + max(n.works for n in wanted),
        "staged": max(n.weights + n.works for n in wanted),
        "streamed": max(n.weights + n.works for n in wanted) - 1000,
    }
    return int(takes[placement] / SHARE) + 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_it_is_chosen_by_what_is_free_and_pictures_are_the_cpu_s(
    kind: str,
    placement: Placement,
    models: dict[str, str],
    expected: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with plugged_in("cuda") as device:
        wanted = needed(models[kind])
        device.limit = room(wanted, placement)
        store = ModelStore(precision="full")
        model = store.get(models[kind]).diffusion
        assert model.placed.placement == placement
        weights = sum(each.weights for each in wanted)
        assert device.most_held >= weights if placement == "whole" else not device.held
        for _ in range(2):
            assert_same(drawn(store, models[kind]), expected[kind])
        model.rest()
        held = weights if placement == "whole" else 0
        assert held <= device.held < held + 1000
        del model
        store.clear()
    said = [each for each in caplog.messages if "not enough memory" in each]
    how = SAID[placement]
    where = f"There is not enough memory on {NAME} for '{models[kind]}' at once"
    assert said == ([f"{where}; {how}"] if how else [])


@pytest.fixture
def device() -> Iterator[Pretend]:
    with plugged_in("cuda") as pretend:
        yield pretend


@pytest.mark.parametrize("placement", ["staged", "streamed"])
def test_no_more_is_held_than_what_computes(
    placement: Placement, device: Pretend, models: dict[str, str]
) -> None:
    """Held at most is less by what of the weights does not compute meanwhile."""
    most = {}
    for each in ("whole", placement):
        device.limit = room(needed(models["XL"]), each)  # type: ignore[arg-type]
        store = ModelStore(precision="full")
        store.get(models["XL"])
        device.forget()
        drawn(store, models["XL"])
        most[each] = device.most_held
        store.clear()
    wanted = needed(models["XL"])
    all_of_them = sum(each.weights for each in wanted)
    takes = "weights" if placement == "staged" else "least"
    there = max(getattr(each, takes) for each in wanted)
    assert most["whole"] - most[placement] >= all_of_them - there - 1000


def test_less_is_on_the_device_where_memory_runs_out(
    device: Pretend,
    models: dict[str, str],
    expected: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """When no other order of the computation was enough."""
    store = ModelStore(precision="full")
    model = store.get(models["1"]).diffusion
    assert model.placed.placement == "whole"
    device.limit = device.held
    with caplog.at_level(logging.WARNING, "imaginairy"):
        assert_same(drawn(store, models["1"]), expected["1"])
    assert model.placed.placement == "staged"
    said = [each for each in caplog.messages if "at once; its" in each]
    assert [each.partition("; ")[2] for each in said] == [SAID["staged"]]


def test_low_memory_is_streamed_whatever_is_free(
    device: Pretend, models: dict[str, str], expected: dict[str, Any]
) -> None:
    store = ModelStore(precision="full", low_memory=True)
    assert_same(drawn(store, models["1"]), expected["1"])
    assert store.get(models["1"]).diffusion.placed.placement == "streamed"


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_model_that_is_let_go_is_gone_at_once(
    placement: Placement, device: Pretend, models: dict[str, str]
) -> None:
    """Not when Python looks for garbage, as the next one needs the room."""
    device.limit = room(needed(models["1"]), placement)
    store = ModelStore(precision="full")
    network = store.get(models["1"]).diffusion.network
    blocks = [weakref.ref(block) for block in blocks_of(network)]
    assert len(blocks) > 9
    del network
    store.clear()
    assert not any(block() for block in blocks)


def test_each_block_is_copied_once_a_step(
    device: Pretend, models: dict[str, str]
) -> None:
    """Also where that is begun while the one before it computes."""
    store = ModelStore(precision="full", low_memory=True)
    model = store.get(models["1"]).diffusion
    inside = sum(len([*block.parameters()]) for block in blocks_of(model.network))
    asked = torch.randn(1, 4, 8, 8), torch.tensor([500.0])
    given = [each.to(model.device) for each in asked]
    text = Conditioning(torch.randn(1, 9, 48)).to(model.device)
    with torch.inference_mode():
        model.placed.bring(model.network)
        for _ in range(2):  # the first tells which block follows which
            device.forget()
            model.network(*given, text)
    assert device.traffic["sent", "models/placement.py"] == inside


def test_another_vae_comes_and_goes_too(
    device: Pretend, models: dict[str, str]
) -> None:
    usual = drawn(ModelStore("cpu", "full"), models["1"], vae=models["vae"])
    store = ModelStore(precision="full", low_memory=True)
    drawn(store, models["1"])
    assert_same(drawn(store, models["1"], vae=models["vae"]), usual)
    assert_same(
        drawn(store, models["1"], vae=models["vae"], init_image=usual, steps=4),
        drawn(
            ModelStore("cpu", "full"), models["1"], vae=models["vae"],
            init_image=usual, steps=4,
        ),
    )  # fmt: skip


def test_where_nothing_fits_nothing_is_loaded(
    device: Pretend, models: dict[str, str]
) -> None:
    device.limit = 10_000
    with pytest.raises(NotEnoughMemoryError, match=r"the weights of .* try a smaller"):
        ModelStore(precision="full").get(models["1"])
    assert device.most_held == 0
