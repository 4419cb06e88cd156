"""What holds for every row of the table, whatever its method."""

import subprocess
import sys
from itertools import pairwise
from math import exp

import pytest
import torch
from torch import Tensor

from imaginairy.errors import BadOptionError
from imaginairy.samplers import _ROWS, SAMPLERS, get_sampler, made_for
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.samplers.dpm import fast_orders, last_level
from imaginairy.samplers.schedule import Schedule, ScheduleKind, Spacing
from imaginairy.samplers.table import Sampler, steps_to_run
from tests.support.gaussian import GaussianDenoiser, Saying
from tests.support.schedules import SCHEDULES, WALKERS, name_of

SHAPE = (1, 4, 4, 4)
every_row = pytest.mark.parametrize("row", SAMPLERS.values(), ids=list(SAMPLERS))
every_walk = pytest.mark.parametrize(("row", "schedule"), WALKERS, ids=name_of)


class Counting:
    """The exact denoiser in single precision, counting its calls.

    It remembers the clean latents that it was the last to give.
    """

    last: Tensor

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.exact = GaussianDenoiser(schedule)
        self.calls = 0

    def denoised(self, latents: Tensor, level: float) -> Tensor:
        self.calls += 1
        self.last = self.exact.denoised(latents, level)
        return self.last


class Run:
    """One walk, with all that can be seen of it."""

    def __init__(
        self,
        row: Sampler,
        schedule: Schedule,
        levels: list[float],
        *,
        seed: int = 1,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.noises = 0
        self.steps: list[int] = []
        self.latents: list[Tensor] = []
        self.denoised: list[Tensor] = []
        denoiser = Counting(schedule)

        def draw_noise() -> Tensor:
            self.noises += 1
            return torch.randn(SHAPE, generator=generator)

        def on_step(index: int, latents: Tensor, denoised: Tensor) -> None:
            assert latents.isfinite().all()
            assert denoised.isfinite().all()
            assert latents.shape == denoised.shape == SHAPE
            self.steps.append(index)
            self.latents.append(latents)
            self.denoised.append(denoised)
            if row.name != "plms":
                assert torch.equal(denoised, denoiser.last)

        noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(9))
        self.start = row.start(schedule, noise, levels[0])
        self.out = row.sample(
            denoiser, self.start, levels, draw_noise=draw_noise, on_step=on_step
        )
        self.calls = denoiser.calls


@every_walk
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10])
def test_each_step_is_reported_once(
    row: Sampler, schedule: Schedule, steps: int
) -> None:
    for spacing in {*row.spacings} & {*schedule.spacings}:
        levels = row.levels(schedule, steps, spacing)
        assert len(levels) == steps + 1
        run = Run(row, schedule, levels)
        count = len(run.steps) if row.adaptive else steps
        assert run.steps == list(range(count))
        assert run.out.dtype == torch.float32
        assert torch.equal(run.out, run.latents[-1])
        if not row.adaptive:  # of noise alone nothing stays where it is drawn anew
            ends = 2 if schedule.kind == "flow" and row.draws_noise else 1
            ends += 2 * (row.name == "k_heunpp2")  # looks less far at the end
            assert abs(run.calls - row.evaluations_per_step * steps) <= ends
        assert bool(run.noises) == (row.draws_noise and steps > 1)


@pytest.mark.parametrize("name", ["ddim", "plms"])
def test_walkers_of_timesteps_report_the_clean_latents_that_they_go_towards(
    schedule: NoiseSchedule, name: str
) -> None:
    """One noise lies in the latents before and after a step, beside those.

    Their latents are reported as the network sees them.
    """
    row = SAMPLERS[name]
    levels = row.levels(schedule, 5)
    run = Run(row, schedule, levels)
    before = run.start
    for (level, level_next), seen, clean in zip(
        pairwise(levels), run.latents, run.denoised, strict=True
    ):
        after = seen / schedule.scale(level_next)
        noise, noise_after = (before - clean) / level, (after - clean) / level_next
        torch.testing.assert_close(noise_after, noise, rtol=0, atol=1e-4)
        before = after


