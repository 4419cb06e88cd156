"""The levels of flows, beside diffusers' where its pipelines give it the right ones."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from imaginairy.errors import BadOptionError
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.samplers.flow import FlowConfig, FlowSchedule, mu_by_steps
from imaginairy.samplers.schedule import Spacing
from imaginairy.samplers.table import Sampler, steps_to_run
from tests.support.gaussian import MEAN, exact_denoiser, flow, noise_from
from tests.support.schedules import name_of

Z_IMAGE = FlowConfig(shift=3)
SCHNELL = FlowConfig()
DEV = FlowConfig(shift=3, by_size=True)
KLEIN = FlowConfig(by_size=True, by_steps=True)
STRETCHED = FlowConfig(by_size=True, max_shift=0.9, max_tokens=8192, terminal=0.02)
PUBLISHED: list[tuple[FlowConfig, int, list[float]]] = [
    (Z_IMAGE, 4096, [1, 0.954545, 0.9, 0.833333, 0.75, 0.642857, 0.5, 0.3]),
    (Z_IMAGE, 1024, [1, 0.9375, 0.8571, 0.75, 0.6, 0.375]),
    (SCHNELL, 4096, [1, 0.75, 0.5, 0.25]),
    (KLEIN, 4096, [1, 0.967384, 0.908144, 0.767200]),
    (KLEIN, 1024, [1, 0.958085, 0.883982, 0.717497]),
    (KLEIN, 256, [1, 0.955391, 0.877134, 0.704112]),
]
"""Levels of Z-Image-Turbo, Flux.1-schnell and Flux.2-klein, by the number of tokens."""
OF_FLOWS = [row for row in SAMPLERS.values() if "flow" in row.schedules]
WAYS = FlowSchedule.spacings


@pytest.mark.parametrize(("config", "tokens", "expected"), PUBLISHED)
def test_levels_are_those_of_the_models(
    config: FlowConfig, tokens: int, expected: list[float]
) -> None:
    schedule = config.made().for_tokens(tokens)
    for way in ("normal", "trailing", "timesteps"):
        levels = schedule.levels(len(expected), way)
        assert levels == pytest.approx([*expected, 0], abs=5e-5)


def theirs(config: FlowConfig, tokens: int, steps: int) -> list[float]:
    """Return the levels of diffusers, asked as its pipelines do."""
    mu = mu_by_steps(tokens, steps)
    if not config.by_steps:
        share = (tokens - config.base_tokens) / (config.max_tokens - config.base_tokens)
        mu = config.base_shift + share * (config.max_shift - config.base_shift)
    said: dict[str, Any] = {
        "shift": config.shift,
        "use_dynamic_shifting": config.by_size,
        "shift_terminal": config.terminal,
        f"use_{config.spacing}_sigmas": True,
    }
    said.pop("use_trailing_sigmas", None)
    scheduler = FlowMatchEulerDiscreteScheduler(**said)
    even = [1 - step / steps for step in range(steps)]
    scheduler.set_timesteps(sigmas=even, mu=mu if config.by_size else None)
    found: list[float] = scheduler.sigmas.tolist()
    assert scheduler.timesteps.tolist() == pytest.approx([1000 * s for s in found[:-1]])
    return found


OWN = [DEV, replace(DEV, spacing="karras"), replace(Z_IMAGE, spacing="exponential")]


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # of diffusers
@pytest.mark.parametrize("config", [Z_IMAGE, SCHNELL, KLEIN, STRETCHED, *OWN])
def test_levels_are_those_of_diffusers(config: FlowConfig) -> None:
    for tokens in (64, 256, 1024, 4096, 4300, 4301, 16384):
        schedule = config.made().for_tokens(tokens)
        for steps in (2, 4, 9, 28, 200):
            expected = theirs(config, tokens, steps)
            assert schedule.levels(steps, "normal") == pytest.approx(expected, abs=2e-6)
            told = [schedule.timestep(level) for level in expected]
            assert told == [1000 * level for level in expected]


def test_levels_at_quantiles_span_those_that_are_even() -> None:
    """As diffusers' do, for which it needs SciPy."""
    levels = replace(Z_IMAGE, spacing="beta").made().levels(5, "normal")
    ends = Z_IMAGE.made().levels(5, "trailing")[-2]
    shares = [1, 0.824, 0.5, 0.176, 0]
    expected = [ends + (1 - ends) * share for share in shares]
    assert levels == pytest.approx([*expected, 0], abs=1e-3)


def test_the_shift_follows_the_size_of_the_picture() -> None:
    assert DEV.shift_of(4096) == pytest.approx(3.158, abs=1e-3)
    assert mu_by_steps(4096, 4) == pytest.approx(2.29118, abs=1e-5)
    small, large = (DEV.made().for_tokens(tokens) for tokens in (256, 4096))
    assert small.levels(4, "normal")[1] < large.levels(4, "normal")[1]
    assert small.level_after(0.5) < large.level_after(0.5)
    assert large.levels(4, "normal") == DEV.made().levels(4, "normal")
    assert Z_IMAGE.made().for_tokens(16).levels(4, "normal") == (
        Z_IMAGE.made().levels(4, "normal")
    )
    discrete = NoiseSchedule()
    assert discrete.for_tokens(16) is discrete


