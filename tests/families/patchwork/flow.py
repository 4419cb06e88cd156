"""The same family as a rectified flow: another schedule and prediction, by its row."""

from dataclasses import replace

from tests.families.patchwork.row import PATCHWORK

FLOWING = replace(
    PATCHWORK,
    name="flowing",
    title="Flowing",
    prediction="flow",
    noise={"use_dynamic_shifting": True},
    schedule="imaginairy.published.flow_schedule:flow_of",
    defaults={"sampler": "k_euler", "steps": 4, "prompt_strength": 2.0},
)