@pytest.mark.parametrize("name", ["ddim", "plms"])
def test_walkers_of_timesteps_start_from_unit_noise_as_the_network_sees_it(
    schedule: NoiseSchedule, name: str
) -> None:
    row, noise, init = SAMPLERS[name], torch.ones(SHAPE), torch.full(SHAPE, 2.0)
    level, alpha = schedule.sigma(900), float(schedule.alphas_cumprod[900])
    for start, seen in (
        (row.start(schedule, noise, level), noise),
        (
            row.start(schedule, noise, level, init),
            alpha**0.5 * init + (1 - alpha) ** 0.5 * noise,
        ),
    ):
        torch.testing.assert_close(schedule.scale(level) * start, seen)


@every_walk
@pytest.mark.parametrize("last", [1, 2, 3, 9])
def test_a_cut_list_of_levels_is_walked_to_its_end(
    row: Sampler, schedule: Schedule, last: int
) -> None:
    for spacing in {*row.spacings} & {*schedule.spacings}:
        whole = row.levels(schedule, 10, spacing)
        levels = row.levels(schedule, 10, spacing, last=last)
        assert levels == whole[-len(levels) :]
        run = Run(row, schedule, levels)
        count = len(run.steps) if row.adaptive else last
        assert run.steps == list(range(count))
        assert run.steps


@every_walk
def test_no_steps_left_change_nothing(row: Sampler, schedule: Schedule) -> None:
    [level] = levels = row.levels(schedule, 10, last=0)
    run = Run(row, schedule, levels)
    scale = schedule.scale(level) if row.walks == "timesteps" else 1
    assert torch.equal(run.out, scale * run.start)
    assert run.calls == run.noises == len(run.steps) == 0


SHARED = [pair for pair in WALKERS if pair[0].batches]


@pytest.mark.parametrize(("row", "schedule"), SHARED, ids=name_of)
def test_pictures_of_a_batch_are_walked_as_if_alone(
    row: Sampler, schedule: Schedule
) -> None:
    levels, scales = row.levels(schedule, 6), torch.tensor([0.1, 1.0, 30.0])
    denoiser = Saying(schedule, lambda latents, level: (latents + level).sin())
    noises = torch.randn(
        (20, 3, *SHAPE[1:]), generator=torch.Generator().manual_seed(1)
    )
    noises = noises * scales[:, None, None, None]

    def walk(pictures: slice) -> Tensor:
        drawn = iter(noises[:, pictures])
        return row.sample(
            denoiser,
            row.start(schedule, next(drawn), levels[0]),
            levels,
            draw_noise=lambda: next(drawn),
            on_step=lambda *_: None,
        )

    alone = [walk(slice(number, number + 1)) for number in range(3)]
    torch.testing.assert_close(walk(slice(3)), torch.cat(alone), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.01, 0.029, 0.5, 14.6])
@pytest.mark.parametrize(
    "row", [row for row in SAMPLERS.values() if row.walks == "sigmas"], ids=name_of
)
def test_a_lone_sigma_is_walked_from(
    row: Sampler, schedule: NoiseSchedule, sigma: float
) -> None:
    run = Run(row, schedule, [sigma, 0.0])
    assert run.steps
    assert run.noises == 0
    if row.name not in ("k_dpm_fast", "k_dpm_adaptive") or sigma < 0.0291:
        exact = GaussianDenoiser(schedule).denoised(run.start, sigma)
        torch.testing.assert_close(run.out, exact, rtol=0, atol=0.02)


