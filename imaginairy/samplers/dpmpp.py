"""DPM-Solver++: step towards clean latents (Lu et al. 2022, arXiv:2211.01095).

As in `kdiff`, `levels` are sigmas, noisiest first, and `eta` says how much noise is
drawn: 0 solves the diffusion ODE, 1 the diffusion SDE (section 5 of the paper).
"""

from collections.abc import Sequence
from itertools import pairwise
from math import expm1, log

import torch
from torch import Tensor

from imaginairy.samplers.guidance import Denoiser
from imaginairy.samplers.kdiff import add_noise, middle, split_noise, step_to
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
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        down, up = split_noise(sigma, sigma_next, eta)
        if down:
            between = middle(sigma, down)
            halfway = step_to(latents, denoised, sigma, between)
            denoised = denoiser.denoised(halfway, between)
        latents = step_to(latents, denoised, sigma, down)
        latents = add_noise(latents, up, draw_noise)
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
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        if sigma_next:
            between = middle(sigma, sigma_next)
            down, up = split_noise(sigma, between, eta)
            halfway = step_to(latents, denoised, sigma, down)
            halfway = add_noise(halfway, up, draw_noise)
            denoised = denoiser.denoised(halfway, between)
        down, up = split_noise(sigma, sigma_next, eta)
        latents = step_to(latents, denoised, sigma, down)
        latents = add_noise(latents, up, draw_noise)
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
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        ahead = denoised = denoiser.denoised(latents, sigma)
        if before is not None and sigma_next:
            length_before = log(levels[index - 1] / sigma)
            reach = log(sigma / sigma_next) / (2 * length_before)
            ahead = denoised + reach * (denoised - before)
        down, up = split_noise(sigma, sigma_next, eta)
        latents = step_to(latents, ahead, sigma, down)
        latents = add_noise(latents, up, draw_noise)
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
    """Step along the parabola through the last three predictions, over log sigma.

    The multistep idea (section 4.2 of the paper) carried to three predictions, as in
    what is known as 3M SDE. Exact integration would count the parabola's curvature
    twice; the published sampler counts it once, and so does this one.
    """
    recent: list[tuple[float, Tensor]] = []  # (log sigma, denoised), newest first
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        recent = [(log(sigma), denoised), *recent][:3]
        down, up = split_noise(sigma, sigma_next, eta)
        latents = step_to(latents, denoised, sigma, down)
        if len(recent) > 1 and sigma_next:
            change, curvature = parabola(recent, log(sigma / sigma_next))
            decay = log(sigma / down)
            linear = 1 + expm1(-decay) / decay
            latents = latents + linear * change + (0.5 - linear / decay) * curvature
        latents = add_noise(latents, up, draw_noise)
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
