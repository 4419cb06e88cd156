"""DDIM: denoising diffusion implicit models (Song et al. 2020, arXiv:2010.02502)."""

from collections.abc import Sequence

from torch import Tensor

from imaginairy.samplers.guidance import Denoiser
from imaginairy.samplers.schedule import NoiseSchedule
from imaginairy.samplers.table import DrawNoise, OnStep


def sample_ddim(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
    eta: float = 0.0,
) -> Tensor:
    """Walk down the timesteps `levels`, noisiest first, and return clean latents.

    Args:
        latents: noised to the first of the levels.
        eta: 0 draws no noise and always gives the same picture; 1 draws as much as
            the training process did (eq. 16).
    """
    for index, timestep in enumerate(levels):
        noise = denoiser.noise(latents, timestep)
        alpha = denoiser.schedule.alpha(timestep)
        alpha_next = next_alpha(denoiser.schedule, levels, index)
        sigma = eta * ((1 - alpha_next) / (1 - alpha) * (1 - alpha / alpha_next)) ** 0.5
        latents, denoised = ddim_step(latents, noise, alpha, alpha_next, sigma)
        if sigma:
            latents = latents + sigma * draw_noise()
        on_step(index, latents, denoised)
    return latents


def ddim_step(
    latents: Tensor, noise: Tensor, alpha: float, alpha_next: float, sigma: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return (latents, denoised) one step on, short of noise of deviation `sigma`.

    Eq. 12, with eq. 9 for the clean latents; the alphas are cumulative products.
    """
    denoised = (latents - (1 - alpha) ** 0.5 * noise) / alpha**0.5
    direction = (1 - alpha_next - sigma**2) ** 0.5
    return alpha_next**0.5 * denoised + direction * noise, denoised


def next_alpha(schedule: NoiseSchedule, levels: Sequence[float], index: int) -> float:
    """Return the alpha to step to."""
    if index + 1 < len(levels):
        return schedule.alpha(levels[index + 1])
    return schedule.final_alpha
