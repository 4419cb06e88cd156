"""Every sampler on a target whose exact solution is known (see gaussian.py)."""

from dataclasses import dataclass
from itertools import pairwise
from math import log, log2

import pytest
import torch
from torch import Tensor

from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.samplers.schedule import Schedule, Spacing
from imaginairy.samplers.table import Sampler
from tests.support.gaussian import (
    DEVIATION,
    MEAN,
    GaussianDenoiser,
    Saying,
    exact_denoiser,
    flow,
    noise_from,
)
from tests.support.schedules import SCHEDULES, WALKERS, name_of
from tests.support.walks import WALKS, World

TOP, BOTTOM = 10.0, 0.1
STOCHASTIC = [pair for pair in WALKERS if pair[0].takes_eta and pair[0].name != "k_tcd"]
DETERMINISTIC = [pair for pair in WALKERS if not pair[0].draws_noise]


def ignore_step(index: int, latents: Tensor, denoised: Tensor) -> None:
    """Watch nothing."""


def no_noise() -> Tensor:
    raise AssertionError("a deterministic sampler drew noise")


def spaced(schedule: Schedule, steps: int, power: int = 1) -> list[float]:
    """Space levels in the logarithm of noise to signal, evenly or by a power."""
    shares = [(step / steps) ** power for step in range(steps + 1)]
    ratios = [TOP * (BOTTOM / TOP) ** share for share in shares]
    return list(map(schedule.level_at, ratios))


def ode_error(row: Sampler, schedule: Schedule, levels: list[float]) -> float:
    """Return the worst error without SDE noise, in the latents that are walked."""
    start = schedule.noised(
        torch.full((64,), MEAN, dtype=torch.float64), noise_from(1, (64,))(), levels[0]
    )
    out = row.sample(
        exact_denoiser(schedule),
        start,
        levels,
        draw_noise=no_noise,
        on_step=ignore_step,
        **({"eta": 0.0} if "eta" in row.options else {}),
    )
    if row.walks == "timesteps":
        out = out / schedule.scale(levels[-1])
    return float((out - flow(schedule, start, levels[0], levels[-1])).abs().max())


ORDERS = {
    "ddim": 1,
    "k_euler": 1,
    "k_euler_a": 1,
    "k_heun": 2,
    "k_dpm_2": 2,
    "k_dpm_2_a": 2,
    "k_dpmpp_2s_a": 2,
    "k_dpmpp_sde": 2,
    "k_dpmpp_2m": 2,
    "k_dpmpp_2m_sde": 2,
    "k_dpmpp_3m_sde": 2,  # as it is published; see its docstring
    "k_dpm_fast": 3,
    "k_unipc": 3,
    "k_unipc_3": 4,
    "k_res_multistep": 2,
    "k_tcd": 1,
    "k_ipndm": 2,  # where sigmas are not even
    "k_heunpp2": 1,
}

ORDERS_OF_FLOWS = ORDERS | {"k_dpm_2": 3, "k_dpm_2_a": 3}
"""This target's flow is such that a midpoint is right in the third power as well."""
OF_ONE_ORDER = [pair for pair in WALKERS if pair[0].name in ORDERS]


@pytest.mark.parametrize(("row", "schedule"), OF_ONE_ORDER, ids=name_of)
def test_samplers_gain_accuracy_at_their_order(
    row: Sampler, schedule: Schedule
) -> None:
    # One less than a multiple of 3: no first-order step of k_dpm_fast.
    steps = 59 if row.name == "k_dpm_fast" else 48
    few, many = (
        ode_error(row, schedule, spaced(schedule, count))
        for count in (steps, 2 * steps + steps % 2)
    )
    orders = ORDERS_OF_FLOWS if schedule.kind == "flow" else ORDERS
    assert log2(few / many) == pytest.approx(orders[row.name], abs=0.2)


def test_every_row_has_an_order() -> None:
    """But those tested below: of changing order or step, or for other models."""
    others = {"plms", "k_lms", "k_deis", "k_dpm_adaptive", "k_lcm"}
    assert set(ORDERS) == SAMPLERS.keys() - others


@pytest.mark.parametrize(
    ("name", "order"), [("k_lms", 4), ("k_deis", 3), ("k_unipc_3", 4)]
)
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=name_of)
def test_what_looks_far_back_gains_accuracy_at_its_order_from_a_slow_start(
    name: str, order: int, schedule: Schedule
) -> None:
    """Its first steps are of lower order, and so are the more of them the longer."""
    few, many = (
        ode_error(SAMPLERS[name], schedule, spaced(schedule, steps, 2))
        for steps in (96, 192)
    )
    assert log2(few / many) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("plms", 2)])
