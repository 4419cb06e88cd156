"""The same family as a rectified flow: another schedule and prediction, by its row."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imaginairy.samplers.prediction import Prediction
from imaginairy.samplers.schedule import Schedule
from tests.families.patchwork.row import HERE, PATCHWORK
from tests.support.schedules import FlowSchedule


@dataclass(frozen=True)
class Flow:
    predicts: Prediction

    def made(self) -> Schedule:
        return FlowSchedule()


def schedule_of(
    where: Path, settings: Mapping[str, Any], title: str, predicts: Prediction
) -> Flow:
    return Flow(predicts)


FLOWING = replace(
    PATCHWORK,
    name="flowing",
    title="Flowing",
    prediction="flow",
    noise={},
    schedule=f"{HERE}.flow:schedule_of",
    defaults={"sampler": "k_euler", "steps": 4, "prompt_strength": 2.0},
)
