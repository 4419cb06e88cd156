"""What a model says of itself beside its tensors: obeyed, or refused by name.

A single file speaks through its safetensors metadata, through tensors that are there
only for their names, and through a `.yaml` of its own name beside it; a folder through
its `.json` files. All of it is turned into the names of `scheduler_config.json`; what
neither its family's row nor a table here names has no part in the picture.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from imaginairy.errors import CheckpointError
from imaginairy.families.family import EmptyNegative, Family
from imaginairy.families.table import only_supported
from imaginairy.published import autoencoder, unet
from imaginairy.published.schedule import TIMESTEPS, prediction
from imaginairy.settings import Flag, Schema, Settings, is_true, read, shown_value
from imaginairy.sources.layouts import MODEL_INDEX
from imaginairy.weights.folder import EMPTY_IS_ZEROS, ModelFolder
from imaginairy.weights.weightfile import Tensors

YAML_SETTINGS = {
    "parameterization": "prediction_type",
    "beta_schedule": "beta_schedule",
    "linear_start": "beta_start",
    "linear_end": "beta_end",
    "timesteps": "num_train_timesteps",
    "given_betas": "trained_betas",
    "scale_factor": "scaling_factor",
    "rescale_betas_zero_snr": "rescale_betas_zero_snr",
    "zero_terminal_snr": "rescale_betas_zero_snr",
}
YAML_HEADS = {
    "num_heads": "num_attention_heads",
    "num_head_channels": "num_head_channels",
}
"""How a UNet's heads are told: how many each level has, or how wide each is."""
FIELDS = {**autoencoder.SETTINGS, **unet.SETTINGS, **TIMESTEPS}
YAML_SCHEMA: Schema = {
    theirs: FIELDS[ours] for theirs, ours in {**YAML_SETTINGS, **YAML_HEADS}.items()
}
"""What the same may be, by their names."""
UNET_PARAMS = ("params", "unet_config", "params")
YAML_BETAS = {"linear": "scaled_linear", "sqrt_linear": "linear"}
"""What CompVis calls the schedules of beta."""
DIGITS = re.compile(r"\s*[0-9]{1,4}\s*")
V_IN_NAME = re.compile(r"(?<![a-z])v[-_. ]?pred", re.IGNORECASE)
"""How the name of a file says that its network predicts v."""
MERGE = "tag:yaml.org,2002:merge"
LONGEST_YAML = 100_000
ARCHITECTURE = "modelspec.architecture"
OWN_CONFIG = "imaginairy.config"
"""What a file that was converted holds settings under, as JSON."""
DRAWN_BY = "imaginairy.drawn_by"
"""What it names classes of diffusers' under that tell its kind, with commas between."""
NOISE, INDEX = "scheduler", "index"
"""What stands there for `scheduler_config.json` and `model_index.json`."""


def said_by_file(path: Path, whole: Tensors, family: Family) -> dict[str, Any]:
    """Return what a single file says of itself; what is nearer to the user wins.

    Where the last timestep is noise alone it is visited, if nothing else is said: with
    the usual spacing it would not be (Lin et al. 2023, arXiv:2305.08891, section 3.3).

    Raises:
        CheckpointError: it says that it is of a kind that is not supported.
    """
    said = {
        **said_of_parts(path, whole).get(NOISE, {}),
        **said_by_metadata(path, whole.metadata, family),
        **said_by_markers(whole, family),
        **said_by_yaml(path.with_suffix(".yaml"), family),
    }
    if whole.shapes.get("scale_factor") in ((), (1,)):
        said["scaling_factor"] = whole.read("scale_factor").item()
    if said.get("rescale_betas_zero_snr"):
        said.setdefault("timestep_spacing", "trailing")
    return said


def said_of_parts(path: Path, whole: Tensors) -> Mapping[str, Settings]:
    """Return what a file that was converted says of its parts' settings, by folder.

    That is what a folder in the diffusers layout would say of them, as far as it does
    not follow from the tensors.

    Raises:
        CheckpointError: what stands there is something else.
    """
    written = whole.metadata.get(OWN_CONFIG)
    if written is None:
        return {}
    try:
        said = json.loads(written)
        own = {name: dict(settings) for name, settings in said.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"'{path}' has {OWN_CONFIG} '{shown_value(written)}' in its metadata, "
            "which holds no settings by folder; convert the model again."
        ) from error
    if INDEX in own:
        own[INDEX] = read(path, own[INDEX], {EMPTY_IS_ZEROS: Flag()}, "a model")
    return own


def said_by_markers(whole: Tensors, family: Family) -> dict[str, Any]:
    """Read tensors that are there only for their names, or for a few numbers."""
    said: dict[str, Any] = {}
    for marker in reversed(family.markers):
        if {*marker.names} <= {*whole.shapes}:
            said |= marker.says
            for name, setting in marker.values.items():
                if name in whole.shapes and (numbers := numbers_in(whole, name)):
                    said[setting] = numbers if len(numbers) > 1 else numbers[0]
    return said


def numbers_in(whole: Tensors, name: str) -> list[float]:
    """Return the numbers of a tensor."""
    numbers: list[float] = whole.read(name).flatten().tolist()
    return numbers


