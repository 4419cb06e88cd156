"""PLMS: pseudo linear multi-step sampling (Liu et al. 2022, arXiv:2202.09778)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from imaginairy.samplers.ddim import ddim_step, next_alpha
from imaginairy.samplers.guidance import Denoiser
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
    """Walk down the timesteps `levels`, noisiest first, and return clean latents.

    The first step is an improved Euler step and costs two predictions; each later one
    costs one and leans on up to three before it. The latents move as in DDIM (eq. 11),
    along the blended prediction.
    """
    history: list[Tensor] = []  # newest first
    for index, timestep in enumerate(levels):
        alpha = denoiser.schedule.alpha(timestep)
        alpha_next = next_alpha(denoiser.schedule, levels, index)
        noise = denoiser.noise(latents, timestep)
        recent = [noise, *history]
        if history:
            weights = ADAMS_BASHFORTH[len(recent)]
            blended = torch.stack([w * n for w, n in zip(weights, recent, strict=True)])
            blended = blended.sum(dim=0)
        else:
            ahead, _ = ddim_step(latents, noise, alpha, alpha_next)
            next_timestep = levels[min(index + 1, len(levels) - 1)]
            blended = (noise + denoiser.noise(ahead, next_timestep)) / 2
        latents, denoised = ddim_step(latents, blended, alpha, alpha_next)
        history = recent[:3]
        on_step(index, latents, denoised)
    return latents
