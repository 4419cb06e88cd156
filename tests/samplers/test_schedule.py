"""The noise schedule against the reference's tables."""

from itertools import pairwise
from math import exp, inf
from typing import Any, get_args

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, LCMScheduler
from diffusers.schedulers import AysSchedules
from torch import Tensor

from imaginairy.errors import BadOptionError
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.discrete import NoiseSchedule, ScheduleConfig, karras_sigmas
from imaginairy.samplers.schedule import Schedule, Spacing
from imaginairy.samplers.spacings import ALIGNED_XL, beta, beta_quantiles
from tests.support.schedules import SCHEDULES, name_of
from tests.support.tiny import BETAS


def test_betas_and_alphas_equal_the_reference_bit_for_bit(
    goldens: dict[str, Tensor], schedule: NoiseSchedule
) -> None:
    assert torch.equal(schedule.betas, goldens["betas"])
    assert torch.equal(schedule.alphas_cumprod, goldens["alphas_cumprod"])


def test_ddim_timesteps_equal_the_reference(
    goldens: dict[str, Tensor], schedule: NoiseSchedule
) -> None:
    stored = {
        int(name.partition(".s")[2]): timesteps.tolist()[::-1]
        for name, timesteps in goldens.items()
        if name.startswith("ddim_timesteps")
    }
    assert len(stored) > 15
    del stored[1000]  # the reference has 999 of them
    for steps, timesteps in stored.items():
        assert schedule.ddim_timesteps(steps) == timesteps, f"{steps} steps"


def test_ddim_timesteps_are_as_many_as_asked_for_every_number(
    schedule: NoiseSchedule,
) -> None:
    for steps in range(1, 1001):
        timesteps = schedule.ddim_timesteps(steps)
        assert len(set(timesteps)) == steps
        assert timesteps == sorted(timesteps, reverse=True)
        assert timesteps[0] <= 999
        assert timesteps[-1] == (0 if steps == 1000 else 1)


@pytest.mark.parametrize("steps", [-1, 0, 1001])
def test_ddim_timesteps_refuse_other_numbers(
    schedule: NoiseSchedule, steps: int
) -> None:
    with pytest.raises(BadOptionError, match=rf"takes 1 to 1000 steps, not {steps}\."):
        schedule.ddim_timesteps(steps)


def test_normal_sigmas_equal_the_reference(
    goldens: dict[str, Tensor], schedule: NoiseSchedule
) -> None:
    for name, sigmas in goldens.items():
        if name.startswith("kdiff_latest_sigmas"):
            steps = int(name.partition(".s")[2])
            torch.testing.assert_close(
                schedule.normal_sigmas(steps), sigmas, rtol=1e-6, atol=0
            )


def test_karras_sigmas_equal_the_reference(goldens: dict[str, Tensor]) -> None:
    sigmas = karras_sigmas(10, 0.03, 14.6)
    torch.testing.assert_close(sigmas, goldens["karras_sigmas.n10"], rtol=1e-6, atol=0)


def test_karras_sigmas_span_the_schedule(
    goldens: dict[str, Tensor], schedule: NoiseSchedule
) -> None:
    low, high = goldens["sigma_min_max"].tolist()
    sigmas = schedule.levels(7, "karras")
    assert len(sigmas) == 8
    assert sigmas[0] == pytest.approx(high, rel=1e-5)
    assert sigmas[-2] == pytest.approx(low, rel=1e-5)
    assert sigmas[-1] == 0


def test_sigma_to_timestep_equals_the_reference(
    goldens: dict[str, Tensor], schedule: NoiseSchedule
) -> None:
    ours = [schedule.timestep(float(s)) for s in goldens["sigma_to_t.query"]]
    assert ours == pytest.approx(goldens["sigma_to_t.latest"].tolist(), abs=1e-4)


