"""DPM-Solver on levels of its own choice (Lu et al. 2022, arXiv:2206.00927).

Of the `levels` given, only the ends and the number count. Both samplers stop at the
smallest level above 0, as published, and leave that little noise in.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import atan, exp, log

import torch
from torch import Tensor

from imaginairy.samplers.denoiser import Denoiser
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
        stages = solver_stages(denoiser, latents, sigma, sigma_next, order)
        for current, denoised, _ in stages:
            on_step(index, current, denoised)
            index += 1
        latents = current
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

    DPM-Solver-23 of the paper. An integral controller with a smooth limiter sets the
    length of the next step (Söderlind & Wang 2006, "Adaptive time-stepping and
    computational stability"). `on_step` hears of accepted steps only.

    Args:
        absolute_tolerance: one of 256 grey levels in [-1, 1].
        first_step: in log sigma.
        accept_above: a step is repeated when it should have been this much shorter.
    """
    if len(levels) < 2:
        return latents
    sigma, end = levels[0], last_level(denoiser, levels)
    if not end:  # one step to 0 is left
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
        rejected = factor < accept_above and length > SHORTEST_STEP
        if not rejected:  # an error that is not a number is for the caller to see
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
    smallest = denoiser.schedule.lowest
    return smallest if levels[0] > 1.01 * smallest else 0.0


def solver_stages(
    denoiser: Denoiser, latents: Tensor, sigma: float, sigma_next: float, order: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield (latents, denoised, noise) after each prediction of one solver step.

    DPM-Solver-1, -2 with r1 = 1/2 and -3 with r1 = 1/3 and r2 = 2/3 (the paper's eq.
    3.7 and algorithms 1 and 2) for unscaled latents. Each stage goes out from the
    step's own latents again, along the first noise predicted, corrected by how far the
    newest one has moved away from that. The last latents yielded are the step's.
    """
    at, current, first_noise = sigma, latents, None
    for stage in range(order):
        denoised = denoiser.denoised(current, at)
        noise = slope(current, denoised, at)
        first_noise = noise if first_noise is None else first_noise
        part = (stage + 1) / order
        at = sigma_next if part == 1 else sigma ** (1 - part) * sigma_next**part
        current = latents + (at - sigma) * first_noise
        if stage:
            length = log(sigma / sigma_next)
            weight = (
                (sigma - at) / 2 if order == 2 else (sigma - at) / length - part * at
            )
            current = current - weight * order / stage * (noise - first_noise)
        yield current, denoised, noise
