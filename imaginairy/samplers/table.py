"""What a row of the sampler table says, and the types that its functions share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from imaginairy.errors import BadOptionError

if TYPE_CHECKING:
    from torch import Tensor

    from imaginairy.samplers.guidance import Denoiser
    from imaginairy.samplers.schedule import NoiseSchedule

DrawNoise = Callable[[], "Tensor"]
"""Draws the next standard normal noise, like the latents, from the prompt's seed."""
OnStep = Callable[[int, "Tensor", "Tensor"], None]
"""Told (index, latents, denoised) after each step."""
Spacing = Literal["normal", "karras"]


@dataclass(frozen=True)
class Sampler:
    """One way to walk from noise to a picture."""

    name: str
    summary: str
    """One line for the help text."""
    paper: str
    function: str
    """`module:function` in this package, imported when first used."""
    family: Literal["timesteps", "sigmas"]
    """Whether it walks timesteps of scaled latents, or sigmas of unscaled ones."""
    evaluations_per_step: int = 1
    """Predictions made in an ordinary step; the first or last may take more or less."""
    adaptive: bool = False
    """Whether it chooses the number of its steps itself and reports as many."""
    draws_noise: bool = False
    """Whether its steps draw noise of their own."""
    spacing: Spacing = "normal"
    """The spacing of its levels where the user names none."""
    spacings: tuple[Spacing, ...] = ("normal",)
    options: dict[str, Any] = field(default_factory=dict)
    """Further keyword arguments of the function."""

    @property
    def takes_eta(self) -> bool:
        """Whether the amount of noise that its steps add can be set."""
        return "eta" in self.options

    def levels(
        self,
        schedule: NoiseSchedule,
        steps: int,
        spacing: Spacing | None = None,
        *,
        last: int | None = None,
    ) -> list[float]:
        """List the noise levels to walk, noisiest first.

        Timesteps for the one family; sigmas, with the 0 that the last step ends on,
        for the other. `last` leaves only those of so many last steps.

        Raises:
            BadOptionError: the sampler has no such spacing.
        """
        spacing = spacing or self.spacing
        if spacing not in self.spacings:
            raise BadOptionError(
                f"The sampler '{self.name}' cannot use the schedule '{spacing}'; its "
                f"schedules are: {', '.join(self.spacings)}."
            )
        levels: list[float]
        if self.family == "timesteps":
            levels = [float(timestep) for timestep in schedule.ddim_timesteps(steps)]
        elif spacing == "karras":
            levels = schedule.karras_sigmas(steps).tolist()
        else:
            levels = schedule.normal_sigmas(steps).tolist()
        return levels if last is None else levels[steps - last :]

    def start(
        self,
        schedule: NoiseSchedule,
        noise: Tensor,
        level: float,
        init_latents: Tensor | None = None,
    ) -> Tensor:
        """Return what to walk from: pure noise, or latents noised to `level`."""
        if self.family == "timesteps":
            if init_latents is None:
                return noise
            return schedule.add_noise(init_latents, noise, level)
        return level * noise + (0 if init_latents is None else init_latents)

    def sample(
        self,
        denoiser: Denoiser,
        latents: Tensor,
        levels: Sequence[float],
        *,
        draw_noise: DrawNoise,
        on_step: OnStep,
        **options: Any,
    ) -> Tensor:
        """Walk from `latents` at the first of the levels to clean latents."""
        module, _, function = self.function.partition(":")
        walk = getattr(import_module(f"imaginairy.samplers.{module}"), function)
        clean: Tensor = walk(
            denoiser,
            latents,
            levels,
            draw_noise=draw_noise,
            on_step=on_step,
            **{**self.options, **options},
        )
        return clean


def steps_to_run(steps: int, init_image_strength: float) -> int:
    """Return how many of the last steps an init image of that strength leaves to run.

    The share is rounded to whole steps, a half of one down, with room for the error
    of floating-point multiplication.
    """
    return max(0, ceil(steps * (1 - init_image_strength) - 0.5 - 1e-9))
