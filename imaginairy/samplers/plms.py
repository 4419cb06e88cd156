"""Pseudo linear multi-step samplers, with the weights that even steps have.

PLMS (Liu et al. 2022, arXiv:2202.09778) and what was made of it.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from imaginairy.samplers.denoiser import Denoiser
from imaginairy.samplers.kdiff import slope, step_to
from imaginairy.samplers.table import DrawNoise, OnStep

ADAMS_BASHFORTH = {
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}
"""Weights of the newest predictions, newest first, by how many there are (eq. 12)."""


def sample_plms(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
) -> Tensor:
    """Walk down the levels of whole timesteps, noisiest first.

    The first step is an improved Euler step and costs two predictions; each later one
    costs one and leans on up to three before it. The latents move as in DDIM (eq. 11),
    along the blended noise. Noise alone is taken for the highest level that has a
    number: from farther off no blend leads anywhere.
    """
    schedule = denoiser.schedule
    highest = schedule.levels(1, "normal")[0]
    if len(levels) > 1 and levels[0] > highest:
        latents = latents * (schedule.scale(levels[0]) / schedule.scale(highest))
        levels = [highest, *levels[1:]]
    history: list[Tensor] = []  # newest first
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        noise = slope(latents, denoiser.denoised(latents, sigma), sigma)
        recent = [noise, *history]
        if history:
            weights = ADAMS_BASHFORTH[len(recent)]
            blended = torch.stack([w * n for w, n in zip(weights, recent, strict=True)])
            blended = blended.sum(dim=0)
        else:
            ahead = latents + (sigma_next - sigma) * noise
            blended = (noise + noise_ahead(denoiser, ahead, levels)) / 2
        latents, denoised = (
            latents + (to - sigma) * blended for to in (sigma_next, 0.0)
        )
        history = recent[:3]
        on_step(index, latents, denoised)
    return latents


def sample_ipndm(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
) -> Tensor:
    """Follow the slope blended from up to four, which at first are fewer.

    The improved PNDM of Zhang & Chen 2022, arXiv:2204.13902, on sigmas: of fourth order
    where these are evenly spaced, else of second. The step to 0 takes the newest
    prediction as it is.
    """
    slopes: list[Tensor] = []  # newest first
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        slopes = [slope(latents, denoised, sigma), *slopes][:4]
        latents = step_to(latents, denoised, sigma, sigma_next)
        if len(slopes) > 1 and sigma_next:
            weights = ADAMS_BASHFORTH[len(slopes)]
            for weight, past in zip(weights[1:], slopes[1:], strict=True):
                more = weight * (past - slopes[0])
                latents = latents + (sigma_next - sigma) * more
        on_step(index, latents, denoised)
    return latents


def noise_ahead(denoiser: Denoiser, ahead: Tensor, levels: Sequence[float]) -> Tensor:
    """Return the noise in latents at the second level.

    Where that is the last, below all timesteps that are visited, the network is shown
    the same latents and told of the timestep before, as published.
    """
    level = levels[1] if len(levels) > 2 else levels[0]
    schedule = denoiser.schedule
    seen = ahead * (schedule.scale(levels[1]) / schedule.scale(level))
    return slope(seen, denoiser.denoised(seen, level), level)
