"""The noise of flows as `scheduler_config.json` of diffusers names it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from imaginairy.samplers.flow import TIMESTEPS_TOLD, FlowConfig
from imaginairy.samplers.prediction import Prediction
from imaginairy.settings import Flag, Number, OneOf, Schema, Settings, Whole, read

SCHEDULER = "FlowMatchEulerDiscreteScheduler"
MU = Number(-20, 20, null=True)
MOST_TOKENS = 1_000_000
UNSUPPORTED = OneOf((False,))
SPACINGS: Mapping[str, Literal["karras", "exponential", "beta"]] = {
    "use_karras_sigmas": "karras",
    "use_exponential_sigmas": "exponential",
    "use_beta_sigmas": "beta",
}
"""What each says that is true; at most one is."""
FLOW: Schema = {
    "_class_name": OneOf((SCHEDULER, "FlowMatchHeunDiscreteScheduler")),
    "num_train_timesteps": OneOf((TIMESTEPS_TOLD,)),
    "shift": Number(0, 1000),
    "use_dynamic_shifting": Flag(),
    "base_shift": MU,
    "max_shift": MU,
    "base_image_seq_len": Whole(1, MOST_TOKENS, null=True),
    "max_image_seq_len": Whole(1, MOST_TOKENS, null=True),
    "time_shift_type": OneOf(("exponential", "linear")),
    "shift_terminal": Number(0, 1, null=True),
    "invert_sigmas": UNSUPPORTED,
    "stochastic_sampling": UNSUPPORTED,
    **dict.fromkeys(SPACINGS, Flag()),
}
"""What is read of the scheduler of a flow."""
FLOW_ARE = {
    "shift": "shift",
    "use_dynamic_shifting": "by_size",
    "base_shift": "base_shift",
    "max_shift": "max_shift",
    "base_image_seq_len": "base_tokens",
    "max_image_seq_len": "max_tokens",
    "shift_terminal": "terminal",
}
"""What our configuration calls these."""


def flow_of(
    where: Path, settings: Settings, owner: str, predicts: Prediction
) -> FlowConfig:
    """Return the noise of a flow that settings make, as in `scheduler_config.json`.

    Args:
        owner: which family has it, for messages.
        predicts: what the network predicts.

    Raises:
        CheckpointError: it is one that is not supported, or makes no sense.
    """
    said = read(where, settings, FLOW, owner)
    fewest = said.get("base_image_seq_len", FlowConfig.base_tokens)
    most = {"max_image_seq_len": FlowConfig.max_tokens, **said}
    above = Whole(fewest + 1, MOST_TOKENS)
    read(where, most, {"max_image_seq_len": above}, owner)
    if said.get("use_dynamic_shifting"):
        read(where, said, {"time_shift_type": OneOf(("exponential",))}, owner)
    ours = {name: said[theirs] for theirs, name in FLOW_ARE.items() if theirs in said}
    own = [name for name in SPACINGS if said.get(name)]
    if own:
        read(where, said, dict.fromkeys(own[1:], UNSUPPORTED), owner)
        ours["spacing"] = SPACINGS[own[0]]
    return FlowConfig(**ours, predicts=predicts)


def flow_of_flux2(
    where: Path, settings: Settings, owner: str, predicts: Prediction
) -> FlowConfig:
    """Return the same, shifted by the size and the number of steps as Flux.2 is.

    Raises:
        CheckpointError: it is one that is not supported, or makes no sense.
    """
    return replace(flow_of(where, settings, owner, predicts), by_steps=True)


def settings_of_flow(noise: FlowConfig) -> dict[str, Any]:
    """Return what `scheduler_config.json` says of the noise of a flow."""
    said = {theirs: getattr(noise, ours) for theirs, ours in FLOW_ARE.items()}
    said |= {name: True for name, each in SPACINGS.items() if each == noise.spacing}
    return {name: value for name, value in said.items() if value is not None}
