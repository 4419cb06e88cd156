"""The schedule of models trained on a list of timesteps, as Stable Diffusion is."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from imaginairy.errors import BadOptionError
from imaginairy.samplers.prediction import Prediction
from imaginairy.samplers.schedule import ScheduleKind, SigmaSchedule, Way
from imaginairy.samplers.spacings import (
    ALIGNED,
    TIMESTEPS,
    aligned,
    exponential,
    lcm,
    trailing,
)


@dataclass(frozen=True)
class ScheduleConfig:
    """The noise a model was trained with; the defaults are Stable Diffusion's."""

    timesteps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012
    beta_schedule: Literal["scaled_linear", "linear"] = "scaled_linear"
    """Whether the square roots of beta rise in equal steps, or beta itself."""
    trained_betas: tuple[float, ...] | None = None
    """Every beta, in place of the above."""
    zero_terminal_snr: bool = False
    """Whether the last timestep is noise alone (Lin et al. 2023, arXiv:2305.08891)."""
    predicts: Prediction = "noise"
    """What the network says of noised latents; see `prediction`."""
    spacing: Literal["leading", "linspace", "trailing"] = "leading"
    """Which timesteps are visited: without the last, with both ends, or without the
    first. Those that walk sigmas have both ends where this is `leading`."""
    ends_clean: bool = False
    """Whether the last step of DDIM and PLMS goes below timestep 0."""
    aligned: tuple[float, ...] = ALIGNED
    """The sigmas of `align_your_steps`, see `spacings`."""

    def made(self) -> "NoiseSchedule":
        """Return the schedule of this noise."""
        return NoiseSchedule(self)


PURE_NOISE = 4.8973451890853435e-08
"""What stands for an alpha of 0, so that its sigma is a number."""
NOISE_ALONE = 1e5
"""The sigma in its place where whole timesteps are walked, which are not spaced by it:
so high that of the picture nothing is seen, as with an alpha of 0."""