def said_by_metadata(
    path: Path, metadata: Mapping[str, str], family: Family
) -> dict[str, Any]:
    """Read what safetensors say of themselves (the `modelspec` and kohya's names)."""
    said: dict[str, Any] = {}
    kind = metadata.get(ARCHITECTURE)
    if kind and not re.fullmatch(family.architecture, kind.strip(), re.IGNORECASE):
        raise CheckpointError(
            f"'{path}' says that it is a '{kind}' (modelspec.architecture) and has the "
            f"names of {family.title}; {only_supported()}."
        )
    for name, pattern, follows in family.implied:
        if re.fullmatch(pattern, metadata.get(name, "").strip(), re.IGNORECASE):
            said |= follows
    if predicts := metadata.get("modelspec.prediction_type"):
        said["prediction_type"] = prediction(predicts)
    if layer := metadata.get("modelspec.encoder_layer"):
        said["clip_skip"] = int(layer) if DIGITS.fullmatch(layer) else layer
    if is_true(metadata.get("ss_v_parameterization")):
        said["prediction_type"] = "v_prediction"
    if is_true(metadata.get("ss_zero_terminal_snr")):
        said["rescale_betas_zero_snr"] = True
    return said


def said_by_name(path: Path, family: Family) -> dict[str, Any]:
    """Take the name of a single file for a hint, where the network cannot be asked."""
    if family.unsaid or not V_IN_NAME.search(path.stem):
        return {}
    return {"prediction_type": "v_prediction"}


def said_by_yaml(file: Path, family: Family) -> dict[str, Any]:
    """Read the configuration of CompVis' code that may lie beside a single file.

    Raises:
        CheckpointError: it cannot be read, or describes another kind of model.
    """
    if not file.is_file():
        return {}
    model = yaml_below(file, "model")
    for place, pattern in family.yaml_targets.items():
        target = _below(model, *place).get("target")
        if target is not None and not (
            isinstance(target, str) and re.fullmatch(pattern, target)
        ):
            raise CheckpointError(
                f"'{file}' describes another kind of model "
                f"('{shown_value(target)}'); {only_supported()}."
            )
    params, heads = _below(model, "params"), _below(model, *UNET_PARAMS)
    said = {k: params[k] for k in YAML_SETTINGS if params.get(k) is not None}
    if "parameterization" in said:
        said["parameterization"] = prediction(said["parameterization"])
    if betas := said.pop("beta_schedule", None):
        known = YAML_BETAS.get(betas) if isinstance(betas, str) else None
        said["beta_schedule"] = known or shown_value(betas)
    for name in YAML_HEADS:
        if heads.get(name) not in (None, -1):
            said[name] = heads[name]
    for place, schema in family.yaml_settings.items():
        read(file, _below(model, *place), schema, family.title)
    names = {**YAML_SETTINGS, **YAML_HEADS}
    taken = read(file, said, YAML_SCHEMA, family.title)
    return {names[theirs]: value for theirs, value in taken.items()}


def check_pipeline(folder: ModelFolder, family: Family) -> None:
    """Check what a folder says it is made of, and its scheduler.

    Raises:
        CheckpointError: it is made of other parts than its family.
    """
    file = folder.path / MODEL_INDEX
    parts: list[tuple[str, Any]] = [*folder.index.items()]
    if kind := folder.scheduler.get("_class_name"):
        parts.append(("scheduler", (shown_value(kind),)))
    classes = {
        **{part.folder: part.classes for part in family.parts},
        **family.beside,
    }
    for part, made_of in parts:
        if part.startswith("_") or not isinstance(made_of, tuple) or not any(made_of):
            continue
        if not re.fullmatch(classes.get(part, ""), str(made_of[-1])):
            raise CheckpointError(
                f"'{file}' has {part} '{made_of[-1]}', which {family.title} has not; "
                "other models are not supported."
            )


def empty_negative(index: Settings, family: Family) -> EmptyNegative | None:
    """Return what an empty negative prompt is to a model, if its index says so."""
    said = index.get(EMPTY_IS_ZEROS)
    if said is None or len(family.empty_negatives) == 1:
        return None
    return "zeros" if said else "text"


def yaml_below(file: Path, *names: str) -> Settings:
    """Read what stands at a place of a YAML file, which can name nothing to be run.

    Raises:
        CheckpointError: it is no YAML.
    """
    if file.stat().st_size > LONGEST_YAML:
        raise CheckpointError(
            f"'{file}' is too long for the description of a model; move it away."
        )
    try:
        return _below(yaml.load(file.read_bytes(), _Plain), *names)
    except Exception as error:  # of any kind, where a value is odd
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"'{file}' beside the checkpoint is not valid YAML ({reason}); mend it or "
            "move it away."
        ) from error


class _Plain(yaml.SafeLoader):  # type: ignore[misc]
    """Reads YAML without merged keys, of which a few fill any memory."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if any(key.tag == MERGE for key, _ in node.value):
            raise yaml.YAMLError("keys merged by <<")
        super().flatten_mapping(node)


def _below(settings: Any, *names: str) -> Settings:
    for name in names:
        settings = settings.get(name) if isinstance(settings, Mapping) else None
    return settings if isinstance(settings, Mapping) else {}
