"""A target whose exact denoiser is known: independent normal values, all alike."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.samplers.denoiser import Denoiser, NetworkDenoiser
from imaginairy.samplers.schedule import Schedule

MEAN = 0.7
DEVIATION = 0.5


@dataclass(frozen=True)
class Saying:
    """A denoiser that answers as a function does."""

    schedule: Schedule
    answer: Callable[[Tensor, float], Tensor]

    def denoised(self, latents: Tensor, level: float) -> Tensor:
        return self.answer(latents, level)


@dataclass(frozen=True)
class GaussianDenoiser:
    """The best denoiser of that target: the mean of what may have been noised."""

    schedule: Schedule

    def denoised(self, latents: Tensor, level: float) -> Tensor:
        signal = self.schedule.signal(level)
        gain = signal * DEVIATION**2 / deviation(self.schedule, level) ** 2
        return MEAN + gain * (latents - signal * MEAN)


def deviation(schedule: Schedule, level: float) -> float:
    """Return that of latents of the target at a level of noise."""
    return float((schedule.signal(level) ** 2 * DEVIATION**2 + level**2) ** 0.5)


def flow(
    schedule: Schedule, latents: Tensor, level: float, level_next: float
) -> Tensor:
    """Carry latents along the exact solution of the diffusion ODE."""
    grows = deviation(schedule, level_next) / deviation(schedule, level)
    mean, mean_next = (schedule.signal(at) * MEAN for at in (level, level_next))
    return mean_next + (latents - mean) * grows


def noise_from(seed: int, shape: tuple[int, ...]) -> Callable[[], Tensor]:
    """Return a source of standard normal noise in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(shape, generator=generator, dtype=torch.float64)


def velocity_denoiser(schedule: Schedule) -> Denoiser:
    """Return the Gaussian's as a network that predicts the velocity of a flow."""
    exact = GaussianDenoiser(schedule)

    def network(latents: Tensor, timesteps: Tensor, _: Conditioning) -> Tensor:
        level = float(timesteps.double()[0]) / 1000
        return (latents - exact.denoised(latents, level)) / level

    nothing = Conditioning(torch.zeros(1, 1, 1))
    return NetworkDenoiser(network, schedule, "flow", nothing)


def preconditioned_denoiser(schedule: Schedule) -> Denoiser:
    """Return it as a network that is told a quarter of the level's logarithm.

    It says what is missing of the clean latents (arXiv:2206.00364, table 1).
    """
    exact, data = GaussianDenoiser(schedule), schedule.deviation

    def network(seen: Tensor, timesteps: Tensor, _: Conditioning) -> Tensor:
        sigma = exp(4 * float(timesteps.double()[0]))
        both = (sigma**2 + data**2) ** 0.5
        latents = both * seen
        clean = exact.denoised(latents, sigma)
        return (clean - (data / both) ** 2 * latents) * both / (sigma * data)

    nothing = Conditioning(torch.zeros(1, 1, 1))
    return NetworkDenoiser(network, schedule, "edm", nothing)


def exact_denoiser(schedule: Schedule) -> Denoiser:
    """Return the Gaussian's, as a network of that kind would answer."""
    made: dict[str, Callable[[Schedule], Denoiser]] = {
        "discrete": GaussianDenoiser,
        "continuous": preconditioned_denoiser,
        "flow": velocity_denoiser,
    }
    return made[schedule.kind](schedule)
