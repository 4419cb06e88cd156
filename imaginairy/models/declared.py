"""What a checkpoint says of itself beside its tensors: obeyed, or refused by name.

A single file speaks through its safetensors metadata, through tensors that are there
only for their names, and through a `.yaml` of its own name beside it; a folder through
its `.json` files. All of it is turned into the names of `scheduler_config.json`; what
none of the tables here names has no part in the picture.
"""

import re
from collections.abc import Collection, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError, safe_open

from imaginairy.errors import CheckpointError
from imaginairy.log import log
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.weights.json_file import read_json
from imaginairy.weights.settings import Settings, is_true, number, require, shown_value

FAMILY = "Stable Diffusion 1.x"

PREDICTIONS = {
    "epsilon": ("epsilon", "eps", "noise"),
    "v_prediction": ("v_prediction", "v", "v_pred", "vpred", "velocity"),
}
"""What a network may predict, and how it is written."""
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
UNET: dict[str, tuple[Any, ...]] = {
    "act_fn": ("silu", "swish"),
    "norm_eps": (1e-5,),
    "flip_sin_to_cos": (True,),
    "freq_shift": (0,),
    "center_input_sample": (False,),
    "mid_block_scale_factor": (1,),
    "downsample_padding": (1,),
    "mid_block_type": ("UNetMidBlock2DCrossAttn",),
    "time_embedding_type": ("positional",),
    "resnet_time_scale_shift": ("default",),
    "resnet_out_scale_factor": (1,),
    "resnet_skip_time_act": (False,),
    "attention_type": ("default",),
    "dual_cross_attention": (False,),
    "only_cross_attention": (False,),
    **dict.fromkeys(
        (
            "addition_embed_type",
            "class_embed_type",
            "cross_attention_norm",
            "encoder_hid_dim_type",
            "num_class_embeds",
            "time_cond_proj_dim",
            "time_embedding_act_fn",
            "timestep_post_act",
        ),
        (),
    ),
}
AUTOENCODER: dict[str, tuple[Any, ...]] = {
    "act_fn": ("silu", "swish"),
    "use_quant_conv": (True,),
    "use_post_quant_conv": (True,),
    "shift_factor": (0,),
    "latents_mean": (),
    "latents_std": (),
}
TEXT: dict[str, tuple[Any, ...]] = {
    "layer_norm_eps": (1e-5,),
    "model_type": ("clip_text_model", "clip"),
}
SUPPORTED = {"unet": UNET, "vae": AUTOENCODER, "text_encoder": TEXT}
"""What the settings of each part may be where they are there and not null."""
COMPONENTS = {
    "unet": r"(Flax)?UNet2DConditionModel",
    "vae": r"(Flax)?AutoencoderKL",
    "text_encoder": r"(Flax)?CLIPTextModel(WithProjection)?",
    "tokenizer": r"CLIPTokenizer(Fast)?",
    "scheduler": r"(?!FlowMatch|EDM|Karras|Score|CosineDPM).*",
    "safety_checker": ".*",
    "feature_extractor": ".*",
    "image_encoder": ".*",
}
"""What a folder may be made of, and the classes of its parts."""
FEW_STEPS = ("LCMScheduler", "TCDScheduler")
OTHER_PIPELINES = r"XL|StableDiffusion3|Pix2Pix|LDM3D|Upscale|Video|Panorama|GLIGEN"
"""Pipelines that draw in another way, from parts of the same classes."""
ARCHITECTURE = r"stable-diffusion-v1[^/]*"
YAML_TARGETS = {
    (): r".*\.Latent(Inpaint|Finetune)?Diffusion",
    ("params", "unet_config"): r".*UNetModel",
    ("params", "first_stage_config"): r".*\.AutoencoderKL\w*",
    ("params", "cond_stage_config"): r".*FrozenCLIPEmbedder\w*",
}
"""The classes that a `.yaml` may name, by where below `model` it does."""
YAML_SETTINGS = {
    "parameterization": "prediction_type",
    "linear_start": "beta_start",
    "linear_end": "beta_end",
    "timesteps": "num_train_timesteps",
    "given_betas": "trained_betas",
    "scale_factor": "scaling_factor",
    "rescale_betas_zero_snr": "rescale_betas_zero_snr",
    "zero_terminal_snr": "rescale_betas_zero_snr",
}
YAML_BETAS = {"linear": "scaled_linear", "sqrt_linear": "linear"}
"""What CompVis calls the schedules of beta."""
LONGEST_YAML = 100_000
SMALLEST, LARGEST = 64, 8192
"""Pixels of a side that can be drawn."""
MOST_TIMESTEPS = 100_000


