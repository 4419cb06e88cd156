"""Samplers that lean on the predictions of the steps before, over log ratios.

All integrate an interpolation over the logarithm of noise to signal. The step to 0,
infinitely long there, takes the newest prediction as it is, and where more than one
step is looked back on, the step before it looks back on one.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, expm1, factorial, isfinite

import numpy as np
from torch import Tensor

from imaginairy.samplers.denoiser import Denoiser
from imaginairy.samplers.dpmpp import parabola
from imaginairy.samplers.kdiff import step_to
from imaginairy.samplers.prediction import predicted_of
from imaginairy.samplers.schedule import Schedule
from imaginairy.samplers.table import DrawNoise, OnStep


def sample_res_multistep(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
) -> Tensor:
    """Integrate the line through the last two predictions exactly.

    The multistep form of the refined exponential solver (Zhang et al. 2023,
    arXiv:2308.02157, algorithm 2), of second order.
    """
    before: Tensor | None = None
    schedule = denoiser.schedule
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        latents = step_to(latents, denoised, sigma, sigma_next)
        if before is not None and sigma_next:
            logs = map(schedule.log_ratio, (levels[index - 1], sigma, sigma_next))
            before_at, at, next_at = logs
            length = at - next_at
            share = (length + expm1(-length)) / (before_at - at)
            change = denoised - before
            latents = latents + schedule.signal(sigma_next) * share * change
        before = denoised
        on_step(index, latents, denoised)
    return latents


def sample_deis(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
) -> Tensor:
    """Integrate the parabola through the last three noises predicted exactly.

    The multistep diffusion exponential integrator of third order (Zhang & Chen 2022,
    arXiv:2204.13902, eq. 15), with polynomials in the logarithm of noise to signal.
    """
    recent: list[tuple[float, Tensor]] = []  # (log ratio, noise), newest first
    schedule = denoiser.schedule
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        noise = predicted_of("noise", denoised, latents, sigma, schedule)
        at = schedule.log_ratio(sigma)
        recent = [(at, noise), *recent][: _order(levels, index, 3)]
        latents = step_to(latents, denoised, sigma, sigma_next)
        if len(recent) > 1:
            length = at - schedule.log_ratio(sigma_next)
            left = exp(-length)
            change, curvature = parabola(recent, length)
            linear = (1 - left * (1 + length)) / length
            square = (2 * linear - left * length) / length
            more = linear * change + square * curvature
            latents = latents - schedule.signal(sigma_next) * exp(at) * more
        on_step(index, latents, denoised)
    return latents


def sample_unipc(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
    order: int,
) -> Tensor:
    """Predict each step, and correct it once the model has seen where it led.

    UniPC on clean latents with B2(h) = exp(h) - 1 (Zhao et al. 2023, arXiv:2302.04867,
    algorithms 5 to 8); it asks once a step.
    """
    recent: list[tuple[float, Tensor]] = []  # (level, denoised), newest first
    start = latents  # of the last step
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        newest = (sigma, denoised)
        if recent:
            latents = _unified(denoiser.schedule, start, [*recent, newest], sigma)
        recent, start = [newest, *recent][: _order(levels, index, order)], latents
        latents = _unified(denoiser.schedule, start, recent, sigma_next)
        on_step(index, latents, denoised)
    return latents


def _order(levels: Sequence[float], index: int, most: int) -> int:
    """Return how many predictions a step looks at; fewer at both ends of the walk."""
    left = most if levels[-1] else len(levels) - 1 - index
    return min(most, index + 1, left)


def _unified(
    schedule: Schedule, start: Tensor, known: list[tuple[float, Tensor]], end: float
) -> Tensor:
    """Step to a level by clean latents known there, before, or both (eq. 3 and 8).

    Args:
        known: (level, clean latents), the first of them where the step starts. What is
            known of noise alone, infinitely far away, has no say in later steps.
    """
    (level, newest), *others = known
    latents = step_to(start, newest, level, end)
    if not end or not others:
        return latents
    at, end_at = schedule.log_ratio(level), schedule.log_ratio(end)
    length = at - end_at
    there = [
        (
            1.0 if at_level == end else (at - schedule.log_ratio(at_level)) / length,
            clean,
        )
        for at_level, clean in others
    ]
    there = [(place, clean) for place, clean in there if isfinite(place)]
    shares = _shares([place for place, _ in there], length)
    for share, (place, clean) in zip(shares, there, strict=True):
        change = (clean - newest) / place
        latents = latents - schedule.signal(end) * expm1(-length) * share * change
    return latents


def _shares(places: list[float], length: float) -> list[float]:
    """Return how much each difference quotient counts (theorem 3.1, with B2).

    Args:
        places: where each other prediction is, in lengths of the step from its start.
    """
    if len(places) < 2:
        return [0.5] * len(places)
    grown, right = expm1(-length), list[float]()
    phi = grown
    for power in range(1, len(places) + 1):
        phi = phi / -length - 1 / factorial(power)
        right.append(phi * factorial(power) / grown)
    powers = np.vander(places, increasing=True).T
    shares: list[float] = np.linalg.solve(powers, right).tolist()
    return shares
