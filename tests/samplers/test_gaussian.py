"""Every sampler on a target whose exact solution is known (see gaussian.py)."""

from itertools import pairwise
from math import log, log2

import pytest
import torch
from torch import Tensor

from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.guidance import Denoiser
from imaginairy.samplers.kdiff import multistep_weights
from imaginairy.samplers.schedule import NoiseSchedule
from imaginairy.samplers.table import Sampler
from tests.support.gaussian import (
    DEVIATION,
    MEAN,
    GaussianDenoiser,
    flow,
    noise_from,
    sigma_at,
)
from tests.support.walks import WALKS, World

TOP, BOTTOM = 10.0, 0.1
STOCHASTIC = [row for row in SAMPLERS.values() if row.draws_noise]
DETERMINISTIC = [row for row in SAMPLERS.values() if not row.draws_noise]


def names(rows: list[Sampler]) -> list[str]:
    return [row.name for row in rows]


def ignore_step(index: int, latents: Tensor, denoised: Tensor) -> None:
    """Watch nothing."""


def no_noise() -> Tensor:
    raise AssertionError("a deterministic sampler drew noise")


def ode_error(denoiser: Denoiser, row: Sampler, steps: int) -> float:
    """Return the worst error, sigmas even in their logarithm, without SDE noise."""
    levels = [TOP * (BOTTOM / TOP) ** (step / steps) for step in range(steps + 1)]
    start = TOP * noise_from(1, (64,))()
    out = row.sample(
        denoiser,
        start,
        levels,
        draw_noise=no_noise,
        on_step=ignore_step,
        **({"eta": 0.0} if "eta" in row.options else {}),
    )
    return float((out - flow(start, TOP, BOTTOM)).abs().max())


@pytest.mark.parametrize(
    ("name", "steps", "order"),
    [
        ("k_euler", 48, 1),
        ("k_euler_a", 48, 1),
        ("k_heun", 48, 2),
        ("k_dpm_2", 48, 2),
        ("k_dpm_2_a", 48, 2),
        ("k_dpmpp_2s_a", 48, 2),
        ("k_dpmpp_sde", 48, 2),
        ("k_dpmpp_2m", 48, 2),
        ("k_dpmpp_2m_sde", 48, 2),
        ("k_dpmpp_3m_sde", 48, 2),  # as it is published; see its docstring
        ("k_dpm_fast", 59, 3),  # one less than a multiple of 3: no first-order step
    ],
)
def test_sigma_samplers_gain_accuracy_at_their_order(
    gaussian: GaussianDenoiser, name: str, steps: int, order: int
) -> None:
    few = ode_error(gaussian, SAMPLERS[name], steps)
    many = ode_error(gaussian, SAMPLERS[name], 2 * steps + steps % 2)
    assert log2(few / many) == pytest.approx(order, abs=0.2)


def test_lms_gains_more_than_third_order_while_its_start_matters_little(
    gaussian: GaussianDenoiser,
) -> None:
    few, many = (ode_error(gaussian, SAMPLERS["k_lms"], steps) for steps in (24, 48))
    assert log2(few / many) > 3


def test_multistep_weights_integrate_a_cubic_exactly() -> None:
    nodes, end = [1.3, 2.0, 3.1, 5.0], 0.4
    weights = multistep_weights(nodes, end)
    for power in range(4):
        integral = (end ** (power + 1) - nodes[0] ** (power + 1)) / (power + 1)
        total = sum(w * node**power for w, node in zip(weights, nodes, strict=True))
        assert total == pytest.approx(integral, rel=1e-12)


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("plms", 2)])
def test_timestep_samplers_gain_accuracy_at_their_order(
    gaussian: GaussianDenoiser, schedule: NoiseSchedule, name: str, order: int
) -> None:
    """Down to timestep 160, as close to 0 the noise changes without a limit."""
    errors = []
    for stride in (10, 5):
        levels = [float(timestep) for timestep in range(960, 0, -stride)]
        passed: list[Tensor] = []
        start = noise_from(1, (64,))()
        SAMPLERS[name].sample(
            gaussian,
            start,
            levels,
            draw_noise=no_noise,
            on_step=lambda index, latents, _, passed=passed: passed.append(latents),
        )
        first, last = sigma_at(schedule, 960), sigma_at(schedule, 160)
        exact = flow(start * (1 + first**2) ** 0.5, first, last)
        reached = passed[levels.index(160) - 1] * (1 + last**2) ** 0.5
        errors.append(float((reached - exact).abs().max()))
    assert log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