@pytest.mark.parametrize("timestep", [0, 0.25, 1, 17.5, 500, 998.9, 999])
def test_sigma_and_timestep_are_each_other_s_inverse(
    schedule: NoiseSchedule, timestep: float
) -> None:
    sigma = schedule.sigma(timestep)
    assert schedule.timestep(sigma) == pytest.approx(timestep, abs=2e-4)
    if float(timestep).is_integer():
        assert schedule.timestep(sigma) == timestep
        alpha = float(schedule.alphas_cumprod[int(timestep)])
        assert schedule.scale(sigma) ** 2 == pytest.approx(alpha, rel=1e-5)


@pytest.mark.parametrize(("sigma", "timestep"), [(0.001, 0), (1000.0, 999)])
def test_sigmas_outside_the_table_are_held_to_its_ends(
    schedule: NoiseSchedule, sigma: float, timestep: float
) -> None:
    assert schedule.timestep(sigma) == timestep


def test_a_network_sees_noised_latents_of_unit_deviation(
    schedule: NoiseSchedule,
) -> None:
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn((2, 100_000), generator=generator)
    for timestep in (0, 300, 999):
        sigma = schedule.sigma(timestep)
        seen = schedule.scale(sigma) * schedule.noised(latents, noise, sigma)
        assert seen.std() == pytest.approx(1, abs=0.01)
    assert float((seen - noise).square().mean()) < 0.01


@pytest.mark.parametrize("steps", [1, 7, 1000])
@pytest.mark.parametrize("ends_clean", [False, True])
def test_levels_of_whole_timesteps_and_the_one_to_end_on(
    steps: int, ends_clean: bool
) -> None:
    schedule = NoiseSchedule(ScheduleConfig(ends_clean=ends_clean))
    *levels, last = schedule.levels(steps, "timesteps")
    assert list(map(schedule.timestep, levels)) == schedule.ddim_timesteps(steps)
    assert last == (0 if ends_clean else float(schedule.sigmas[0]))
    assert schedule.levels(steps, "normal") == schedule.normal_sigmas(steps).tolist()


def test_a_schedule_may_be_shorter() -> None:
    schedule = NoiseSchedule(ScheduleConfig(timesteps=100, beta_start=0.01))
    assert len(schedule) == 100
    assert schedule.ddim_timesteps(10)[0] == 91
    assert schedule.timestep(float(schedule.sigmas[50])) == pytest.approx(50)


@pytest.mark.parametrize(
    ("spacing", "steps", "timesteps"),
    [
        ("trailing", 4, [999, 749, 499, 249]),
        ("trailing", 8, [999, 874, 749, 624, 499, 374, 249, 124]),
        ("trailing", 1, [999]),
        ("linspace", 4, [999, 666, 333, 0]),
    ],
)
def test_timesteps_of_other_spacings(
    spacing: Any, steps: int, timesteps: list[int]
) -> None:
    assert NoiseSchedule(ScheduleConfig(spacing=spacing)).ddim_timesteps(steps) == (
        timesteps
    )


def test_sigmas_trail_too() -> None:
    sigmas = NoiseSchedule(ScheduleConfig(spacing="trailing")).normal_sigmas(4)
    assert sigmas.tolist() == pytest.approx(
        [14.6146, 4.0817, 1.6129, 0.6932, 0], abs=1e-4
    )


def test_a_schedule_may_end_in_noise_alone(schedule: NoiseSchedule) -> None:
    rescaled = NoiseSchedule(ScheduleConfig(zero_terminal_snr=True))
    alphas = rescaled.alphas_cumprod[[0, 500, 998]].tolist()
    assert alphas == pytest.approx([0.99914998, 0.24101855, 1.9679629e-07], rel=1e-4)
    assert 1000 < rescaled.sigmas[-1] < 1e4
    assert rescaled.lowest == pytest.approx(schedule.lowest, rel=1e-5)


