"""What a level of noise means, and which levels a sampler visits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf, log, sqrt
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, get_args

from imaginairy.errors import BadOptionError

if TYPE_CHECKING:
    from torch import Tensor

ScheduleKind = Literal["discrete", "continuous", "flow"]
"""Whether noise comes on top of the picture, at the levels of a list of timesteps or at
any, or takes its place by degrees."""
Spacing = Literal[
    "normal",
    "karras",
    "exponential",
    "sgm_uniform",
    "simple",
    "trailing",
    "beta",
    "align_your_steps",
    "lcm",
]
"""How levels are spaced: as the timesteps are, or in another way of `spacings`."""
Way = Spacing | Literal["timesteps", "trailing timesteps", "lcm timesteps"]
"""How levels are listed: spaced so, or those of whole timesteps."""


class Split(NamedTuple):
    """A step that adds noise, in two: denoise to a lower level, then add some."""

    down: float
    """The level to denoise to."""
    kept: float
    """How much of what is there then stays, 1 where noise comes on top."""
    up: float
    """The deviation of the noise to add."""


class Schedule(ABC):
    """What a level of noise is, from the most down to 0, a clean picture.

    Latents x at a level are signal(level) * clean latents + level * noise, where the
    signal is 1 (the level is called sigma) or 1 - level (called t, of flows). Either
    way dx / dlevel = (x - clean latents) / level, along which samplers go.
    """

    kind: ClassVar[ScheduleKind]
    spacings: ClassVar[tuple[Spacing, ...]] = get_args(Spacing)
    """How its levels can be spaced."""
    deviation: float = 1.0
    """That of clean latents, as the scaling of what a network sees has it."""

    @property
    def described(self) -> str:
        """What it is, in a few words; empty where there is nothing to say."""
        return ""

    @abstractmethod
    def signal(self, level: float) -> float:
        """Return how much of the clean latents there is at a level."""

    @abstractmethod
    def scale(self, level: float) -> float:
        """Return what latents of a level are multiplied by for the network to see."""

    @abstractmethod
    def timestep(self, level: float) -> float:
        """Return what the network is told of a level."""

    @abstractmethod
    def levels(self, steps: int, way: Way) -> list[float]:
        """List the levels of so many steps, noisiest first, with the one to end on.

        Raises:
            BadOptionError: it has not so many, or cannot space them that way.
        """

    @property
    @abstractmethod
    def lowest(self) -> float:
        """The least noise above 0 that the network knows."""

    @abstractmethod
    def middle(self, level: float, level_next: float) -> float:
        """Return a level half-way."""

    @abstractmethod
    def level_at(self, ratio: float) -> float:
        """Return the level with so much noise to signal."""

    def require(self, spacing: Spacing) -> None:
        """Check that its levels can be spaced that way.

        Raises:
            BadOptionError: they cannot.
        """
        if spacing not in self.spacings:
            raise BadOptionError(
                f"The noise of this model is of the kind '{self.kind}', whose levels "
                f"the schedule '{spacing}' cannot space; its schedules are: "
                f"{', '.join(self.spacings)}."
            )

    @abstractmethod
    def level_after(self, share: float) -> float:
        """Return the level at which such a share of the schedule is walked, in (0, 1).

        By what the network was trained on: of timesteps, their number.
        """

    def for_tokens(self, tokens: int) -> Schedule:
        """Return the same for pictures of so many tokens, where its levels differ by
        that.
        """
        return self

    def noised(self, latents: Tensor, noise: Tensor, level: float) -> Tensor:
        """Noise clean latents up to a level."""
        return self.signal(level) * latents + level * noise

    def log_ratio(self, level: float) -> float:
        """Return the logarithm of noise to signal, in which DPM-Solver++ steps."""
        signal = self.signal(level)
        return log(level / signal) if signal else inf

    def split_noise(self, level: float, level_next: float, eta: float) -> Split:
        """Divide a step to `level_next` into denoising and adding noise.

        At eta = 1 this is ancestral sampling (Song et al. 2021, arXiv:2011.13456,
        appendix F), below it DDIM's share of that (Song et al. 2020, arXiv:2010.02502,
        eq. 16): of the noise to signal that is to be left, so much is new.
        """
        signal_next = self.signal(level_next)
        left = level_next / signal_next
        share = min(1.0, left * self.signal(level) / level)
        up = eta * left * sqrt(1 - share**2)
        down = self.level_at(sqrt(left**2 - up**2))
        return Split(down, signal_next / self.signal(down), signal_next * up)


class SigmaSchedule(Schedule):
    """Noise that comes on top of the picture; a level is sigma, its deviation."""

    def signal(self, level: float) -> float:
        """Return 1: noise comes on top."""
        return 1.0

    def scale(self, level: float) -> float:
        """Return what brings signal and noise together to deviation 1.

        That is c_in of Karras et al. 2022, arXiv:2206.00364, table 1.
        """
        return float((level**2 + self.deviation**2) ** -0.5)

    def middle(self, level: float, level_next: float) -> float:
        """Return the sigma half-way in log sigma."""
        return sqrt(level * level_next)

    def level_at(self, ratio: float) -> float:
        """Return the very ratio."""
        return ratio
