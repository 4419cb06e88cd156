"""Samplers that diffusers has too, step by step on a model that changes its mind.

Over their own levels, and for whatever a network predicts.
"""

from typing import Any

import pytest
import torch
from diffusers import (
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    IPNDMScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.prediction import Prediction, predicted_of
from tests.support.gaussian import Saying, noise_from
from tests.support.schedules import SCHEDULES
from tests.support.tiny import BETAS

pytestmark = pytest.mark.filterwarnings(  # diffusers calls NumPy in an old way
    "ignore:__array:DeprecationWarning"
)
FLOW: dict[str, Any] = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
KINDS: dict[Prediction, dict[str, Any]] = {
    "noise": {**BETAS, "prediction_type": "epsilon"},
    "v": {**BETAS, "prediction_type": "v_prediction"},
    "flow": FLOW,
}


def assert_walks_alike(
    name: str, scheduler: Any, levels: list[float], prediction: Prediction
) -> None:
    """Walk from the same noise with theirs and ours; theirs is scaled."""
    schedule = SCHEDULES["flow" if prediction == "flow" else "discrete"]
    seen = noise = noise_from(1, (1, 4, 6, 5))()
    for timestep, level in zip(scheduler.timesteps, levels[:-1], strict=True):
        latents = seen / schedule.scale(level)
        said = predicted_of(prediction, latents.sin(), latents, level, schedule)
        seen = scheduler.step(said, timestep, seen).prev_sample
    out = SAMPLERS[name].sample(
        Saying(schedule, lambda latents, _: latents.sin()),
        noise / schedule.scale(levels[0]),
        levels,
        draw_noise=draws_none,
        on_step=lambda *_: None,
    )
    expected = seen / schedule.scale(levels[-1])
    torch.testing.assert_close(out, expected, rtol=0, atol=5e-4)


def draws_none() -> Tensor:
    raise AssertionError("a deterministic sampler drew noise")


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 20])
@pytest.mark.parametrize("prediction", KINDS)
@pytest.mark.parametrize(("name", "order"), [("k_unipc", 2), ("k_unipc_3", 3)])
def test_unipc_is_that_of_diffusers(
    name: str, order: int, prediction: Prediction, steps: int
) -> None:
    scheduler = UniPCMultistepScheduler(**KINDS[prediction], solver_order=order)
    scheduler.set_timesteps(steps)
    assert_walks_alike(name, scheduler, scheduler.sigmas.tolist(), prediction)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 20])
@pytest.mark.parametrize("prediction", ["noise", "v"])
def test_deis_is_that_of_diffusers(prediction: Prediction, steps: int) -> None:
    """Theirs ends on the lowest sigma; ours is of lower order only before 0."""
    scheduler = DEISMultistepScheduler(
        **KINDS[prediction], solver_order=3, lower_order_final=False
    )
    scheduler.set_timesteps(steps)
    assert_walks_alike("k_deis", scheduler, scheduler.sigmas.tolist(), prediction)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
def test_ipndm_is_that_of_diffusers(steps: int) -> None:
    """Theirs predicts v, on the schedule that it is told."""
    schedule = SCHEDULES["discrete"]
    levels = schedule.levels(steps + 1, "karras")[:-1]
    noises = [level * schedule.scale(level) for level in levels]
    scheduler = IPNDMScheduler(trained_betas=noises)
    scheduler.set_timesteps(steps)
    assert_walks_alike("k_ipndm", scheduler, levels, "v")


SHIFTED = {**FLOW, "flow_shift": 3.0}
OF_FLOWS: dict[str, Any] = {
    "k_euler": lambda: FlowMatchEulerDiscreteScheduler(shift=3.0),
    "k_heun": lambda: FlowMatchHeunDiscreteScheduler(shift=3.0),
    "k_dpmpp_2m": lambda: DPMSolverMultistepScheduler(**SHIFTED),
    "k_dpmpp_2m_sde": lambda: DPMSolverMultistepScheduler(
        **SHIFTED, algorithm_type="sde-dpmsolver++"
    ),
}


@pytest.mark.parametrize("name", OF_FLOWS)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20])
def test_samplers_of_flows_are_those_of_diffusers(name: str, steps: int) -> None:
    """Those of Heun are told every level between the ends twice."""
    schedule, row = SCHEDULES["flow"], SAMPLERS[name]
    scheduler = OF_FLOWS[name]()
    scheduler.set_timesteps(steps)
    seen, draw_noise = noise_from(1, (1, 4, 6, 5))(), noise_from(2, (1, 4, 6, 5))
    drawn = {"variance_noise": draw_noise} if row.draws_noise else {}
    start, visited = seen, list(dict.fromkeys(scheduler.sigmas.tolist()))
    for timestep in scheduler.timesteps:
        level = float(scheduler.sigmas[scheduler.step_index or 0])
        said = predicted_of("flow", seen.sin(), seen, level, schedule)
        more = {key: draw() for key, draw in drawn.items()}
        seen = scheduler.step(said, timestep, seen, **more).prev_sample
    out = row.sample(
        Saying(schedule, lambda latents, _: latents.sin()),
        start,
        visited,
        draw_noise=noise_from(2, (1, 4, 6, 5)) if row.draws_noise else draws_none,
        on_step=lambda *_: None,
    )
    torch.testing.assert_close(out, seen, rtol=0, atol=1e-5)