def test_whole_timesteps_begin_in_noise_alone() -> None:
    config = ScheduleConfig(zero_terminal_snr=True, spacing="trailing")
    schedule = NoiseSchedule(config)
    for way in ("timesteps", "trailing timesteps", "lcm timesteps"):
        first, second, *_ = schedule.levels(4, way)
        assert schedule.timestep(first) == 999
        assert schedule.scale(first) == pytest.approx(0, abs=1e-5)
        assert second < 10
    assert schedule.levels(4, "normal")[0] == pytest.approx(4518.8, rel=1e-4)


def test_timesteps_that_are_noise_alone_are_all_the_last() -> None:
    """Of so many timesteps the last are told apart by nothing."""
    config = ScheduleConfig(5000, zero_terminal_snr=True, spacing="trailing")
    schedule = NoiseSchedule(config)
    assert schedule.sigmas[-1] == schedule.sigmas[-2]
    for way in ("timesteps", "normal"):
        assert schedule.timestep(schedule.levels(4, way)[0]) == 4999


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=name_of)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("level_next", [0.9, 0.3, 0.01, 0.0])
def test_noise_is_split_so_that_signal_and_noise_come_out_right(
    schedule: Schedule, eta: float, level_next: float
) -> None:
    for level in (1.0, 0.95, max(level_next, 0.02)):
        down, kept, up = schedule.split_noise(level, level_next, eta)
        signal, noise = kept * schedule.signal(down), kept * down
        assert signal == pytest.approx(schedule.signal(level_next))
        assert (noise**2 + up**2) ** 0.5 == pytest.approx(level_next)
        assert bool(up) == bool(eta and level_next and level > level_next)
    sure = schedule.split_noise(1.0, level_next, 0.0)
    assert sure == pytest.approx((level_next, 1, 0))


def test_of_noise_alone_all_is_drawn_anew() -> None:
    """A flow's first level has no signal; by 1 of eta nothing of its noise stays."""
    assert SCHEDULES["flow"].split_noise(1.0, 0.9, 1.0) == pytest.approx((0, 0.1, 0.9))
    assert SCHEDULES["flow"].log_ratio(1.0) == inf


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=name_of)
def test_levels_are_known_by_their_noise_to_signal(schedule: Schedule) -> None:
    for level in (0.01, 0.5, 0.97):
        ratio = exp(schedule.log_ratio(level))
        assert schedule.level_at(ratio) == pytest.approx(level)
        between = schedule.middle(level, level / 2)
        assert level / 2 < between < level
        noised = schedule.noised(torch.ones(1), torch.tensor([5.0]), level)
        assert float(noised) == pytest.approx(schedule.signal(level) * (1 + 5 * ratio))


SPACED: dict[Spacing, tuple[list[float], list[float]]] = {
    "exponential": ([14.6146, 1.84002, 0.231666, 0.0291675], [14.6146, 0.0291675]),
    "sgm_uniform": ([999, 749.25, 499.5, 249.75], [999, 499.5]),
    "simple": ([999, 749, 499, 249], [999, 499]),
    "trailing": ([999, 749, 499, 249], [999, 499]),
    "beta": ([999, 823, 500, 176], [999, 500]),
    "align_your_steps": ([14.615, 3.2269, 1.396, 0.5100], [14.615, 1.396]),
    "lcm": ([999, 759, 499, 259], [999, 499]),
}
"""Sigmas or timesteps of four steps and of two."""


@pytest.mark.parametrize("spacing", SPACED)
def test_levels_in_other_ways(schedule: NoiseSchedule, spacing: Spacing) -> None:
    for expected in SPACED[spacing]:
        if spacing not in ("exponential", "align_your_steps"):
            expected = [schedule.sigma(timestep) for timestep in expected]
        levels = schedule.levels(len(expected), spacing)
        assert levels == pytest.approx([*expected, 0], rel=1e-4)