@pytest.mark.parametrize("way", WAYS)
def test_levels_fall_from_noise_alone_to_a_clean_picture(way: Spacing) -> None:
    for config in (Z_IMAGE, KLEIN, STRETCHED):
        for tokens in (16, 1_000_000):
            schedule = config.made().for_tokens(tokens)
            for steps in (1, 2, 50):
                levels = schedule.levels(steps, way)
                assert len(levels) == steps + 1
                assert (levels[0], levels[-1]) == (1, 0)
                assert all(high > low for high, low in pairwise(levels))


SPACED: dict[Spacing, list[float]] = {
    "karras": [1, 0.391290, 0.132371, 0.037067, 0.007868, 0.001],
    "exponential": [1, 0.251189, 0.063096, 0.015849, 0.003981, 0.001],
    "sgm_uniform": [1, 0.8002, 0.6004, 0.4006, 0.2008],
    "simple": [1, 0.667, 0.334],
    "beta": [1, 0.824, 0.501, 0.177],
}
"""Even levels of flows that are not shifted, as ComfyUI lists them."""


@pytest.mark.parametrize("way", SPACED)
def test_levels_in_other_ways(way: Spacing) -> None:
    levels = SCHNELL.made().levels(len(SPACED[way]), way)
    assert levels == pytest.approx([*SPACED[way], 0], abs=1e-3)
    shifted = Z_IMAGE.made().levels(len(SPACED[way]), way)
    assert shifted[-2] == pytest.approx(3 * levels[-2] / (1 + 2 * levels[-2]))


def test_spacings_of_other_noise_are_refused() -> None:
    row = SAMPLERS["k_euler"]
    for spacing in ("align_your_steps", "lcm"):
        with pytest.raises(BadOptionError) as caught:
            row.levels(FlowSchedule(), 5, spacing)
        assert str(caught.value) == (
            "The noise of this model is of the kind 'flow', whose levels the schedule "
            f"'{spacing}' cannot space; its schedules are: {', '.join(WAYS)}."
        )
    assert {row.spacing_of(WAYS, "flow") for row in OF_FLOWS} == {"normal"}
    row = SAMPLERS["k_dpmpp_3m_sde"]
    assert row.levels(FlowSchedule(), 4) == FlowSchedule().levels(4, "normal")
    assert row.spacing_of(WAYS) == "karras"


@pytest.mark.parametrize("row", OF_FLOWS, ids=name_of)
def test_every_sampler_starts_from_noise_alone(row: Sampler) -> None:
    """However strongly levels are shifted towards it, and however they are spaced."""
    for config in (KLEIN, FlowConfig(shift=999)):
        schedule = config.made()
        for spacing in row.spacings:
            if spacing not in WAYS:
                continue
            for steps in (1, 5):
                draw_noise = noise_from(1, (500,))
                levels = row.levels(schedule, steps, spacing)
                start = row.start(schedule, draw_noise(), levels[0])
                assert torch.equal(start, noise_from(1, (500,))())
                out = row.sample(
                    exact_denoiser(schedule),
                    start,
                    levels,
                    draw_noise=draw_noise,
                    on_step=lambda *_: None,
                )
                assert out.isfinite().all()
                if config.shift < 999:  # beyond which what looks back is led astray
                    assert float(out.mean()) == pytest.approx(MEAN, abs=0.1)
                    assert float(out.std()) < 0.7


DETERMINISTIC = [row for row in OF_FLOWS if not row.draws_noise]


@pytest.mark.parametrize("row", DETERMINISTIC, ids=name_of)
def test_samplers_near_the_exact_solution_over_the_levels_of_models(
    row: Sampler,
) -> None:
    for config in (Z_IMAGE, DEV):
        schedule, errors = config.made(), []
        for steps in (8, 32):
            start = noise_from(1, (64,))()
            levels = row.levels(schedule, steps)
            out = row.sample(
                exact_denoiser(schedule),
                start,
                levels,
                draw_noise=noise_from(2, (64,)),
                on_step=lambda *_: None,
            )
            exact = flow(schedule, start, 1, 0)
            errors.append(float((out - exact).abs().max()))
        assert errors[1] < min(0.2, errors[0] / 2), errors


@pytest.mark.parametrize(
    ("steps", "strength", "run"),
    [(4, 0.4, 3), (8, 0.4, 5), (8, 0.75, 2), (10, 0.8, 2), (4, 0.99, 1), (4, 1.0, 0)],
)
def test_a_part_of_a_step_that_an_init_image_leaves_is_a_whole_one(
    steps: int, strength: float, run: int
) -> None:
    """As of floor(N - min(N a, N)) that are left out at a denoising strength of a."""
    assert steps_to_run(steps, strength, "flow") == run