def test_dpm_adaptive_gains_accuracy_by_stricter_tolerances(
    gaussian: GaussianDenoiser,
) -> None:
    start = TOP * noise_from(1, (64,))()
    errors, counts = [], []
    for strictness in (1, 10, 100):
        indices: list[int] = []
        out = SAMPLERS["k_dpm_adaptive"].sample(
            gaussian,
            start,
            [TOP, BOTTOM],
            draw_noise=no_noise,
            on_step=lambda index, *_, indices=indices: indices.append(index),
            relative_tolerance=0.05 / strictness,
            absolute_tolerance=0.0078 / strictness,
        )
        errors.append(float((out - flow(start, TOP, BOTTOM)).abs().max()))
        counts.append(len(indices))
    assert errors[0] < 0.1
    assert errors[0] > errors[1] > errors[2]
    assert counts[0] < counts[1] < counts[2]


def test_dpm_adaptive_tries_again_where_a_step_was_much_too_long(
    schedule: NoiseSchedule,
) -> None:
    """As the paper's does, on a model that changes its mind fast."""
    tried: list[float] = []

    def clean(latents: Tensor, sigma: float) -> Tensor:
        tried.append(sigma)
        return (8 * latents).sin()

    row, accepted = SAMPLERS["k_dpm_adaptive"], list[int]()
    denoiser = Denoiser(lambda latents, timestep: latents, schedule)
    denoiser.denoised = clean  # type: ignore[method-assign]
    levels = row.levels(schedule, 10)
    start = levels[0] * noise_from(1, (64,))()
    out = row.sample(
        denoiser,
        start,
        levels,
        draw_noise=no_noise,
        on_step=lambda index, *_: accepted.append(index),
    )
    assert len(tried) > 3 * len(accepted)
    assert accepted == list(range(len(accepted)))
    exact = WALKS["k_dpm_adaptive"](World(clean, no_noise), start, levels)
    torch.testing.assert_close(out, exact, rtol=0, atol=1e-8)


def test_dpm_adaptive_ends_even_where_the_model_is_all_noise(
    schedule: NoiseSchedule,
) -> None:
    """The two solvers never agree on a model that answers at random.

    Its steps are 0.01 long, and longer where it agrees with itself by chance.
    """
    seen: list[int] = []
    noise = noise_from(2, (64,))
    row = SAMPLERS["k_dpm_adaptive"]
    out = row.sample(
        Denoiser(lambda latents, timestep: noise(), schedule),
        noise(),
        row.levels(schedule, 10),
        draw_noise=no_noise,
        on_step=lambda index, *_: seen.append(index),
    )
    assert out.isfinite().all()
    assert 250 < len(seen) <= log(14.7 / 0.029) / 0.01


def test_dpm_adaptive_ends_where_the_model_overflows(schedule: NoiseSchedule) -> None:
    row = SAMPLERS["k_dpm_adaptive"]
    out = row.sample(
        Denoiser(lambda latents, timestep: latents * float("nan"), schedule),
        noise_from(2, (64,))(),
        row.levels(schedule, 10),
        draw_noise=no_noise,
        on_step=ignore_step,
    )
    assert out.isnan().all()