@pytest.mark.parametrize("spacing", get_args(Spacing))
@pytest.mark.parametrize("steps", [1, 2, 7, 30, 50])
def test_levels_fall_to_a_clean_picture(
    schedule: NoiseSchedule, spacing: Spacing, steps: int
) -> None:
    levels = schedule.levels(steps, spacing)
    assert len(levels) == steps + 1
    assert levels[0] == pytest.approx(14.615, abs=1e-3)
    assert all(high > low for high, low in pairwise(levels))
    assert levels[-1] == 0


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # of diffusers
@pytest.mark.parametrize("steps", [3, 10, 25])
def test_levels_are_those_of_diffusers(schedule: NoiseSchedule, steps: int) -> None:
    def theirs(spacing: str, **said: Any) -> EulerDiscreteScheduler:
        scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing=spacing, **said)
        scheduler.set_timesteps(steps)
        return scheduler

    expected = theirs("linspace", use_exponential_sigmas=True).sigmas.tolist()
    ours = schedule.levels(steps, "exponential")
    assert ours == pytest.approx(expected, rel=1e-4)
    expected = theirs("trailing").sigmas.tolist()
    assert schedule.levels(steps, "trailing") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_levels_of_consistency_models_are_those_of_diffusers(
    schedule: NoiseSchedule, steps: int
) -> None:
    scheduler = LCMScheduler(**BETAS)
    scheduler.set_timesteps(steps)
    *levels, _ = schedule.levels(steps, "lcm")
    assert list(map(schedule.timestep, levels)) == scheduler.timesteps.tolist()


def test_no_more_steps_than_consistency_models_know(schedule: NoiseSchedule) -> None:
    with pytest.raises(BadOptionError, match=r"'lcm' takes 1 to 50 steps, not 51\."):
        schedule.levels(51, "lcm")
    short = NoiseSchedule(ScheduleConfig(timesteps=20))
    assert short.levels(20, "lcm") == short.levels(20, "trailing")
    with pytest.raises(BadOptionError, match=r"takes 1 to 20 steps, not 21\."):
        short.levels(21, "simple")


def test_aligned_steps_are_the_published_ones(schedule: NoiseSchedule) -> None:
    published = AysSchedules["StableDiffusionSigmas"]
    assert schedule.levels(10, "align_your_steps") == pytest.approx(published)
    larger = NoiseSchedule(ScheduleConfig(aligned=ALIGNED_XL))
    published = AysSchedules["StableDiffusionXLSigmas"]
    assert larger.levels(10, "align_your_steps") == pytest.approx(published)
    twice = schedule.levels(20, "align_your_steps")
    assert twice[1] == pytest.approx((14.615 * 6.475) ** 0.5)


@pytest.mark.parametrize("shape", [0.6, 1.0, 2.0])
def test_beta_quantiles_hold_that_share_of_the_density(shape: float) -> None:
    """Summed up over x = sin(angle)**2, in which the density has no ends."""
    shares = np.array([0.01, 0.25, 0.5, 0.9, 1.0])
    quantiles = beta_quantiles(shares, shape)
    angles = np.linspace(0, np.pi / 2, 200_001)
    density = np.sin(2 * angles) ** (2 * shape - 1)
    mass = np.cumsum(density) / density.sum()
    found = np.interp(np.arcsin(quantiles**0.5), angles, mass)
    assert found == pytest.approx(shares, abs=1e-4)


def test_so_many_quantiles_that_they_are_no_whole_timesteps() -> None:
    assert len(set(beta(1000, 1000))) == 1000


def test_ddim_walks_whole_trailing_timesteps(schedule: NoiseSchedule) -> None:
    *levels, last = SAMPLERS["ddim"].levels(schedule, 4, "trailing")
    assert list(map(schedule.timestep, levels)) == [999, 749, 499, 249]
    assert last == schedule.lowest
    with pytest.raises(BadOptionError, match="takes 1 to 1000 steps, not 1001"):
        SAMPLERS["ddim"].levels(schedule, 1001, "trailing")