def said_by_file(
    path: Path, metadata: Mapping[str, str], names: Collection[str]
) -> dict[str, Any]:
    """Return what a single file says of itself; what is nearer to the user wins.

    Raises:
        CheckpointError: it says that it is of a kind that is not supported.
    """
    return {
        **said_by_metadata(path, metadata),
        **(
            {"prediction_type": "v_prediction"}
            if {"v_pred", "vpred"} & {*names}
            else {}
        ),
        **({"rescale_betas_zero_snr": True} if {"ztsnr", "zsnr"} & {*names} else {}),
        **said_by_yaml(path.with_suffix(".yaml")),
    }


def said_by_metadata(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Read what safetensors say of themselves (the `modelspec` and kohya's names)."""
    said: dict[str, Any] = {}
    family = metadata.get("modelspec.architecture")
    if family and not re.fullmatch(ARCHITECTURE, family.strip(), re.IGNORECASE):
        raise CheckpointError(
            f"'{path}' says that it is a '{family}' (modelspec.architecture); only "
            "checkpoints of 'stable-diffusion-v1' are supported."
        )
    if predicts := metadata.get("modelspec.prediction_type"):
        said["prediction_type"] = prediction(predicts)
    if layer := metadata.get("modelspec.encoder_layer"):
        said["clip_skip"] = layer
    if is_true(metadata.get("ss_v_parameterization")):
        said["prediction_type"] = "v_prediction"
    if is_true(metadata.get("ss_zero_terminal_snr")):
        said["rescale_betas_zero_snr"] = True
    return said


def said_by_yaml(file: Path) -> dict[str, Any]:
    """Read the configuration of CompVis' code that may lie beside a single file.

    Raises:
        CheckpointError: it cannot be read, or describes another kind of model.
    """
    if not file.is_file():
        return {}
    model = _below(_yaml(file), "model")
    for place, pattern in YAML_TARGETS.items():
        target = _below(model, *place).get("target")
        if target is not None and not (
            isinstance(target, str) and re.fullmatch(pattern, target)
        ):
            raise CheckpointError(
                f"'{file}' describes another kind of model "
                f"('{shown_value(target)}'); only Stable Diffusion 1.x is supported."
            )
    params = _below(model, "params")
    said = {
        ours: params[theirs]
        for theirs, ours in YAML_SETTINGS.items()
        if params.get(theirs) is not None
    }
    if "prediction_type" in said:
        said["prediction_type"] = prediction(said["prediction_type"])
    if betas := params.get("beta_schedule"):
        known = YAML_BETAS.get(betas) if isinstance(betas, str) else None
        said["beta_schedule"] = known or shown_value(betas)
    unet = _below(params, "unet_config", "params")
    if unet.get("num_heads") not in (None, -1):
        said["num_attention_heads"] = unet["num_heads"]
    require(file, unet, {"num_head_channels": (-1,), "transformer_depth": (1,)}, FAMILY)
    encoder = _below(params, "cond_stage_config", "params")
    require(file, encoder, {"layer": ("last",), "max_length": (77,)}, FAMILY)
    return said


def native_size(path: Path) -> tuple[int, int] | None:
    """Return the width and height that a single file says it was trained at, in pixels.

    None where it says nothing that can be drawn.

    Raises:
        CheckpointError: the `.yaml` beside it cannot be read.
    """
    try:
        with safe_open(path, framework="np") as opened:
            said = (opened.metadata() or {}).get("modelspec.resolution", "")
    except (SafetensorError, OSError):
        said = ""  # another kind of file, or one that loading will refuse
    written = re.fullmatch(r"\s*(\d{1,5})\s*[x,]\s*(\d{1,5})\s*", said)
    sides = tuple(map(int, written.groups())) if written else ()
    yaml_file = path.with_suffix(".yaml")
    if yaml_file.is_file():
        side = _below(_yaml(yaml_file), "model", "params").get("image_size")
        sides = (8 * side, 8 * side) if isinstance(side, int) else sides
    if sides and all(SMALLEST <= s <= LARGEST and s % 8 == 0 for s in sides):
        return sides[0], sides[1]
    return None


def check_pipeline(file: Path, scheduler: Path) -> None:
    """Check the `model_index.json` of a folder and its scheduler, where they are.

    Raises:
        CheckpointError: the folder is made of other parts than ours.
    """
    settings = read_json(file) if file.is_file() else {}
    parts = [*settings.items()]
    if scheduler.is_file() and (kind := read_json(scheduler).get("_class_name")):
        parts.append(("scheduler", [kind]))
        if kind in FEW_STEPS:
            log.warning(
                "%s is of %s: made for few steps, such as --sampler k_lcm --steps 6 "
                "--prompt-strength 1.5.",
                scheduler,
                kind,
            )
    name = str(settings.get("_class_name", ""))
    if re.search(OTHER_PIPELINES, name):
        raise CheckpointError(
            f"'{file}' is of a {name}; only Stable Diffusion 1.x is supported."
        )
    for part, made_of in parts:
        if part.startswith("_") or not isinstance(made_of, list) or not any(made_of):
            continue
        if not re.fullmatch(COMPONENTS.get(part, ""), str(made_of[-1])):
            raise CheckpointError(
                f"'{file}' has {part} '{made_of[-1]}', which Stable Diffusion 1.x has "
                "not; other models are not supported."
            )


def schedule_of(where: Path, settings: Settings) -> ScheduleConfig:
    """Return the schedule that settings named as in `scheduler_config.json` make.

    Raises:
        CheckpointError: it is one that is not supported, or makes no sense.
    """
    require(where, settings, SCHEDULER, FAMILY)
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
    predicted = settings.get("prediction_type") or "epsilon"
    return ScheduleConfig(
        timesteps=int(timesteps),
        beta_start=number(where, settings, "beta_start", usual.beta_start, 0, 1),
        beta_end=number(where, settings, "beta_end", usual.beta_end, 0, 1),
        beta_schedule=settings.get("beta_schedule") or usual.beta_schedule,
        trained_betas=None if betas is None else tuple(map(float, betas)),
        zero_terminal_snr=bool(settings.get("rescale_betas_zero_snr")),
        predicts="noise" if predicted == "epsilon" else "v",
        spacing=settings.get("timestep_spacing") or usual.spacing,
        ends_clean=bool(settings.get("set_alpha_to_one")),
    )


def prediction(written: Any) -> str:
    """Return what a network predicts in the words of `scheduler_config.json`."""
    written = shown_value(written)
    plain = written.strip().lower().replace("-", "_")
    return next((name for name, ways in PREDICTIONS.items() if plain in ways), written)


def _are_betas(values: Any) -> bool:
    return (
        isinstance(values, list)
        and 2 <= len(values) <= MOST_TIMESTEPS
        and all(isinstance(v, int | float) and isfinite(v) for v in values)
        and all(0 < value < 1 for value in values)
    )


def _yaml(file: Path) -> Any:
    """Read a YAML file that names nothing to be run."""
    if file.stat().st_size > LONGEST_YAML:
        raise CheckpointError(
            f"'{file}' is too long for the description of a model; move it away."
        )
    try:
        return yaml.safe_load(file.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"'{file}' beside the checkpoint is not valid YAML ({reason}); mend it or "
            "move it away."
        ) from error


def _below(settings: Any, *names: str) -> Settings:
    for name in names:
        settings = settings.get(name) if isinstance(settings, Mapping) else None
    return settings if isinstance(settings, Mapping) else {}
