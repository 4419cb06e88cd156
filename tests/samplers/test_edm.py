"""Noise of any level, and networks preconditioned for it, beside diffusers."""

from collections.abc import Callable
from math import exp
from typing import Any

import pytest
import torch
from diffusers import EDMDPMSolverMultistepScheduler, EDMEulerScheduler
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.errors import BadOptionError
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.denoiser import NetworkDenoiser
from imaginairy.samplers.edm import EdmConfig, EdmSchedule
from imaginairy.samplers.prediction import (
    Prediction,
    clean_latents,
    predicted_of,
)
from imaginairy.samplers.schedule import Spacing

COSXL = EdmConfig(
    sigma_max=120, deviation=1, spacing="exponential", predicts="v",
)  # fmt: skip
KINDS: dict[str, tuple[EdmConfig, dict[str, Any]]] = {
    "as published": (EdmConfig(), {}),
    "less noise, less crowded": (
        EdmConfig(sigma_min=0.01, sigma_max=20, rho=4),
        {"sigma_min": 0.01, "sigma_max": 20, "rho": 4},
    ),
    "CosXL": (
        COSXL,
        {
            "sigma_max": 120, "sigma_data": 1.0, "sigma_schedule": "exponential",
            "prediction_type": "v_prediction",
        },
    ),
}  # fmt: skip
SOLVERS: dict[str, Callable[..., Any]] = {
    "k_euler": EDMEulerScheduler,
    "k_dpmpp_2m": EDMDPMSolverMultistepScheduler,
}
SHAPE = (1, 4, 6, 5)
START = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))


def network(seen: Tensor, timesteps: Tensor, _: Conditioning) -> Tensor:
    """Say something else at every level."""
    return (2 * seen + timesteps[:, None, None, None]).sin()


def ours(config: EdmConfig, sampler: str, steps: int) -> Tensor:
    schedule, row = EdmSchedule(config), SAMPLERS[sampler]
    levels = row.levels(schedule, steps)
    nothing = Conditioning(torch.zeros(1, 1, 1))
    return row.sample(
        NetworkDenoiser(network, schedule, config.predicts, nothing),
        row.start(schedule, START, levels[0]),
        levels,
        draw_noise=lambda: START,
        on_step=lambda *_: None,
    )


@pytest.mark.parametrize("steps", [2, 5, 20])
@pytest.mark.parametrize("sampler", SOLVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_walk_is_that_of_diffusers(kind: str, sampler: str, steps: int) -> None:
    config, settings = KINDS[kind]
    scheduler = SOLVERS[sampler](**settings)
    scheduler.set_timesteps(steps)
    latents = START * config.sigma_max
    for timestep in scheduler.timesteps:
        seen = scheduler.scale_model_input(latents, timestep)
        said = network(seen, timestep[None], Conditioning(torch.zeros(1, 1, 1)))
        latents = scheduler.step(said, timestep, latents).prev_sample
    torch.testing.assert_close(ours(config, sampler, steps), latents, rtol=0, atol=1e-4)


@pytest.mark.parametrize("sigma", [0.002, 0.5, 80.0])
def test_a_network_sees_unit_deviation_and_is_told_a_quarter_of_the_logarithm(
    sigma: float,
) -> None:
    schedule = EdmSchedule()
    both = (sigma**2 + 0.5**2) ** 0.5
    assert schedule.scale(sigma) == pytest.approx(1 / both)
    assert exp(4 * schedule.timestep(sigma)) == pytest.approx(sigma)
    assert schedule.signal(sigma) == 1


@pytest.mark.parametrize("config", [EdmConfig(), COSXL], ids=["0.5", "1"])
@pytest.mark.parametrize("prediction", ["edm", "v", "noise", "clean"])
@pytest.mark.parametrize("sigma", [0.01, 1.0, 50.0])
def test_what_is_predicted_follows_from_the_clean_latents_and_they_from_it(
    config: EdmConfig, prediction: Prediction, sigma: float
) -> None:
    schedule, clean = EdmSchedule(config), START.double()
    latents = clean + sigma * clean.flip(-1)
    said = predicted_of(prediction, clean, latents, sigma, schedule)
    again = clean_latents(prediction, said, latents, sigma, schedule)
    torch.testing.assert_close(again, clean)
    data = config.deviation
    both = (sigma**2 + data**2) ** 0.5
    skipped = (data / both) ** 2 * latents  # arXiv:2206.00364, table 1
    turned = {"edm": 1, "v": -1}.get(prediction)
    if turned:
        wanted = turned * (clean - skipped) * both / (sigma * data)
        torch.testing.assert_close(said, wanted)


@pytest.mark.parametrize(
    ("spacing", "steps", "expected"),
    [
        ("normal", 3, [80.0, 2.515, 0.002, 0.0]),  # eq. 5 with rho 7
        ("karras", 1, [80.0, 0.0]),
        ("exponential", 3, [80.0, 0.4, 0.002, 0.0]),
    ],
)
def test_levels_reach_from_the_most_noise_to_the_least(
    spacing: Spacing, steps: int, expected: list[float]
) -> None:
    levels = EdmSchedule().levels(steps, spacing)
    assert levels == pytest.approx(expected, rel=1e-3)
    if spacing == "exponential":
        usual = EdmSchedule(EdmConfig(spacing="exponential"))
        assert usual.levels(steps, "normal") == levels


def test_other_levels_are_of_timesteps_and_refused() -> None:
    schedule, row = EdmSchedule(), SAMPLERS["k_euler"]
    refused = [way for way in row.spacings if way not in schedule.spacings]
    assert refused
    for spacing in refused:
        with pytest.raises(BadOptionError) as caught:
            row.levels(schedule, 5, spacing)
        assert str(caught.value) == (
            "The noise of this model is of the kind 'continuous', whose levels the "
            f"schedule '{spacing}' cannot space; its schedules are: normal, karras, "
            "exponential."
        )


def test_a_spacing_that_it_has_not_is_not_the_usual_one() -> None:
    schedule = EdmSchedule()
    for row in SAMPLERS.values():
        if schedule.kind in row.schedules:
            spacing = row.spacing_of(schedule.spacings)
            assert spacing in schedule.spacings
            assert row.levels(schedule, 4) == row.levels(schedule, 4, spacing)
