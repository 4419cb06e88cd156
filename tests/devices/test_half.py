"""Half precision as CUDA has it, and single precision where MPS does."""

import logging
from collections.abc import Iterator
from math import inf
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, Observer, imagine
from imaginairy.errors import NotFiniteError
from imaginairy.observe import Step
from tests.support.pictures import assert_same, distance
from tests.support.pretend_device import NAME, Pretend, plugged_in


def drawn(store: ModelStore, model: str, **fields: Any) -> ImagineResult:
    usual = {"width": 64, "height": 64, "steps": 4, "sampler_type": "ddim", "seed": 1}
    prompt = ImaginePrompt("a red fox", model=model, **{**usual, **fields})
    return next(iter(imagine(prompt, store=store)))


@pytest.fixture
def device() -> Iterator[Pretend]:
    with plugged_in("cuda") as pretend:
        yield pretend


@pytest.fixture(scope="module")
def single(models: dict[str, str]) -> ImagineResult:
    """What the CPU draws."""
    return drawn(ModelStore("cpu", "full"), models["1"])


@pytest.mark.parametrize(
    ("like", "dtype"), [("cuda", torch.float16), ("mps", torch.float32)]
)
def test_models_are_held_as_the_device_has_it(
    like: str, dtype: torch.dtype, models: dict[str, str], single: ImagineResult
) -> None:
    with plugged_in(like) as device:
        store = ModelStore(precision="autocast")
        weights = list(store.get(models["1"]).diffusion.network.parameters())
        assert {each.dtype for each in weights} == {dtype}
        assert {each.device for each in weights} == {torch.device(NAME, 0)}
        assert device.held >= sum(each.nbytes for each in weights)
        result = drawn(store, models["1"])
    assert distance(result.img, single.img) < 3
    assert result.metadata_dict()["device"] == NAME
    assert result.recomputed == ()


@pytest.mark.parametrize("like", ["cuda", "mps"])
def test_full_precision_is_the_cpu_s(
    like: str, models: dict[str, str], single: ImagineResult
) -> None:
    with plugged_in(like):
        assert_same(drawn(ModelStore(precision="full"), models["1"]).img, single.img)


class Convolved(Observer):
    """Notes how CUDA's convolutions in float32 are computed."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def on_step(self, step: Step) -> None:
        self.seen.add(torch.backends.cudnn.conv.fp32_precision)

    def on_result(self, result: ImagineResult) -> None:
        self.seen.add(torch.backends.cudnn.conv.fp32_precision)


def test_convolutions_in_float32_are_not_rounded_meanwhile(
    models: dict[str, str],
) -> None:
    before, seen = torch.backends.cudnn.conv.fp32_precision, Convolved()
    prompt = ImaginePrompt("a fox", model=models["1"], width=64, height=64, steps=2)
    for _ in imagine(prompt, store=ModelStore("cpu", "full"), observer=seen):
        assert torch.backends.cudnn.conv.fp32_precision == before != "ieee"
    assert seen.seen == {"ieee"}


def overflow(network: nn.Module, below: float) -> list[torch.dtype]:
    """Let a network's halves overflow where there is less noise than at a timestep.

    Returns:
        The types that it computed in, call by call.
    """
    types: list[torch.dtype] = []

    def spoil(_: nn.Module, given: tuple[Any, ...], result: Tensor) -> Tensor:
        types.append(next(network.parameters()).dtype)
        late = bool(given[1][0] < below)
        return result * inf if late and types[-1] == torch.float16 else result

    network.register_forward_hook(spoil)
    return types


class Started(Observer):
    """Counts how often pictures are begun."""

    times = 0

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        self.times += 1


@pytest.mark.parametrize(("below", "starts"), [(2000, 1), (500, 2)])
def test_what_overflows_is_computed_again_whenever_it_is_noticed(
    below: float,
    starts: int,
    device: Pretend,
    models: dict[str, str],
    single: ImagineResult,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What does so at once is noticed at once; what does so later, at the end."""
    store, watching = ModelStore(precision="autocast"), Started()
    types = overflow(store.get(models["1"]).diffusion.network, below)
    prompt = ImaginePrompt(
        "a red fox", model=models["1"], width=64, height=64, steps=4,
        sampler_type="ddim", seed=1,
    )  # fmt: skip
    with caplog.at_level(logging.WARNING, "imaginairy"):
        (result,) = imagine(prompt, store=store, observer=watching)
    assert result.recomputed == ("the UNet",)
    assert distance(result.img, single.img) < 3
    assert watching.times == starts
    assert caplog.text.count("beyond half precision") == 1
    assert torch.float32 in types[1:]


def test_what_is_no_number_is_named_as_on_the_cpu(
    device: Pretend, models: dict[str, str]
) -> None:
    store = ModelStore(NAME, "full")
    network = store.get(models["1"]).diffusion.network
    network.register_forward_hook(
        lambda _, given, result: result * inf if given[1][0] < 500 else result
    )
    with pytest.raises(NotFiniteError, match=r"^The UNet of .* gave numbers that are"):
        drawn(store, models["1"])