@pytest.mark.parametrize("row", DETERMINISTIC, ids=names(DETERMINISTIC))
def test_deterministic_samplers_near_the_exact_solution(
    gaussian: GaussianDenoiser, schedule: NoiseSchedule, row: Sampler
) -> None:
    errors = []
    for steps in (10, 40):
        levels = row.levels(schedule, steps, row.spacings[-1])
        start = row.start(schedule, noise_from(1, (64,))(), levels[0])
        out = row.sample(
            gaussian, start, levels, draw_noise=no_noise, on_step=ignore_step
        )
        if row.family == "timesteps":
            first, last = sigma_at(schedule, levels[0]), sigma_at(schedule, 0)
            exact = flow(start * (1 + first**2) ** 0.5, first, last)
            exact /= (1 + last**2) ** 0.5
        else:
            exact = flow(start, levels[0], 0)
        errors.append(float((out - exact).abs().max()))
    assert errors[1] < 0.15
    if not row.adaptive:
        assert errors[1] < errors[0] / 2


@pytest.mark.parametrize(
    "row",
    [row for row in STOCHASTIC if row.name != "k_lcm"] + [SAMPLERS["ddim"]],
    ids=lambda row: row.name,
)
def test_stochastic_samplers_reproduce_the_target(
    gaussian: GaussianDenoiser, schedule: NoiseSchedule, row: Sampler
) -> None:
    """Mean within sampling error; deviation nearing the target's with more steps."""
    errors = []
    for steps in (10, 20, 80):
        levels = row.levels(schedule, steps, row.spacings[-1])
        draw_noise = noise_from(3, (20_000,))
        out = row.sample(
            gaussian,
            row.start(schedule, draw_noise(), levels[0]),
            levels,
            draw_noise=draw_noise,
            on_step=ignore_step,
            eta=1.0,
        )
        assert float(out.mean()) == pytest.approx(MEAN, abs=0.02)
        errors.append(abs(float(out.std()) / DEVIATION - 1))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.07


class ExactConsistency(Denoiser):
    """What a perfect latent consistency model would be for the Gaussian target."""

    def denoised(self, latents: Tensor, sigma: float) -> Tensor:
        return flow(latents, sigma, 0)


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_lcm_reproduces_the_target_in_any_number_of_steps(
    gaussian: GaussianDenoiser, schedule: NoiseSchedule, steps: int
) -> None:
    row, draw_noise = SAMPLERS["k_lcm"], noise_from(3, (20_000,))
    levels = row.levels(schedule, steps)
    out = row.sample(
        ExactConsistency(gaussian.predict, schedule),
        row.start(schedule, draw_noise(), levels[0]),
        levels,
        draw_noise=draw_noise,
        on_step=ignore_step,
    )
    assert float(out.mean()) == pytest.approx(MEAN, abs=0.05)
    assert float(out.std()) == pytest.approx(DEVIATION, rel=0.02)


@pytest.mark.parametrize("row", SAMPLERS.values(), ids=list(SAMPLERS))
def test_a_stronger_init_image_is_kept_more_closely(
    gaussian: GaussianDenoiser, schedule: NoiseSchedule, row: Sampler
) -> None:
    shape = (20_000,)
    init = MEAN + DEVIATION * noise_from(5, shape)()
    closeness = []
    for last in (10, 8, 6, 4, 2, 1):
        levels = row.levels(schedule, 10, last=last)
        out = row.sample(
            gaussian,
            row.start(schedule, noise_from(6, shape)(), levels[0], init),
            levels,
            draw_noise=noise_from(7, shape),
            on_step=ignore_step,
        )
        closeness.append(float(torch.stack([out, init]).corrcoef()[0, 1]))
    # From much noise little comes back, if more is added; 0.007 is the sampling error.
    assert all(low < high + 0.02 for low, high in pairwise(closeness)), closeness
    assert closeness[0] + 0.05 < closeness[-2] < closeness[-1]
    assert closeness[-1] > 0.99
