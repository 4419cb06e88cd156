"""What a row of the sampler table says, and the types that its functions share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from imaginairy.errors import BadOptionError
from imaginairy.samplers.schedule import Schedule, ScheduleKind, Spacing, Way

if TYPE_CHECKING:
    from torch import Tensor

    from imaginairy.samplers.denoiser import Denoiser

DrawNoise = Callable[[], "Tensor"]
"""Draws the next standard normal noise, like the latents, from the prompt's seed."""
OnStep = Callable[[int, "Tensor", "Tensor"], None]
"""Told (index, latents, denoised) after each step."""

WHOLE: dict[Spacing, Way] = {
    "normal": "timesteps",
    "trailing": "trailing timesteps",
    "lcm": "lcm timesteps",
}
"""How the levels of whole timesteps are listed, by their spacing."""


@dataclass(frozen=True)
class Sampler:
    """One way to walk from noise to a picture."""

    name: str
    summary: str
    """One line for the help text."""
    paper: str
    function: str
    """`module:function` in this package, imported when first used."""
    walks: Literal["timesteps", "sigmas"] = "sigmas"
    """Whether its levels are those of whole timesteps. Such samplers are published for
    latents scaled as the network sees them, and so they start from unit noise in these,
    and report and return these."""
    unit_noise: bool = False
    """Whether it starts from unit noise in what the network sees, though it walks
    sigmas."""
    schedules: tuple[ScheduleKind, ...] = ("discrete", "continuous", "flow")
    """What kinds of noise it is made for."""
    evaluations_per_step: int = 1
    """Predictions made in an ordinary step; the first or last may take more or less."""
    adaptive: bool = False
    """Whether it chooses the number of its steps itself and reports as many."""
    draws_noise: bool = False
    """Whether its steps draw noise of their own."""
    shares: bool = True
    """Whether its steps are near enough to each other, at levels that are known before,
    to share some of what is computed; see `speeds`."""
    spacing: Spacing = "normal"
    """The spacing of its levels where the user names none."""
    spacings: tuple[Spacing, ...] = ("normal",)
    options: dict[str, Any] = field(default_factory=dict)
    """Further keyword arguments of the function."""

    @property
    def takes_eta(self) -> bool:
        """Whether the amount of noise that its steps add can be set."""
        return "eta" in self.options

    @property
    def batches(self) -> bool:
        """Whether several pictures may share a walk, each drawn as if alone.

        One that chooses its steps by what it sees would choose for all of them.
        """
        return not self.adaptive

    def spacing_of(
        self, spacings: Collection[Spacing], kind: ScheduleKind = "discrete"
    ) -> Spacing:
        """Return the spacing of its levels where the user names none.

        Its own is for noise that comes on top of a picture; flows keep to theirs.

        Args:
            spacings: those that the schedule can have.
            kind: of the schedule.
        """
        suits = kind != "flow" and self.spacing in spacings
        return self.spacing if suits else "normal"

    def levels(
        self,
        schedule: Schedule,
        steps: int,
        spacing: Spacing | None = None,
        *,
        last: int | None = None,
    ) -> list[float]:
        """List the noise levels to walk, noisiest first, with the one to end on.

        `last` leaves only those of so many last steps.

        Raises:
            BadOptionError: the sampler or the schedule has no such spacing.
        """
        spacing = spacing or self.spacing_of(schedule.spacings, schedule.kind)
        if spacing not in self.spacings:
            raise BadOptionError(
                f"The sampler '{self.name}' cannot use the schedule '{spacing}'; its "
                f"schedules are: {', '.join(self.spacings)}."
            )
        schedule.require(spacing)
        way: Way = spacing if self.walks == "sigmas" else WHOLE[spacing]
        levels = schedule.levels(steps, way)
        return levels if last is None else levels[steps - last :]

    def start(
        self,
        schedule: Schedule,
        noise: Tensor,
        level: float,
        init_latents: Tensor | None = None,
    ) -> Tensor:
        """Return what to walk from: pure noise, or latents noised to `level`."""
        if init_latents is not None:
            return schedule.noised(init_latents, noise, level)
        if self.walks == "timesteps" or self.unit_noise:
            return noise / schedule.scale(level)
        return level * noise

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
        """Walk from `latents` at the first of the levels to clean latents.

        What is returned is as it is published, and so is what `on_step` is told of.
        """
        reached = self.walk(
            denoiser, latents, levels, draw_noise=draw_noise, on_step=on_step, **options
        )
        return self.published(denoiser.schedule, reached, levels[-1])

    def walk(
        self,
        denoiser: Denoiser,
        latents: Tensor,
        levels: Sequence[float],
        *,
        draw_noise: DrawNoise,
        on_step: OnStep,
        **options: Any,
    ) -> Tensor:
        """Walk to the last of the levels, from where another walk can go on."""
        module, _, function = self.function.partition(":")
        walk = getattr(import_module(f"imaginairy.samplers.{module}"), function)

        def tell(index: int, latents: Tensor, denoised: Tensor) -> None:
            level = levels[index + 1] if self.walks == "timesteps" else 0.0
            on_step(index, self.published(denoiser.schedule, latents, level), denoised)

        reached: Tensor = walk(
            denoiser,
            latents,
            levels,
            draw_noise=draw_noise,
            on_step=tell,
            **{**self.options, **options},
        )
        return reached

    def published(self, schedule: Schedule, latents: Tensor, level: float) -> Tensor:
        """Return latents of a level as they are published, see `walks`."""
        if self.walks == "sigmas":
            return latents
        return latents * schedule.scale(level)


def steps_to_run(
    steps: int, init_image_strength: float, kind: ScheduleKind = "discrete"
) -> int:
    """Return how many of the last steps an init image of that strength leaves to run.

    The share is rounded to whole steps, a half of one down; of flows, which are made
    for few steps, up, as is usual for them. Either has room for the error of
    floating-point multiplication.
    """
    less = 0.0 if kind == "flow" else 0.5
    return max(0, ceil(steps * (1 - init_image_strength) - less - 1e-9))