@every_walk
def test_one_seed_is_one_picture(row: Sampler, schedule: Schedule) -> None:
    levels = row.levels(schedule, 6)
    first, again, other = (Run(row, schedule, levels, seed=s).out for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.equal(first, other) != row.draws_noise


@every_row
def test_rows_describe_themselves(row: Sampler, schedule: NoiseSchedule) -> None:
    assert row.summary
    assert len(row.summary) < 80
    assert not row.summary.endswith(".")
    assert row.paper
    assert row.spacing in row.spacings
    assert row.name == row.name.lower()


def test_a_number_of_predictions_is_split_into_steps_of_third_order() -> None:
    assert [fast_orders(number) for number in range(1, 10)] == [
        [1], [2], [2, 1], [3, 1], [3, 2], [3, 2, 1], [3, 3, 1], [3, 3, 2], [3, 3, 2, 1],
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["k_dpm_fast", "k_dpm_adaptive"])
@pytest.mark.parametrize("length", [0.049, 0.09, 0.22, 0.55, 2.0])
def test_dpm_solvers_stop_at_the_last_level_above_0(
    schedule: NoiseSchedule, name: str, length: float
) -> None:
    """Where all is noise, that shrinks as the level does, whatever the steps are."""
    row, start = SAMPLERS[name], torch.ones(SHAPE)
    silent = Saying(schedule, lambda latents, sigma: 0 * latents)
    out = row.sample(
        silent,
        start,
        [10.0, 10 * exp(-length), 0.0],
        draw_noise=lambda: start,
        on_step=lambda *_: None,
    )
    torch.testing.assert_close(out, start * exp(-length))


def test_a_lone_level_goes_to_the_smallest_of_the_schedule(
    schedule: NoiseSchedule,
) -> None:
    smallest = float(schedule.sigmas[0])
    denoiser = GaussianDenoiser(schedule)
    for levels, last in (
        ([5.0, 2.0, 1.0, 0.0], 1.0),
        ([5.0, 2.0], 2.0),
        ([5.0, 0.0], smallest),
        ([1.02 * smallest, 0.0], smallest),
        ([smallest, 0.0], 0.0),
        ([0.5 * smallest, 0.0], 0.0),
    ):
        assert last_level(denoiser, levels) == last


ADAPTS = {"k_dpm_adaptive"}
HAS_ONE_SPACING = {"plms", "k_dpm_fast", "k_dpm_adaptive"}
SPACINGS = (
    "normal", "karras", "exponential", "sgm_uniform", "simple", "trailing", "beta",
    "align_your_steps", "lcm",
)  # fmt: skip
FEW_SPACINGS = {"ddim": ("normal", "trailing"), "k_tcd": ("lcm", "trailing")}
USUAL_SPACINGS = {"k_dpmpp_3m_sde": "karras", "k_lcm": "lcm", "k_tcd": "lcm"}
USUAL_ETA = {"ddim": 0.0, "k_tcd": 0.3}
TAKES_ETA = {
    *("ddim", "k_dpm_2_a", "k_euler_a", "k_dpmpp_2s_a"),
    *("k_dpmpp_2m_sde", "k_dpmpp_3m_sde", "k_dpmpp_sde", "k_tcd"),
}
PREDICTIONS = {
    "k_dpm_adaptive": 3,
    **dict.fromkeys(("k_dpm_2", "k_dpm_2_a", "k_heun"), 2),
    **dict.fromkeys(("k_dpmpp_2s_a", "k_dpmpp_sde"), 2),
    "k_heunpp2": 3,
}


@every_row
def test_what_a_row_can(row: Sampler, schedule: NoiseSchedule) -> None:
    if row.name in HAS_ONE_SPACING:
        assert row.spacings == ("normal",)
    else:
        assert row.spacings == FEW_SPACINGS.get(row.name, SPACINGS)
    assert row.spacing == USUAL_SPACINGS.get(row.name, "normal")
    usual, named = (row.levels(schedule, 5, way) for way in (None, row.spacing))
    assert usual == named
    assert row.takes_eta == (row.name in TAKES_ETA)
    if row.takes_eta:
        assert row.options == {"eta": USUAL_ETA.get(row.name, 1.0)}
    assert row.draws_noise == (row.name in TAKES_ETA - {"ddim"} | {"k_lcm"})
    assert row.adaptive == (row.name in ADAPTS)
    assert row.shares == (row.name not in {"k_dpm_fast", *ADAPTS, "k_lcm", "k_tcd"})
    assert row.evaluations_per_step == PREDICTIONS.get(row.name, 1)
    whole = row.name in ("plms", "ddim", "k_tcd")
    assert row.walks == ("timesteps" if whole else "sigmas")
    assert row.unit_noise == (row.name == "k_lcm")
    assert row.batches == (row.name not in ADAPTS)
    kinds = {
        "plms": ("discrete",),
        "k_tcd": ("discrete",),
        "ddim": ("discrete", "flow"),
    }
    kinds |= dict.fromkeys(("k_dpm_fast", "k_dpm_adaptive"), ("discrete", "continuous"))
    assert row.schedules == kinds.get(row.name, ("discrete", "continuous", "flow"))


def test_rows_have_names_of_their_own() -> None:
    assert len(SAMPLERS) == len(_ROWS) == 23


@pytest.mark.parametrize("spacing", ["karras", "cosine"])
def test_a_spacing_that_a_sampler_cannot_use_is_refused(
    schedule: NoiseSchedule, spacing: Spacing
) -> None:
    with pytest.raises(BadOptionError, match=f"'plms' cannot use .* '{spacing}'"):
        SAMPLERS["plms"].levels(schedule, 10, spacing)


def test_names_are_found_in_any_case() -> None:
    assert get_sampler("PLMS") is SAMPLERS["plms"]
    assert get_sampler("K_Euler_A") is SAMPLERS["k_euler_a"]


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_schedule_that_a_sampler_is_not_made_for_is_refused(
    kind: ScheduleKind,
) -> None:
    takers = [name for name, row in SAMPLERS.items() if kind in row.schedules]
    for name in takers:
        assert made_for(kind, SAMPLERS[name]) is SAMPLERS[name]
    for name in SAMPLERS.keys() - takers:
        with pytest.raises(BadOptionError) as caught:
            made_for(kind, SAMPLERS[name])
        assert str(caught.value) == (
            f"The sampler '{name}' is not made for this model, whose schedule is of "
            f"the kind '{kind}'; choose one of {', '.join(takers)}."
        )


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(BadOptionError) as caught:
        get_sampler("k_eular")
    assert "no sampler 'k_eular'" in str(caught.value)
    assert "Did you mean 'k_euler'?" in str(caught.value)
    assert all(name in str(caught.value) for name in SAMPLERS)


def test_the_table_is_read_without_torch() -> None:
    code = "import sys, imaginairy.samplers; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("steps", "strength", "run"),
    [
        (10, 0.8, 2),  # 10 * (1 - 0.8) is 1.9999999999999996
        (10, 0.9, 1),  # 0.9999999999999998
        (10, 0.7, 3),
        (5, 0.3, 3),  # 3.5
        (5, 0.7, 1),  # 1.5000000000000002
        (15, 0.7, 4),  # 4.500000000000001
        (10, 0.95, 0),  # 0.5000000000000004
        (5, 0.75, 1),
        (10, 0.75, 2),  # 2.5
        (40, 0.3, 28),
        (40, 0.75, 10),
        (50, 0.58, 21),
        (3, 0.5, 1),
        (1, 0.4, 1),
        (1, 0.6, 0),
        (1, 0.5, 0),
        (7, 0.0, 7),
        (1, 0.0, 1),
        (1000, 0.0, 1000),
        (40, 1.0, 0),
        (1, 1.0, 0),
        (10, 0.999, 0),
    ],
)
def test_steps_to_run_rounds_the_share(steps: int, strength: float, run: int) -> None:
    assert steps_to_run(steps, strength) == run


def test_steps_to_run_never_grows_with_the_strength() -> None:
    for steps in (1, 7, 10, 40):
        runs = [steps_to_run(steps, percent / 100) for percent in range(101)]
        assert runs == sorted(runs, reverse=True)
        assert runs[0] == steps
        assert runs[-1] == 0
