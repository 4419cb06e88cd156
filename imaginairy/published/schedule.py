"""The noise schedule as `scheduler_config.json` of diffusers names it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.samplers.edm import EdmConfig
from imaginairy.samplers.prediction import NoiseConfig, Prediction
from imaginairy.samplers.spacings import ALIGNED_XL
from imaginairy.weights.settings import (
    Settings,
    is_number,
    number,
    require,
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
SCHEDULER = {
    "prediction_type": tuple(PREDICTIONS),
    "beta_schedule": ("scaled_linear", "linear"),
    "timestep_spacing": ("leading", "linspace", "trailing"),
    "rescale_betas_zero_snr": (False, True),
    "set_alpha_to_one": (False, True),
    "thresholding": (False,),
    "use_flow_sigmas": (False,),
    "timestep_type": ("discrete",),
}
MOST_TIMESTEPS = 100_000
EDM_PREDICTIONS: dict[str, Prediction] = {"epsilon": "edm", "v_prediction": "v"}
"""The same of a scheduler of EDM, whose `epsilon` is no noise."""
EDM = {
    "prediction_type": tuple(EDM_PREDICTIONS),
    "sigma_schedule": ("karras", "exponential"),
    "final_sigmas_type": ("zero",),
    "thresholding": (False,),
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
    kind = str(settings.get("_class_name", ""))
    if kind.startswith("EDM") or settings.get("sigma_data") is not None:
        return edm_of(where, settings, owner)
    return timesteps_of(where, settings, owner, predicts)


def edm_of(where: Path, settings: Settings, owner: str) -> EdmConfig:
    """Return noise of any level, as the schedulers of EDM are set.

    Raises:
        CheckpointError: it is one that is not supported, or makes no sense.
    """
    require(where, settings, EDM, owner)
    usual = EdmConfig()
    low = number(where, settings, "sigma_min", usual.sigma_min, 0)
    return EdmConfig(
        sigma_min=low,
        sigma_max=number(where, settings, "sigma_max", usual.sigma_max, low),
        deviation=number(where, settings, "sigma_data", usual.deviation, 0),
        rho=number(where, settings, "rho", usual.rho, 0),
        spacing=settings.get("sigma_schedule") or usual.spacing,
        predicts=EDM_PREDICTIONS[settings.get("prediction_type") or "epsilon"],
    )


def timesteps_of(
    where: Path, settings: Settings, owner: str, predicts: Prediction
) -> ScheduleConfig:
    """Return the noise of a list of timesteps; see `schedule_of`.

    Raises:
        CheckpointError: it is one that is not supported, or makes no sense.
    """
    require(where, settings, SCHEDULER, owner)
    usual = ScheduleConfig()
    betas = settings.get("trained_betas")
    if betas is not None and not _are_betas(betas):
        raise CheckpointError(
            f"'{where}' has trained_betas that are no list of numbers between 0 and 1."
        )
    timesteps = number(where, settings, "num_train_timesteps", usual.timesteps, 2)
    if timesteps != int(timesteps) or timesteps > MOST_TIMESTEPS:
        raise CheckpointError(
            f"'{where}' has num_train_timesteps '{timesteps:g}', which is no whole "
            f"number up to {MOST_TIMESTEPS}."
        )
    said = settings.get("prediction_type")
    return ScheduleConfig(
        timesteps=int(timesteps),
        beta_start=number(where, settings, "beta_start", usual.beta_start, 0, 1),
        beta_end=number(where, settings, "beta_end", usual.beta_end, 0, 1),
        beta_schedule=settings.get("beta_schedule") or usual.beta_schedule,
        trained_betas=None if betas is None else tuple(map(float, betas)),
        zero_terminal_snr=bool(settings.get("rescale_betas_zero_snr")),
        predicts=PREDICTIONS[said] if said else predicts,
        spacing=settings.get("timestep_spacing") or usual.spacing,
        ends_clean=bool(settings.get("set_alpha_to_one")),
    )


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


def _are_betas(values: Any) -> bool:
    return (
        isinstance(values, list)
        and 2 <= len(values) <= MOST_TIMESTEPS
        and all(is_number(value) and 0 < value < 1 for value in values)
    )