def test_timestep_samplers_gain_accuracy_at_their_order(
    gaussian: GaussianDenoiser, schedule: NoiseSchedule, name: str, order: int
) -> None:
    """Down to timestep 160, as close to 0 the noise changes without a limit."""
    errors = []
    for stride in (10, 5):
        timesteps = [*range(960, 160, -stride), 160]
        levels = [schedule.sigma(timestep) for timestep in timesteps]
        first, last = levels[0], levels[-1]
        row = SAMPLERS[name]
        start = row.start(schedule, noise_from(1, (64,))(), first)
        out = row.sample(
            gaussian, start, levels, draw_noise=no_noise, on_step=ignore_step
        )
        exact = flow(schedule, start, first, last)
        errors.append(float((out / schedule.scale(last) - exact).abs().max()))
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
        exact = flow(gaussian.schedule, start, TOP, BOTTOM)
        errors.append(float((out - exact).abs().max()))
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
    levels = row.levels(schedule, 10)
    start = levels[0] * noise_from(1, (64,))()
    out = row.sample(
        Saying(schedule, clean),
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
        Saying(schedule, lambda latents, sigma: latents - sigma * noise()),
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
        Saying(schedule, lambda latents, sigma: latents * float("nan")),
        noise_from(2, (64,))(),
        row.levels(schedule, 10),
        draw_noise=no_noise,
        on_step=ignore_step,
    )
    assert out.isnan().all()


FEW = {"discrete": 10, "continuous": 8, "flow": 5}
"""Steps so few that the error shows; of some it passes 0 at others.

Continuous levels reach five times as far up and fifteen times as far down.
"""


def spacing_of(row: Sampler, schedule: Schedule) -> Spacing:
    """Return the one that is crowded where a discrete schedule changes fast."""
    crowded = schedule.kind == "discrete" and "karras" in row.spacings
    return "karras" if crowded else "normal"


@pytest.mark.parametrize(("row", "schedule"), DETERMINISTIC, ids=name_of)
def test_deterministic_samplers_near_the_exact_solution(
    row: Sampler, schedule: Schedule
) -> None:
    errors = []
    for steps in (FEW[schedule.kind], 40):
        levels = row.levels(schedule, steps, spacing_of(row, schedule))
        start = row.start(schedule, noise_from(1, (64,))(), levels[0])
        out = row.sample(
            exact_denoiser(schedule),
            start,
            levels,
            draw_noise=no_noise,
            on_step=ignore_step,
        )
        exact = flow(schedule, start, levels[0], levels[-1])
        if row.walks == "timesteps":
            exact *= schedule.scale(levels[-1])
        errors.append(float((out - exact).abs().max()))
    assert errors[1] < 0.15
    if not row.adaptive:
        assert errors[1] < errors[0] / 2


@pytest.mark.parametrize(("row", "schedule"), STOCHASTIC, ids=name_of)
def test_stochastic_samplers_reproduce_the_target(
    row: Sampler, schedule: Schedule
) -> None:
    """Mean within sampling error; deviation nearing the target's with more steps."""
    errors = []
    more = (40, 120) if schedule.kind == "continuous" else (20, 80)
    for steps in (FEW[schedule.kind], *more):
        levels = row.levels(schedule, steps, spacing_of(row, schedule))
        draw_noise = noise_from(3, (20_000,))
        out = row.sample(
            exact_denoiser(schedule),
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


@dataclass(frozen=True)
class ExactConsistency:
    """What a perfect latent consistency model would be for the Gaussian target."""

    schedule: Schedule

    def denoised(self, latents: Tensor, level: float) -> Tensor:
        return flow(self.schedule, latents, level, 0)


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=name_of)
def test_lcm_reproduces_the_target_in_any_number_of_steps(
    schedule: Schedule, steps: int
) -> None:
    row, draw_noise = SAMPLERS["k_lcm"], noise_from(3, (20_000,))
    levels = row.levels(schedule, steps)
    out = row.sample(
        ExactConsistency(schedule),
        row.start(schedule, draw_noise(), levels[0]),
        levels,
        draw_noise=draw_noise,
        on_step=ignore_step,
    )
    assert float(out.mean()) == pytest.approx(MEAN, abs=0.05)
    assert float(out.std()) == pytest.approx(DEVIATION, rel=0.02)


@pytest.mark.parametrize(("row", "schedule"), WALKERS, ids=name_of)
def test_a_stronger_init_image_is_kept_more_closely(
    row: Sampler, schedule: Schedule
) -> None:
    shape = (20_000,)
    init = MEAN + DEVIATION * noise_from(5, shape)()
    closeness = []
    for last in (10, 8, 6, 4, 2, 1):
        near_the_end = schedule.kind == "flow" or row.name == "k_lcm"
        spacing: Spacing | None = "normal" if near_the_end else None
        levels = row.levels(schedule, 10, spacing, last=last)
        out = row.sample(
            exact_denoiser(schedule),
            row.start(schedule, noise_from(6, shape)(), levels[0], init),
            levels,
            draw_noise=noise_from(7, shape),
            on_step=ignore_step,
        )
        closeness.append(float(torch.stack([out, init]).corrcoef()[0, 1]))
    # From much noise little comes back, if more is added; 0.007 is the sampling error.
    assert all(low < high + 0.02 for low, high in pairwise(closeness)), closeness
    assert closeness[0] + 0.05 < closeness[-2] < closeness[-1]
    far = row.name == "k_tcd"  # whose last step is a tenth of all timesteps
    least = 0.8 if far else 0.95 if schedule.kind == "flow" else 0.99
    assert closeness[-1] > least
