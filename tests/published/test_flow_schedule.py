"""What `scheduler_config.json` says of flows: as published, and refused."""

from pathlib import Path
from typing import Any

import pytest
from diffusers import FlowMatchEulerDiscreteScheduler

from imaginairy.errors import CheckpointError
from imaginairy.published.flow_schedule import flow_of, flow_of_flux2
from imaginairy.published.schedule import settings_of
from imaginairy.samplers.flow import FlowConfig

WHERE = Path("scheduler_config.json")
EULER = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "_diffusers_version": "0.30.0.dev0",
    "num_train_timesteps": 1000,
}
LIMITS = {"base_image_seq_len": 256, "max_image_seq_len": 4096}
MUS = {"base_shift": 0.5, "max_shift": 1.15}
PUBLISHED: dict[str, tuple[dict[str, Any], FlowConfig]] = {
    "Z-Image-Turbo": (
        {**EULER, "use_dynamic_shifting": False, "shift": 3.0},
        FlowConfig(shift=3),
    ),
    "Flux.1-schnell": (
        {**EULER, **LIMITS, **MUS, "shift": 1.0, "use_dynamic_shifting": False},
        FlowConfig(),
    ),
    "Flux.1-dev": (
        {**EULER, **LIMITS, **MUS, "shift": 3.0, "use_dynamic_shifting": True},
        FlowConfig(shift=3, by_size=True),
    ),
    "all that diffusers writes": (
        dict(FlowMatchEulerDiscreteScheduler(shift=2.5).config),
        FlowConfig(shift=2.5),
    ),
    "stretched": (
        {**EULER, "shift_terminal": 0.02, "max_shift": 0.9, "max_image_seq_len": 8192},
        FlowConfig(terminal=0.02, max_shift=0.9, max_tokens=8192),
    ),
    "spaced": (
        {"use_karras_sigmas": True, "use_beta_sigmas": False, "base_shift": None},
        FlowConfig(spacing="karras"),
    ),
    "static": (
        {"shift": 12.0, "use_dynamic_shifting": False, "time_shift_type": "linear"},
        FlowConfig(shift=12),
    ),
    "nothing": ({}, FlowConfig()),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_schedules_are_read_and_written(name: str) -> None:
    settings, expected = PUBLISHED[name]
    noise = flow_of(WHERE, settings, "Flux.1", "flow")
    assert noise == expected
    assert flow_of(WHERE, settings_of(noise), "Flux.1", "flow") == noise
    theirs = dict(FlowMatchEulerDiscreteScheduler(**settings_of(noise)).config)
    assert flow_of(WHERE, theirs, "Flux.1", "flow") == noise


def test_flux2_is_shifted_by_the_number_of_steps_too() -> None:
    settings, _ = PUBLISHED["Flux.1-dev"]
    noise = flow_of_flux2(WHERE, settings, "Flux.2", "flow")
    assert noise == FlowConfig(shift=3, by_size=True, by_steps=True)
    assert flow_of_flux2(WHERE, settings_of(noise), "Flux.2", "flow") == noise
    said = "a flow, shifted by the size"
    assert noise.made().described == f"{said} and the number of steps"
    assert FlowConfig(by_size=True).made().described == said
    assert FlowConfig(shift=3).made().described == "a flow, shifted by 3"


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("_class_name", ["DDIMScheduler", "FlowMatchLCMScheduler"]),
        ("num_train_timesteps", [999, "1000", True]),
        ("shift", [0, -1, 1000, None, True, "x"]),
        ("use_dynamic_shifting", ["maybe", 1]),
        ("base_shift", [20, float("nan")]),
        ("max_shift", [float("inf"), [1]]),
        ("base_image_seq_len", [0, 4096, 1.5]),
        ("max_image_seq_len", [256, 1_000_001]),
        ("time_shift_type", ["cubic"]),
        ("shift_terminal", [0, 1, "x"]),
        ("invert_sigmas", [True]),
        ("stochastic_sampling", [True]),
        ("use_beta_sigmas", ["maybe"]),
    ],
)
def test_what_makes_no_sense_is_refused(setting: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(CheckpointError) as caught:
            flow_of(WHERE, {**EULER, **LIMITS, setting: value}, "Flux.1", "flow")
        assert "'scheduler_config.json' has " in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        {"use_dynamic_shifting": True, "time_shift_type": "linear"},
        {"use_beta_sigmas": True, "use_karras_sigmas": True},
    ],
)
def test_what_does_not_go_together_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="is supported"):
        flow_of(WHERE, said, "Flux.1", "flow")
