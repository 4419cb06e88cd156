"""Samplers of models that were distilled to few steps, beside diffusers' schedulers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from diffusers import LCMScheduler, TCDScheduler
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.denoiser import NetworkDenoiser
from imaginairy.samplers.discrete import NoiseSchedule, ScheduleConfig
from imaginairy.samplers.prediction import Prediction
from tests.support.golden import relative_error
from tests.support.tiny import BETAS

SHAPE = (2, 4, 8, 8)
TOLERANCE = 1e-5
PREDICTIONS: dict[Prediction, str] = {
    "noise": "epsilon",
    "v": "v_prediction",
    "clean": "sample",
}
FEW = (1, 2, 4, 8)


def network(latents: Tensor, timesteps: Tensor, _: Conditioning | None = None) -> Any:
    """Say something of latents and timesteps that is no straight line."""
    times = timesteps.reshape(-1, 1, 1, 1) / 1000
    return (latents * (1 + times)).sin() + 0.3 * times


def noises(seed: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(SHAPE, generator=generator)


def ours(
    name: str, steps: int, prediction: Prediction = "noise", **options: Any
) -> Tensor:
    last, drawn = options.pop("last", None), noises(1)
    init = options.pop("init", None)
    row, schedule = SAMPLERS[name], NoiseSchedule(options.pop("config", None))
    levels = row.levels(schedule, steps, last=last)
    told = Conditioning(torch.zeros(1, 1, 1))
    return row.sample(
        NetworkDenoiser(network, schedule, prediction, told),
        row.start(schedule, next(drawn), levels[0], init),
        levels,
        draw_noise=lambda: next(drawn),
        on_step=lambda *_: None,
        **options,
    )


def theirs(
    scheduler: Any, steps: int, *, last: int | None = None, **options: Any
) -> Tensor:
    """Walk as their pipelines do; they draw the same noise from the same seed."""
    generator, init = torch.Generator().manual_seed(1), options.pop("init", None)
    scheduler.set_timesteps(steps)
    begin = 0 if last is None else steps - last
    scheduler.set_begin_index(begin)
    latents = torch.randn(SHAPE, generator=generator)
    timesteps = scheduler.timesteps[begin:]
    if init is not None:
        latents = scheduler.add_noise(init, latents, timesteps[:1])
    for timestep in timesteps:
        said = network(latents, timestep)
        latents = scheduler.step(
            said, timestep, latents, generator=generator, **options
        ).prev_sample
    return latents


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("steps", FEW)
def test_lcm_is_that_of_diffusers(steps: int, prediction: Prediction) -> None:
    scheduler = LCMScheduler(**BETAS, prediction_type=PREDICTIONS[prediction])
    drawn = ours("k_lcm", steps, prediction)
    assert relative_error(drawn, theirs(scheduler, steps)) < TOLERANCE


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("eta", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("steps", FEW)
def test_tcd_is_that_of_diffusers(
    steps: int, eta: float, prediction: Prediction
) -> None:
    scheduler = TCDScheduler(**BETAS, prediction_type=PREDICTIONS[prediction])
    drawn = ours("k_tcd", steps, prediction, eta=eta)
    assert relative_error(drawn, theirs(scheduler, steps, eta=eta)) < TOLERANCE
    if eta == 0.3:
        usual = ours("k_tcd", steps, prediction)
        assert torch.equal(usual, drawn), "the published one"


SCHEDULERS: dict[str, tuple[Callable[..., Any], dict[str, float]]] = {
    "k_lcm": (LCMScheduler, {}),
    "k_tcd": (TCDScheduler, {"eta": 0.3}),
}


@pytest.mark.parametrize("last", [1, 2, 3])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_they_go_on_from_a_picture_as_diffusers_does(name: str, last: int) -> None:
    kind, options = SCHEDULERS[name]
    init = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))
    drawn = ours(name, 4, last=last, init=init)
    wanted = theirs(kind(**BETAS), 4, last=last, init=init, **options)
    assert relative_error(drawn, wanted) < TOLERANCE


@pytest.mark.parametrize("name", SCHEDULERS)
def test_they_end_as_published_whatever_a_model_says_of_others(name: str) -> None:
    """`ends_clean` is about the last steps of DDIM and PLMS."""
    clean = ScheduleConfig(ends_clean=True)
    assert torch.equal(ours(name, 3, config=clean), ours(name, 3))


def test_at_1_tcd_is_nearly_lcm() -> None:
    """But for the noise of timestep 0, beyond which it does not go."""
    lcm, tcd, between = ours("k_lcm", 4), ours("k_tcd", 4, eta=1.0), ours("k_tcd", 4)
    assert relative_error(tcd, lcm) < 0.1 < relative_error(between, lcm)
