"""The noise of flows, which takes the picture's place by degrees."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp
from typing import ClassVar, Literal

import numpy as np

from imaginairy.samplers.prediction import Prediction
from imaginairy.samplers.schedule import Schedule, ScheduleKind, Spacing, Way
from imaginairy.samplers.spacings import TIMESTEPS, Values, beta_quantiles, exponential

TIMESTEPS_TOLD = 1000
"""What a network is told of noise alone; of less noise it is as much less."""
USUAL_TOKENS = 4096
"""How many tokens a picture of 1024 x 1024 pixels has."""
TRAINED_STEPS = 200
"""The number of steps that stands for all that are many."""
MOST_MU = 20.0
"""Beyond which levels could no longer be told from 1, or from 0."""

RHO = 7
"""How much levels of `karras` crowd (Karras et al. 2022, arXiv:2206.00364, eq. 5)."""


def karras_between(steps: int, low: float) -> Values:
    """Return levels from 1 to a low one, evenly spaced in their root."""
    return np.linspace(1, low ** (1 / RHO), steps) ** RHO


def exponential_between(steps: int, low: float) -> Values:
    """Return the same, evenly spaced in their logarithm."""
    return exponential(steps, low, 1.0)


def beta_between(steps: int, low: float) -> Values:
    """Return the same, at quantiles of Beta(0.6, 0.6)."""
    return low + (1 - low) * beta_quantiles(np.linspace(1, 0, steps), 0.6)


BETWEEN: Mapping[str, Callable[[int, float], Values]] = {
    "karras": karras_between,
    "exponential": exponential_between,
}
"""Ways to space levels between noise alone and a low one: (steps, low) -> levels."""


@dataclass(frozen=True)
class FlowConfig:
    """The noise a flow was trained with; the defaults are those of diffusers.

    Levels spaced evenly are shifted towards noise, by s -> S s / (1 + (S - 1) s) (Esser
    et al. 2024, arXiv:2403.03206, eq. 23), the more the larger a picture is.
    """

    shift: float = 1.0
    """S there, of pictures of any size."""
    by_size: bool = False
    """Whether it is exp(mu) in place of that, with mu linear in the number of tokens,
    as in Flux.1-dev."""
    base_shift: float = 0.5
    """Mu of `base_tokens`."""
    max_shift: float = 1.15
    """Mu of `max_tokens`."""
    base_tokens: int = 256
    max_tokens: int = 4096
    by_steps: bool = False
    """Whether mu follows Flux.2's formula of the number of tokens and of steps."""
    terminal: float | None = None
    """The level of the last step, to which all are stretched; None leaves them."""
    spacing: Literal["trailing", "karras", "exponential", "beta"] = "trailing"
    """How levels are spaced where nothing else is asked: even ones, shifted, or between
    the ends of these."""
    predicts: Prediction = "flow"
    """What the network says of noised latents; see `prediction`."""

    def made(self) -> "FlowSchedule":
        """Return the schedule of this noise."""
        return FlowSchedule(self)

    def shift_of(self, tokens: int, steps: int = TRAINED_STEPS) -> float:
        """Return S for pictures of so many tokens, drawn in so many steps."""
        if self.by_steps:
            mu = mu_by_steps(tokens, steps)
        elif self.by_size:
            rise = (self.max_shift - self.base_shift) / (
                self.max_tokens - self.base_tokens
            )
            mu = self.base_shift + rise * (tokens - self.base_tokens)
        else:
            return self.shift
        return exp(max(-MOST_MU, min(MOST_MU, mu)))


def mu_by_steps(tokens: int, steps: int) -> float:
    """Return mu as Flux.2 was published with: from 10 steps to 200 it is linear.

    Of pictures of more than 4300 tokens it is that of 200 steps, whatever they are.
    """
    of_many = 0.00016927 * tokens + 0.45666666
    if tokens > 4300:
        return of_many
    of_few = 8.73809524e-05 * tokens + 1.89833333
    return of_many + (of_many - of_few) / 190 * (steps - 200)


class FlowSchedule(Schedule):
    """The noise of a rectified flow (Liu et al. 2022, arXiv:2209.03003).

    Latents are (1 - level) * clean latents + level * noise, and noise alone at 1.

    Args:
        tokens: how many the network makes of a picture.
    """

    kind: ClassVar[ScheduleKind] = "flow"
    spacings: ClassVar[tuple[Spacing, ...]] = (
        "normal",
        "karras",
        "exponential",
        "sgm_uniform",
        "simple",
        "trailing",
        "beta",
    )

    def __init__(
        self, config: FlowConfig | None = None, tokens: int = USUAL_TOKENS
    ) -> None:
        self.config, self.tokens = config or FlowConfig(), tokens

    def for_tokens(self, tokens: int) -> "FlowSchedule":
        """Return the same, shifted for pictures of so many tokens."""
        return FlowSchedule(self.config, tokens)

    @property
    def described(self) -> str:
        """What it is, in a few words."""
        config = self.config
        if config.by_steps:
            return "a flow, shifted by the size and the number of steps"
        if config.by_size:
            return "a flow, shifted by the size"
        return f"a flow, shifted by {config.shift:g}"

    def signal(self, level: float) -> float:
        """Return what noise leaves."""
        return 1 - level

    def scale(self, level: float) -> float:
        """Return 1: the network sees latents as they are."""
        return 1.0

    def timestep(self, level: float) -> float:
        """Return the level in thousandths."""
        return TIMESTEPS_TOLD * level

    @property
    def lowest(self) -> float:
        """The first of a thousand even levels, shifted."""
        return self._shifted(1 / TIMESTEPS_TOLD)

    def middle(self, level: float, level_next: float) -> float:
        """Return the level half-way in what the network is told."""
        return (level + level_next) / 2

    def level_at(self, ratio: float) -> float:
        """Return the level with so much noise to signal."""
        return ratio / (1 + ratio)

    def level_after(self, share: float) -> float:
        """Return the level at which such a share of even levels is walked."""
        return self._shifted(1 - share)

    def levels(self, steps: int, way: Way) -> list[float]:
        """List levels from noise alone on, with a 0 to end on.

        Those of `karras` and `exponential` lie between both ends; all others are even
        ones or timesteps of a thousand, shifted.
        """
        if way in BETWEEN:
            low = self._shifted(1 / TIMESTEPS_TOLD, steps)
            return [*BETWEEN[way](steps, low).tolist(), 0.0]
        if way in ("sgm_uniform", "simple", "beta"):
            told = TIMESTEPS[way](steps, TIMESTEPS_TOLD)
            even = [(float(timestep) + 1) / TIMESTEPS_TOLD for timestep in told]
        else:
            even = [1 - step / steps for step in range(steps)]
        levels = self._stretched([self._shifted(s, steps) for s in even])
        own = self.config.spacing
        if own != "trailing" and way in ("normal", "timesteps"):
            within = {**BETWEEN, "beta": beta_between}[own]
            levels = within(steps, levels[-1]).tolist()
        return [*levels, 0.0]

    def _shifted(self, even: float, steps: int = TRAINED_STEPS) -> float:
        shift = self.config.shift_of(self.tokens, steps)
        return shift * even / (1 + (shift - 1) * even)

    def _stretched(self, levels: list[float]) -> list[float]:
        """Keep the first level and move the last to where it is to be."""
        terminal = self.config.terminal
        if terminal is None or levels[-1] == 1:
            return levels
        stretch = (1 - terminal) / (1 - levels[-1])
        return [1 - stretch * (1 - level) for level in levels]
