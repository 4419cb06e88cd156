"""Samplers that look back on several steps: what their interpolation has exactly."""

from collections.abc import Callable
from math import exp

import pytest
import torch
from torch import Tensor

from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.kdiff import multistep_weights
from imaginairy.samplers.schedule import Schedule
from tests.support.gaussian import Saying
from tests.support.schedules import SCHEDULES, name_of

Answer = Callable[[Tensor, float], Tensor]


def no_noise() -> Tensor:
    raise AssertionError("a deterministic sampler drew noise")


def test_multistep_weights_integrate_a_cubic_exactly() -> None:
    nodes, end = [1.3, 2.0, 3.1, 5.0], 0.4
    weights = multistep_weights(nodes, end)
    for power in range(4):
        integral = (end ** (power + 1) - nodes[0] ** (power + 1)) / (power + 1)
        total = sum(w * node**power for w, node in zip(weights, nodes, strict=True))
        assert total == pytest.approx(integral, rel=1e-12)


def walked(
    name: str, schedule: Schedule, levels: list[float], answer: Answer
) -> list[Tensor]:
    """Return the latents after each step, from 0."""
    seen: list[Tensor] = []
    SAMPLERS[name].sample(
        Saying(schedule, answer),
        torch.zeros(1, dtype=torch.float64),
        levels,
        draw_noise=no_noise,
        on_step=lambda _, latents, __: seen.append(latents),
    )
    return seen


def test_ipndm_is_of_fourth_order_where_steps_are_even() -> None:
    """Slopes that are a cubic of sigma are followed exactly by then."""
    levels = [8 - 0.5 * step for step in range(15)]
    seen = walked(
        "k_ipndm", SCHEDULES["discrete"], levels, lambda x, at: x - at * (at - 3) ** 3
    )
    for index in range(3, 14):
        whole = ((levels[index + 1] - 3) ** 4 - (levels[index] - 3) ** 4) / 4
        assert float(seen[index] - seen[index - 1]) == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=name_of)
def test_deis_follows_a_parabola_of_noise_exactly(schedule: Schedule) -> None:
    """In log(noise / signal) = u, as x / signal grows by noise * exp(u) du."""
    levels = list(map(schedule.level_at, (9.0, 6.0, 5.0, 2.0, 1.5, 0.3, 0.1)))

    def noise(u: float) -> float:
        return 2 * u**2 - u + 0.5

    def answer(x: Tensor, at: float) -> Tensor:
        return (x - at * noise(schedule.log_ratio(at))) / schedule.signal(at)

    def integral(at: float) -> float:
        u = schedule.log_ratio(at)
        return exp(u) * (2 * u**2 - 5 * u + 5.5)

    seen = walked("k_deis", schedule, levels, answer)
    whole = [
        float(x) / schedule.signal(at) for x, at in zip(seen, levels[1:], strict=True)
    ]
    for index in range(2, 6):
        expected = integral(levels[index + 1]) - integral(levels[index])
        assert whole[index] - whole[index - 1] == pytest.approx(expected, abs=1e-9)
