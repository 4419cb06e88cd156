"""How much of the work of a walk may be left out, by name; nothing here needs torch."""

from dataclasses import dataclass
from typing import Literal, get_args

from imaginairy.samplers.table import Sampler

SpeedName = Literal["exact", "balanced", "fast"]
FEWEST_STEPS = 8
"""In fewer steps each is far from the one before, and nothing is left out."""


@dataclass(frozen=True)
class Speed:
    """What is computed less often than in each step."""

    name: SpeedName
    steps: int = 1
    """How many steps share what comes from deep in the network; see `told.Reuse`."""
    outer: int = 1
    """How many of its blocks, those nearest to the picture, run in each step."""
    apart: float = 0.0
    """The share of the steps that come first and share nothing: they settle what is
    seen where."""
    guidance_interval: str | None = None
    """Which part of the steps is guided where the prompt does not say."""


SPEEDS: dict[str, Speed] = {
    speed.name: speed
    for speed in (
        Speed("exact"),
        Speed("balanced", steps=2, apart=0.4),
        Speed("fast", steps=4, apart=0.25, guidance_interval="0:0.9"),
    )
}
SPEED_NAMES: tuple[SpeedName, ...] = get_args(SpeedName)


def why_exact(sampler: Sampler, steps: int) -> str | None:
    """Say why nothing can be left out of a walk; None where something can.

    Args:
        steps: those that are run.
    """
    if not sampler.shares:
        return f"{sampler.name} makes steps that have too little in common"
    if steps < FEWEST_STEPS:
        return f"of {steps} steps each has too little in common with the one before"
    return None
