"""The noise of models preconditioned for any level of it (EDM)."""

from dataclasses import dataclass
from math import log
from typing import ClassVar, Literal

from imaginairy.samplers.discrete import karras_sigmas
from imaginairy.samplers.prediction import Prediction
from imaginairy.samplers.schedule import ScheduleKind, SigmaSchedule, Spacing, Way
from imaginairy.samplers.spacings import exponential


@dataclass(frozen=True)
class EdmConfig:
    """The noise a model was trained with (Karras et al. 2022, arXiv:2206.00364).

    The defaults are those of its table 1.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    deviation: float = 0.5
    """That of clean latents, sigma_data there."""
    rho: float = 7.0
    """How much the levels of `karras` crowd where there is little noise."""
    spacing: Literal["karras", "exponential"] = "karras"
    """How levels are spaced where nothing else is asked."""
    predicts: Prediction = "edm"
    """What the network says of noised latents; see `prediction`."""

    def made(self) -> "EdmSchedule":
        """Return the schedule of this noise."""
        return EdmSchedule(self)


class EdmSchedule(SigmaSchedule):
    """Noise of any level between two; a network is told the level's logarithm."""

    kind: ClassVar[ScheduleKind] = "continuous"
    spacings: ClassVar[tuple[Spacing, ...]] = ("normal", "karras", "exponential")

    def __init__(self, config: EdmConfig | None = None) -> None:
        self.config = config or EdmConfig()
        self.deviation = self.config.deviation

    def timestep(self, level: float) -> float:
        """Return c_noise of Karras et al. 2022, table 1."""
        return log(level) / 4

    @property
    def described(self) -> str:
        """What it is, in a few words."""
        return f"EDM, sigma {self.config.sigma_min:g} to {self.config.sigma_max:g}"

    @property
    def lowest(self) -> float:
        """The least sigma that the network was trained with."""
        return self.config.sigma_min

    def level_after(self, share: float) -> float:
        """Return the sigma at which such a share of the way down in log sigma is gone.

        That is even in what the network is told.
        """
        low, high = self.config.sigma_min, self.config.sigma_max
        return float(high * (low / high) ** share)

    def levels(self, steps: int, way: Way) -> list[float]:
        """List sigmas between both ends, with a 0 to end on."""
        low, high = self.config.sigma_min, self.config.sigma_max
        spacing = self.config.spacing if way == "normal" else way
        if spacing == "karras":
            levels: list[float] = karras_sigmas(
                steps, low, high, self.config.rho
            ).tolist()
            return levels
        return [*exponential(steps, low, high).tolist(), 0.0]
