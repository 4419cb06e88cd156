"""A target whose exact denoiser is known: independent normal values, all alike."""

from collections.abc import Callable

import torch
from torch import Tensor

from imaginairy.samplers.guidance import Denoiser
from imaginairy.samplers.schedule import NoiseSchedule

MEAN = 0.7
DEVIATION = 0.5


class GaussianDenoiser(Denoiser):
    """The best denoiser of that target: the mean of what may have been noised."""

    def __init__(self, schedule: NoiseSchedule) -> None:
        super().__init__(self.predict, schedule)

    def denoised(self, latents: Tensor, sigma: float) -> Tensor:
        share = sigma**2 / (sigma**2 + DEVIATION**2)
        return share * MEAN + (1 - share) * latents

    def predict(self, latents: Tensor, timestep: float) -> Tensor:
        sigma = sigma_at(self.schedule, timestep)
        unscaled = latents * (1 + sigma**2) ** 0.5
        return (unscaled - self.denoised(unscaled, sigma)) / sigma


def sigma_at(schedule: NoiseSchedule, timestep: float) -> float:
    """Return the deviation of the noise, as DDIM and PLMS reckon it."""
    alpha = schedule.alpha(timestep)
    return ((1 - alpha) / alpha) ** 0.5


def flow(latents: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """Carry latents along the exact solution of the diffusion ODE."""
    shrink = (DEVIATION**2 + sigma_next**2) / (DEVIATION**2 + sigma**2)
    return MEAN + (latents - MEAN) * shrink**0.5


def noise_from(seed: int, shape: tuple[int, ...]) -> Callable[[], Tensor]:
    """Return a source of standard normal noise in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(shape, generator=generator, dtype=torch.float64)