class NoiseSchedule(SigmaSchedule):
    """The noise of a list of timesteps; a level is sigma, the noise's deviation.

    A picture noised to timestep t is sqrt(alphas_cumprod[t]) * latents +
    sqrt(1 - alphas_cumprod[t]) * noise (Ho et al. 2020, arXiv:2006.11239, eq. 4), and
    this is what a network sees. Divided by sqrt(alphas_cumprod[t]) it holds the whole
    signal and noise of deviation sigmas[t] (Karras et al. 2022, arXiv:2206.00364), and
    this is what samplers see; `scale` is sqrt(alphas_cumprod[t]). Everything is float32
    on the CPU.
    """

    kind: ClassVar[ScheduleKind] = "discrete"

    def __init__(self, config: ScheduleConfig | None = None) -> None:
        config = config or ScheduleConfig()
        betas = _betas(config)
        alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
        if config.zero_terminal_snr:
            alphas_cumprod = _without_signal_at_the_end(alphas_cumprod)
        self.config = config
        self.betas = betas.float()
        self.alphas_cumprod = alphas_cumprod.float()
        self.sigmas = ((1 - self.alphas_cumprod) / self.alphas_cumprod).sqrt()
        self.log_sigmas = self.sigmas.log()

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    @property
    def described(self) -> str:
        """What it is, in a few words."""
        alone = ", the last noise alone (zero terminal SNR)"
        return f"{len(self)} timesteps{alone * self.config.zero_terminal_snr}"

    @property
    def lowest(self) -> float:
        """The sigma of timestep 0."""
        return float(self.sigmas[0])

    def sigma(self, timestep: float) -> float:
        """Return sigma at a timestep in [0, 999], blending logarithms between two."""
        low = int(timestep)
        weight = timestep - low
        if not weight:
            return float(self.sigmas[low])
        blend = (1 - weight) * self.log_sigmas[low] + weight * self.log_sigmas[low + 1]
        return float(blend.exp())

    def level_after(self, share: float) -> float:
        """Return the sigma of the timestep below which so small a part is left."""
        return self.sigma(min(round(len(self) - share * len(self)), len(self) - 1))

    def timestep(self, level: float) -> float:
        """Return the timestep, with its fraction, at which noise deviates by a sigma.

        Linear in log sigma between the two table entries around it, and held to
        [0, 999] outside the table.
        """
        level = min(max(level, self.lowest), float(self.sigmas[-1]))
        low = int((self.sigmas <= level).sum()) - 1
        if low == len(self) - 1:
            return float(low)
        start, end = (log(float(sigma)) for sigma in self.sigmas[low : low + 2])
        return low + (log(level) - start) / (end - start)

    def levels(self, steps: int, way: Way) -> list[float]:
        """List sigmas; those of `timesteps` end on the lowest, unless `ends_clean`.

        Those of `lcm timesteps` always do.
        """
        if way == "timesteps":
            return self._whole(self.ddim_timesteps(steps))
        if way == "trailing timesteps":
            return self._whole(trailing(self._checked(steps), len(self)))
        if way == "lcm timesteps":
            visited = lcm(self._checked(steps), len(self))
            return [*map(self._whole_sigma, visited), self.lowest]
        low, high = self.lowest, float(self.sigmas[-1])
        if way == "normal":
            return self.normal_sigmas(steps).tolist()
        if way == "karras":
            return karras_sigmas(steps, low, high).tolist()
        if way == "exponential":
            sigmas = exponential(steps, low, high).tolist()
        elif way == "align_your_steps":
            sigmas = aligned(steps, self.config.aligned).tolist()
        else:
            timesteps = TIMESTEPS[way](self._checked(steps), len(self))
            sigmas = [self.sigma(float(timestep)) for timestep in timesteps]
        return [*sigmas, 0.0]

    def _whole(self, timesteps: Iterable[int]) -> list[float]:
        visited = map(self._whole_sigma, timesteps)
        return [*visited, 0.0 if self.config.ends_clean else self.lowest]

    def _whole_sigma(self, timestep: int) -> float:
        """Return sigma at a timestep that is visited as such."""
        is_last = timestep == len(self) - 1
        alone = is_last and self.config.zero_terminal_snr
        return NOISE_ALONE if alone else self.sigma(timestep)

    def _checked(self, steps: int) -> int:
        if not 1 <= steps <= len(self):
            raise BadOptionError(
                f"This sampler takes 1 to {len(self)} steps, not {steps}."
            )
        return steps

    def ddim_timesteps(self, steps: int) -> list[int]:
        """List `steps` evenly spaced timesteps, noisiest first.

        With the `leading` spacing they are 1 + floor(k * T / steps) with k * T / steps
        summed up in floating point, which is how the published pictures were made and
        differs by one timestep here and there from exact division; none is 0. With
        steps == T all are visited.

        Raises:
            BadOptionError: there are not so many timesteps.
        """
        self._checked(steps)
        if self.config.spacing == "linspace":
            return (
                np.linspace(0, len(self) - 1, steps).round().astype(int)[::-1].tolist()
            )
        if self.config.spacing == "trailing":
            return trailing(steps, len(self))
        stride = len(self) / steps
        first = 0 if steps == len(self) else 1
        position, timesteps = 0.0, []
        for _ in range(steps):
            timesteps.append(int(position) + first)
            position += stride
        return timesteps[::-1]

    def normal_sigmas(self, steps: int) -> Tensor:
        """Return `steps` sigmas at even timesteps from 999 to 0, then a zero.

        With the `trailing` spacing they are those of `ddim_timesteps`.
        """
        timesteps = torch.linspace(len(self) - 1, 0, steps)
        if self.config.spacing == "trailing":
            timesteps = torch.tensor(self.ddim_timesteps(steps))
        sigmas = [self.sigma(float(timestep)) for timestep in timesteps]
        return torch.tensor([*sigmas, 0.0])


def _betas(config: ScheduleConfig) -> Tensor:
    """Return the noise added at each timestep, in float64."""
    if config.trained_betas is not None:
        return torch.tensor(config.trained_betas, dtype=torch.float64)
    power = 0.5 if config.beta_schedule == "scaled_linear" else 1.0
    first, last = config.beta_start**power, config.beta_end**power
    steps = torch.linspace(first, last, config.timesteps, dtype=torch.float64)
    return steps ** (1 / power)


def _without_signal_at_the_end(alphas_cumprod: Tensor) -> Tensor:
    """Rescale the signal so that it ends at 0 (Lin et al. 2023, algorithm 1)."""
    signal = alphas_cumprod.sqrt()
    first, last = signal[0], signal[-1]
    rescaled = ((signal - last) * first / (first - last)) ** 2
    return rescaled.clamp(min=PURE_NOISE)


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
