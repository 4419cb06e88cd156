"""One schedule of each kind, and the samplers that say they are made for it."""

from typing import ClassVar

from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.discrete import NoiseSchedule, karras_sigmas
from imaginairy.samplers.edm import EdmSchedule
from imaginairy.samplers.schedule import Schedule, ScheduleKind, Way
from imaginairy.samplers.table import Sampler


class FlowSchedule(Schedule):
    """The noise of a rectified flow (Liu et al. 2022, arXiv:2209.03003); a level is t.

    Latents are (1 - t) * clean latents + t * noise.
    """

    kind: ClassVar[ScheduleKind] = "flow"

    def signal(self, level: float) -> float:
        return 1 - level

    def scale(self, level: float) -> float:
        return 1.0

    def timestep(self, level: float) -> float:
        return 1000 * level

    def levels(self, steps: int, way: Way) -> list[float]:
        if way == "karras":
            levels: list[float] = karras_sigmas(steps, self.lowest, 1.0).tolist()
            return levels
        return [1 - step / steps for step in range(steps + 1)]

    @property
    def lowest(self) -> float:
        return 0.001

    def middle(self, level: float, level_next: float) -> float:
        return (level + level_next) / 2

    def level_after(self, share: float) -> float:
        return 1 - share

    def level_at(self, ratio: float) -> float:
        return ratio / (1 + ratio)


SCHEDULES: dict[ScheduleKind, Schedule] = {
    "discrete": NoiseSchedule(),
    "continuous": EdmSchedule(),
    "flow": FlowSchedule(),
}
WALKERS = [
    (row, SCHEDULES[kind]) for row in SAMPLERS.values() for kind in row.schedules
]
"""Every sampler with every kind of schedule that it is made for."""


def name_of(given: Sampler | Schedule) -> str:
    """Name a parameter of a test."""
    return given.name if isinstance(given, Sampler) else given.kind
