"""How much noise each timestep holds, and which timesteps a sampler visits."""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from imaginairy.errors import BadOptionError


@dataclass(frozen=True)
class ScheduleConfig:
    """The noise a model was trained with; the defaults are Stable Diffusion's."""

    timesteps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012


class NoiseSchedule:
    """The scaled-linear schedule: the square roots of beta rise in equal steps.

    A picture noised to timestep t is sqrt(alphas_cumprod[t]) * latents +
    sqrt(1 - alphas_cumprod[t]) * noise (Ho et al. 2020, arXiv:2006.11239, eq. 4). The
    same picture divided by sqrt(alphas_cumprod[t]) holds noise of deviation
    sigmas[t] (Karras et al. 2022, arXiv:2206.00364). Everything is float32 on the CPU.
    """

    def __init__(self, config: ScheduleConfig | None = None) -> None:
        config = config or ScheduleConfig()
        roots = torch.linspace(
            config.beta_start**0.5,
            config.beta_end**0.5,
            config.timesteps,
            dtype=torch.float64,
        )
        alphas_cumprod = torch.cumprod(1.0 - roots**2, dim=0)
        self.betas = (roots**2).float()
        self.alphas_cumprod = alphas_cumprod.float()
        self.sigmas = ((1 - self.alphas_cumprod) / self.alphas_cumprod).sqrt()
        self.log_sigmas = self.sigmas.log()

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    def alpha(self, timestep: float) -> float:
        """Return alphas_cumprod at a timestep; between two, by their blended sigma."""
        if float(timestep).is_integer():
            return float(self.alphas_cumprod[int(timestep)])
        return 1 / (1 + self.timestep_to_sigma(timestep) ** 2)

    def timestep_to_sigma(self, timestep: float) -> float:
        """Return sigma at a timestep in [0, 999], blending logarithms between two."""
        low = int(timestep)
        high = min(low + 1, len(self) - 1)
        weight = timestep - low
        blend = (1 - weight) * self.log_sigmas[low] + weight * self.log_sigmas[high]
        return float(blend.exp())

    def sigma_to_timestep(self, sigma: float) -> float:
        """Return the timestep, with its fraction, at which noise deviates by `sigma`.

        Linear in log sigma between the two table entries around it, and held to
        [0, 999] outside the table.
        """
        log_sigma = torch.tensor(sigma, dtype=torch.float32).log()
        low = int((self.log_sigmas <= log_sigma).sum()) - 1
        low = min(max(low, 0), len(self) - 2)
        start, end = self.log_sigmas[low], self.log_sigmas[low + 1]
        weight = float(((log_sigma - start) / (end - start)).clamp(0, 1))
        return low + weight

    def ddim_timesteps(self, steps: int) -> list[int]:
        """List `steps` evenly spaced timesteps, noisiest first, none of them 0.

        They are 1 + floor(k * T / steps) with k * T / steps summed up in floating
        point, which is how the published pictures were made and differs by one
        timestep here and there from exact division. With steps == T all are visited.

        Raises:
            BadOptionError: there are not so many timesteps.
        """
        if not 1 <= steps <= len(self):
            raise BadOptionError(
                f"This sampler takes 1 to {len(self)} steps, not {steps}."
            )
        stride = len(self) / steps
        first = 0 if steps == len(self) else 1
        position, timesteps = 0.0, []
        for _ in range(steps):
            timesteps.append(int(position) + first)
            position += stride
        return timesteps[::-1]

    def normal_sigmas(self, steps: int) -> Tensor:
        """Return `steps` sigmas at even timesteps from 999 to 0, then a zero."""
        timesteps = torch.linspace(len(self) - 1, 0, steps)
        sigmas = [self.timestep_to_sigma(float(timestep)) for timestep in timesteps]
        return torch.tensor([*sigmas, 0.0])

    def karras_sigmas(self, steps: int, rho: float = 7.0) -> Tensor:
        """Return `steps` sigmas crowded at the low end, then a zero."""
        return karras_sigmas(steps, float(self.sigmas[0]), float(self.sigmas[-1]), rho)

    def add_noise(self, latents: Tensor, noise: Tensor, timestep: float) -> Tensor:
        """Noise clean latents up to a timestep (Ho et al. 2020, eq. 4)."""
        alpha = self.alpha(timestep)
        return sqrt(alpha) * latents + sqrt(1 - alpha) * noise


def karras_sigmas(
    steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0
) -> Tensor:
    """Return sigmas evenly spaced in their rho-th root, then a zero.

    Karras et al. 2022, arXiv:2206.00364, eq. 5.
    """
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    roots = high + torch.linspace(0, 1, steps) * (low - high)
    sigmas: Tensor = roots**rho
    return torch.cat([sigmas, torch.zeros(1)])
