"""One schedule of each kind, and the samplers that say they are made for it."""

from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.samplers.edm import EdmSchedule
from imaginairy.samplers.flow import FlowSchedule
from imaginairy.samplers.schedule import Schedule, ScheduleKind
from imaginairy.samplers.table import Sampler

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
