"""The noise schedule as `scheduler_config.json` of diffusers names it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from imaginairy.published.flow_schedule import settings_of_flow
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.samplers.edm import EdmConfig
from imaginairy.samplers.flow import FlowConfig
from imaginairy.samplers.prediction import NoiseConfig, Prediction
from imaginairy.samplers.spacings import ALIGNED_XL
from imaginairy.settings import (
    Flag,
    ListOf,
    Number,
    OneOf,
    Schema,
    Settings,
    Whole,
    read,
    shown_value,
)

PREDICTIONS: dict[str, Prediction] = {
    "epsilon": "noise",
    "v_prediction": "v",
    "sample": "clean",
}
"""What a network may be said to predict, in the words of `scheduler_config.json`."""
OTHER_WORDS = {
    **dict.fromkeys(("eps", "noise"), "epsilon"),
    **dict.fromkeys(("v", "v_pred", "vpred", "velocity"), "v_prediction"),
    **dict.fromkeys(("x0", "clean"), "sample"),
}
"""The same in the words of others."""
MOST_TIMESTEPS = 100_000
BETA = Number(0, 1)
TIMESTEPS: Schema = {
    "num_train_timesteps": Whole(3, MOST_TIMESTEPS),
    "beta_start": BETA,
    "beta_end": BETA,
    "beta_schedule": OneOf(("scaled_linear", "linear")),
    "trained_betas": ListOf(Number(0, 1, text=False), 2, MOST_TIMESTEPS),
    "rescale_betas_zero_snr": Flag(),
    "prediction_type": OneOf(tuple(PREDICTIONS)),
    "timestep_spacing": OneOf(("leading", "linspace", "trailing")),
    "set_alpha_to_one": Flag(),
    "thresholding": OneOf((False,)),
    "use_flow_sigmas": OneOf((False,)),
    "timestep_type": OneOf(("discrete",)),
}
"""What is read of the scheduler of a model trained on a list of timesteps."""
TIMESTEPS_ARE = {
    "num_train_timesteps": "timesteps",
    "beta_start": "beta_start",
    "beta_end": "beta_end",
    "beta_schedule": "beta_schedule",
    "trained_betas": "trained_betas",
    "rescale_betas_zero_snr": "zero_terminal_snr",
    "timestep_spacing": "spacing",
    "set_alpha_to_one": "ends_clean",
}
"""What our configuration calls these."""
EDM_PREDICTIONS: dict[str, Prediction] = {"epsilon": "edm", "v_prediction": "v"}
"""The same of a scheduler of EDM, whose `epsilon` is no noise."""
SIGMA = Number(0, 1e6)
EDM: Schema = {
    "sigma_min": SIGMA,
    "sigma_max": SIGMA,
    "sigma_data": SIGMA,
    "rho": Number(0.1, 1000),
    "sigma_schedule": OneOf(("karras", "exponential")),
    "prediction_type": OneOf(tuple(EDM_PREDICTIONS)),
    "final_sigmas_type": OneOf(("zero",)),
    "thresholding": OneOf((False,)),
}
"""What is read of a scheduler of EDM."""
EDM_ARE = {
    "sigma_min": "sigma_min",
    "sigma_max": "sigma_max",
    "sigma_data": "deviation",
    "rho": "rho",
    "sigma_schedule": "spacing",
}


def schedule_of(
    where: Path, settings: Settings, owner: str, predicts: Prediction
) -> NoiseConfig:
    """Return the schedule that settings named as in `scheduler_config.json` make.

    Args:
        owner: which family has it, for messages.
        predicts: what the network predicts where the settings do not say.

    Raises:
        CheckpointError: it is one that is not supported, or makes no sense.
    """
    kind = shown_value(settings.get("_class_name") or "")
    if kind.startswith("EDM") or settings.get("sigma_data") is not None:
        return edm_of(where, settings, owner)
    return timesteps_of(where, settings, owner, predicts)


def edm_of(where: Path, settings: Settings, owner: str) -> EdmConfig:
    """Return noise of any level, as the schedulers of EDM are set.

    Raises:
        CheckpointError: it is one that is not supported, or makes no sense.
    """
    said = read(where, settings, EDM, owner)
    above = Number(said.get("sigma_min", EdmConfig.sigma_min), SIGMA.high)
    high = {"sigma_max": EdmConfig.sigma_max, **said}
    read(where, high, {"sigma_max": above}, owner)
    predicts = EDM_PREDICTIONS[said.get("prediction_type", "epsilon")]
    return EdmConfig(**_ours(said, EDM_ARE), predicts=predicts)


def timesteps_of(
    where: Path, settings: Settings, owner: str, predicts: Prediction
) -> ScheduleConfig:
    """Return the noise of a list of timesteps; see `schedule_of`.

    Raises:
        CheckpointError: it is one that is not supported, or makes no sense.
    """
    said = read(where, settings, TIMESTEPS, owner)
    if "prediction_type" in said:
        predicts = PREDICTIONS[said["prediction_type"]]
    return ScheduleConfig(**_ours(said, TIMESTEPS_ARE), predicts=predicts)


def settings_of(noise: NoiseConfig) -> dict[str, Any]:
    """Return what `scheduler_config.json` says of noise, of which the function that
    made it makes it again.
    """
    if isinstance(noise, FlowConfig):
        return settings_of_flow(noise)
    names, predictions = TIMESTEPS_ARE, PREDICTIONS
    if isinstance(noise, EdmConfig):
        names, predictions = EDM_ARE, EDM_PREDICTIONS
    said = {theirs: getattr(noise, ours) for theirs, ours in names.items()}
    words = {found: word for word, found in predictions.items()}
    said["prediction_type"] = words[noise.predicts]
    return {name: value for name, value in said.items() if value is not None}


def _ours(said: Settings, names: Mapping[str, str]) -> dict[str, Any]:
    return {ours: said[theirs] for theirs, ours in names.items() if theirs in said}


def schedule_of_xl(
    where: Path, settings: Settings, owner: str, predicts: Prediction
) -> NoiseConfig:
    """Return the same with the steps that were aligned for Stable Diffusion XL.

    Raises:
        CheckpointError: it is one that is not supported, or makes no sense.
    """
    usual = schedule_of(where, settings, owner, predicts)
    if isinstance(usual, ScheduleConfig):
        return replace(usual, aligned=ALIGNED_XL)
    return usual


def prediction(written: Any) -> str:
    """Return what a network predicts in the words of `scheduler_config.json`."""
    written = shown_value(written)
    plain = written.strip().lower().replace("-", "_")
    return plain if plain in PREDICTIONS else OTHER_WORDS.get(plain, written)
