"""DPM-Solver, the kind that picks its own noise levels (Lu et al. 2022, arXiv:2206.00927).

Of the `levels` given, only the ends and the number count. Both samplers stop at the
smallest level above 0, as published, and leave that little noise in.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import atan, exp, log

import torch
from torch import Tensor

from imaginairy.samplers.guidance import Denoiser
from imaginairy.samplers.kdiff import slope
from imaginairy.samplers.table import DrawNoise, OnStep

SHORTEST_STEP = 0.01
"""In log sigma; so short an adaptive step is taken whatever its error, so as to end."""


def sample_dpm_fast(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
) -> Tensor:
    """Spend one prediction per level on third-order steps, even in log sigma.

    DPM-Solver-fast of the paper. The stages inside the solver's steps are counted, and
    reported, as steps.
    """
    evaluations = len(levels) - 1
    if evaluations < 1:
        return latents
    orders = fast_orders(evaluations)
    start, end = levels[0], last_level(denoiser, levels)
    ratio = (end / start) ** (1 / len(orders))
    bounds = [start * ratio**count for count in range(len(orders))] + [end]
    index = 0
    for order, (sigma, sigma_next) in zip(orders, pairwise(bounds), strict=True):
        for latents, denoised, _ in solver_stages(
            denoiser, latents, sigma, sigma_next, order
        ):
            on_step(index, latents, denoised)
            index += 1
    return latents


def fast_orders(evaluations: int) -> list[int]:
    """Split so many predictions into solver steps: third order, lower at the end."""
    threes, rest = divmod(evaluations, 3)
    if rest:
        return [3] * threes + [rest]
    return [3] * (threes - 1) + [2, 1]


def sample_dpm_adaptive(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
    relative_tolerance: float = 0.05,
    absolute_tolerance: float = 0.0078,
    first_step: float = 0.05,
    accept_above: float = 0.81,
) -> Tensor:
    """Take steps as long as the second- and third-order solver agree.

    DPM-Solver-23 of the paper, with steps steered by their error as an integral
    controller, through a smooth limiter, does it (Söderlind & Wang 2006, "Adaptive
    time-stepping and computational stability", section 3). `on_step` hears of accepted
    steps only.

    Args:
        absolute_tolerance: half a grey level of 256 in [-1, 1].
        first_step: in log sigma.
        accept_above: a step is repeated when the next should be this much shorter.
    """
    if len(levels) < 2:
        return latents
    sigma, end = levels[0], last_level(denoiser, levels)
    if not end:
        return sample_dpm_fast(
            denoiser, latents, levels, draw_noise=draw_noise, on_step=on_step
        )
    previous, length, index = latents, first_step, 0
    while log(sigma / end) > 1e-5:
        target = max(end, sigma * exp(-length))
        stages = list(solver_stages(denoiser, latents, sigma, target, order=3))
        third, denoised, _ = stages[-1]
        first_noise, next_noise = stages[0][2], stages[1][2]
        change = (sigma - target) / (2 / 3) * (next_noise - first_noise)
        second = latents + (target - sigma) * first_noise - change
        tolerance = relative_tolerance * torch.maximum(second.abs(), previous.abs())
        tolerance = tolerance.clamp(min=absolute_tolerance)
        error = float(((second - third) / tolerance).square().mean().sqrt())
        factor = 1 + atan((error + 1e-8) ** (-1 / 3) - 1)
        if factor >= accept_above or length <= SHORTEST_STEP:
            previous, latents, sigma = second, third, target
            on_step(index, latents, denoised)
            index += 1
        length = max(length * factor, SHORTEST_STEP)
    return latents


def last_level(denoiser: Denoiser, levels: Sequence[float]) -> float:
    """Return the smallest level above 0, or where that is the first, the next below.

    A lone level has the schedule's smallest sigma below it, and that one has 0.
    """
    above_zero = [level for level in levels if level]
    if len(above_zero) > 1:
        return above_zero[-1]
    smallest = float(denoiser.schedule.sigmas[0])
    return smallest if smallest < levels[0] else 0.0


def solver_stages(
    denoiser: Denoiser, latents: Tensor, sigma: float, sigma_next: float, order: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield (latents, denoised, noise) after each prediction of one solver step.

    DPM-Solver-1, -2 (with r1 = 1/2) and -3 (with r1 = 1/3, r2 = 2/3), the paper's eq.
    3.7 and algorithms 1 and 2, for unscaled latents: every stage starts again from the
    step's own latents, along the first noise predicted, corrected by `weight` times
    how far the noise has changed since. The last latents yielded are the step's.
    """
    targets, weights = [sigma_next], [0.0]
    if order > 1:
        parts = [part / order for part in range(1, order)]
        targets = [sigma ** (1 - part) * sigma_next**part for part in parts]
        targets.append(sigma_next)
    if order == 2:
        weights = [0.0, sigma - sigma_next]
    if order == 3:
        length = log(sigma / sigma_next)
        weights = [0.0] + [
            ((sigma - target) / length - part * target) / before
            for before, part, target in (
                (1 / 3, 2 / 3, targets[1]),
                (2 / 3, 1, sigma_next),
            )
        ]
    at, current, first_noise = sigma, latents, latents
    for stage, (target, weight) in enumerate(zip(targets, weights, strict=True)):
        denoised = denoiser.denoised(current, at)
        noise = slope(current, denoised, at)
        if stage == 0:
            first_noise = noise
        current = latents + (target - sigma) * first_noise
        current = current - weight * (noise - first_noise)
        yield current, denoised, noise
        at = target
