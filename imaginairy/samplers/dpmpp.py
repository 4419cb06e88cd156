"""DPM-Solver++: step towards clean latents (Lu et al. 2022, arXiv:2211.01095).

As in `kdiff`, `levels` are sigmas, noisiest first, and `eta` says how much noise is
drawn: 0 solves the diffusion ODE, 1 the diffusion SDE (section 5 of the paper).
"""

from collections.abc import Sequence
from itertools import pairwise
from math import expm1

import torch
from torch import Tensor

from imaginairy.samplers.denoiser import Denoiser
from imaginairy.samplers.kdiff import add_noise, step_to
from imaginairy.samplers.table import DrawNoise, OnStep


def sample_dpmpp_2s(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
    eta: float = 0.0,
) -> Tensor:
    """Step towards the clean latents predicted in the middle of each step.

    DPM-Solver++(2S), algorithm 1 of the paper, with r = 1/2.
    """
    schedule = denoiser.schedule
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        split = schedule.split_noise(sigma, sigma_next, eta)
        if split.down:
            between = schedule.middle(sigma, split.down)
            halfway = step_to(latents, denoised, sigma, between)
            denoised = denoiser.denoised(halfway, between)
        latents = step_to(latents, denoised, sigma, split.down)
        latents = add_noise(latents, split, draw_noise)
        on_step(index, latents, denoised)
    return latents


def sample_dpmpp_sde(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
    eta: float = 0.0,
) -> Tensor:
    """Step as `sample_dpmpp_2s` does, with noise in the look half-way as well.

    Algorithm 1 of the paper, r = 1/2, with section 5's first-order SDE step in place of
    each ODE step.
    """
    schedule = denoiser.schedule
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        if sigma_next:
            between = schedule.middle(sigma, sigma_next)
            split = schedule.split_noise(sigma, between, eta)
            halfway = step_to(latents, denoised, sigma, split.down)
            halfway = add_noise(halfway, split, draw_noise)
            denoised = denoiser.denoised(halfway, between)
        split = schedule.split_noise(sigma, sigma_next, eta)
        latents = step_to(latents, denoised, sigma, split.down)
        latents = add_noise(latents, split, draw_noise)
        on_step(index, latents, denoised)
    return latents


def sample_dpmpp_2m(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
    eta: float = 0.0,
) -> Tensor:
    """Step towards clean latents extrapolated from the last two predictions.

    DPM-Solver++(2M), algorithm 2 of the paper, and at eta = 1 SDE-DPM-Solver++(2M) of
    its section 5. The step to 0, infinitely long in log sigma, takes the newest
    prediction as it is.
    """
    before: Tensor | None = None
    schedule = denoiser.schedule
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        ahead = denoised = denoiser.denoised(latents, sigma)
        if before is not None and sigma_next:
            logs = map(schedule.log_ratio, (levels[index - 1], sigma, sigma_next))
            before_at, at, next_at = logs
            reach = (at - next_at) / (2 * (before_at - at))
            ahead = denoised + reach * (denoised - before)
        split = schedule.split_noise(sigma, sigma_next, eta)
        latents = step_to(latents, ahead, sigma, split.down)
        latents = add_noise(latents, split, draw_noise)
        before = denoised
        on_step(index, latents, denoised)
    return latents


def sample_dpmpp_3m(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
    eta: float = 0.0,
) -> Tensor:
    """Step along the parabola through the last three predictions, over the log ratio.

    The multistep idea (section 4.2 of the paper) carried to three predictions, as in
    what is known as 3M SDE. Exact integration would count the parabola's curvature
    twice; the published sampler counts it once, and so does this one.
    """
    recent: list[tuple[float, Tensor]] = []  # (log ratio, denoised), newest first
    schedule = denoiser.schedule
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        at = schedule.log_ratio(sigma)
        recent = [(at, denoised), *recent][:3]
        split = schedule.split_noise(sigma, sigma_next, eta)
        latents = step_to(latents, denoised, sigma, split.down)
        if len(recent) > 1 and sigma_next:
            length = at - schedule.log_ratio(sigma_next)
            change, curvature = parabola(recent, length)
            decay = at - schedule.log_ratio(split.down)
            linear = 1 + expm1(-decay) / decay
            more = linear * change + (0.5 - linear / decay) * curvature
            latents = latents + schedule.signal(split.down) * more
        latents = add_noise(latents, split, draw_noise)
        on_step(index, latents, denoised)
    return latents


def parabola(
    recent: list[tuple[float, Tensor]], length: float
) -> tuple[Tensor, Tensor]:
    """Return the factors of u and u**2, where u = 1 is `length` below the newest point.

    Newton's divided differences; through two points it is a line.
    """
    (newest_at, newest), (before_at, before), *older = recent
    distance = (before_at - newest_at) / length
    change = (newest - before) / distance
    if not older:
        return change, torch.zeros_like(change)
    oldest_at, oldest = older[0]
    change_before = (before - oldest) / ((oldest_at - before_at) / length)
    curvature = (change - change_before) / ((oldest_at - newest_at) / length)
    return change + curvature * distance, curvature
