"""Samplers that lean on the clean latents of the step before, over log ratios.

Both integrate an interpolation of the clean latents over the logarithm of noise to
signal. The step to 0, infinitely long there, takes the newest prediction as it is.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import expm1

from torch import Tensor

from imaginairy.samplers.denoiser import Denoiser
from imaginairy.samplers.kdiff import step_to
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


def sample_unipc(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
) -> Tensor:
    """Predict each step, and correct it once the model has seen where it led.

    UniPC-2 on clean latents with B2(h) = exp(h) - 1 (Zhao et al. 2023,
    arXiv:2302.04867, algorithms 5 and 6); it asks once a step. The last step before a
    clean picture is of first order.
    """
    before: Tensor | None = None
    newest: Tensor | None = None
    start = latents  # of the last step
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        if newest is not None:
            latents = _corrected(
                denoiser, start, levels[max(0, index - 2) : index + 1],
                (before, newest, denoised),
            )  # fmt: skip
        before, newest, start = newest, denoised, latents
        latents = step_to(start, newest, sigma, sigma_next)
        if before is not None and sigma_next:
            latents = latents + _predicted(
                denoiser, levels[index - 1 : index + 2], newest - before
            )
        on_step(index, latents, denoised)
    return latents


def _predicted(denoiser: Denoiser, levels: Sequence[float], change: Tensor) -> Tensor:
    """Return what the change since the step before adds to a step."""
    schedule = denoiser.schedule
    before_at, at, next_at = map(schedule.log_ratio, levels)
    share = -expm1(next_at - at) / 2 * (at - next_at) / (before_at - at)
    return schedule.signal(levels[-1]) * share * change


def _corrected(
    denoiser: Denoiser,
    start: Tensor,
    levels: Sequence[float],
    clean: tuple[Tensor | None, Tensor, Tensor],
) -> Tensor:
    """Take a step again, with the clean latents at its end.

    Args:
        levels: of the step before, where there is one, the start and the end.
        clean: the latents predicted there.
    """
    schedule, (before, newest, ahead) = denoiser.schedule, clean
    *earlier, at, end = map(schedule.log_ratio, levels)
    length = at - end
    grown = -expm1(-length)
    change = ahead - newest
    latents = step_to(start, newest, levels[-2], levels[-1])
    if before is None:
        return latents + schedule.signal(levels[-1]) * grown / 2 * change
    first = (1 - grown / length) / grown
    second = 2 * (0.5 - (1 - grown / length) / length) / grown
    place = (at - earlier[0]) / length
    share = (first - second) / (1 - place)
    added = share / place * (before - newest) + (first - share) * change
    return latents + schedule.signal(levels[-1]) * grown * added
