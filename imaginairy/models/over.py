"""A network that draws and lies by itself, over the other parts of another model."""

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.families.family import DENOISER, Header
from imaginairy.models.checkpoint import Checkpoint
from imaginairy.models.declared import said_by_file
from imaginairy.models.known import known_as, refused_as
from imaginairy.models.no_model import refuse_named
from imaginairy.models.reading import read_part, read_schedule
from imaginairy.published.schedule import PREDICTIONS
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.settings import Settings
from imaginairy.sources.layouts import CONFIG, WEIGHT_NAME, pick_weights
from imaginairy.weights.assemble import Part
from imaginairy.weights.json_file import read_json
from imaginairy.weights.leftovers import some, unexpected
from imaginairy.weights.weightfile import Tensors, open_weights

BEFORE = ("diffusion_model.", "unet.")
"""What names may begin with in the file of a network alone, beside what they begin
with in the file of a whole model."""
OTHER_NOISE = ("sigma_data", "rescale_betas_zero_snr")
"""What a file says where its network was trained with another noise than usual."""


def over(
    base: Checkpoint, path: Path, says: Settings, *, half: bool = False
) -> Checkpoint:
    """Return a model whose network that draws is that of a file, or of a folder.

    What neither shapes nor its own settings say of it is as in the model below it.

    Args:
        base: has the other parts.
        says: what else is known of the network, as in `scheduler_config.json`.
        half: prefer the fp16 file of a folder.

    Raises:
        CheckpointError: it holds no such network alone.
    """
    where = path if path.is_file() else path / CONFIG
    file, settings = (path, {}) if path.is_file() else in_folder(path, half=half)
    family, whole = base.family, open_weights(file)
    row = family.part(DENOISER)
    markers = [name for marker in family.markers for name in marker.read]
    tensors = alone(path, whole, (row.prefix, *BEFORE), markers)
    header = Header(tensors.shapes.copy, metadata=whole.metadata)
    known = known_as(header)
    if known is not None and known.kind != "UNet":
        raise CheckpointError(refused_as(path, known))
    refuse_named(path, family, tensors)
    settings = {**base.parts[DENOISER].settings, **settings}
    part = read_part(path, family, row, tensors, settings, where)
    part = replace(part, ignored=(*part.ignored, *map(re.escape, markers)))
    said = {**says, **said_by_file(path, whole, family)}
    noise = base.schedule
    predicts = PREDICTIONS.get(str(said.get("prediction_type")))
    if {*OTHER_NOISE} & {*said}:
        noise = read_schedule(path, family, said)
    elif predicts is not None and isinstance(noise, ScheduleConfig):
        noise = replace(noise, predicts=predicts)
    return replace(
        base,
        parts={**base.parts, **said_of_others(base, path, said), DENOISER: part},
        schedule=noise,
        says_prediction=predicts is not None,
        weight_files=(*whole.files, *base.weight_files),
    )


def said_of_others(base: Checkpoint, path: Path, said: Settings) -> dict[str, Part]:
    """Return the parts below of which a network's file says something.

    Such as how latents are normalised, where it was trained on those.
    """
    others = {}
    for row in base.family.parts:
        below = base.parts[row.role]
        own = {name: said[name] for name in row.said if name in said}
        if own and row.role != DENOISER:
            settings = {**below.settings, **own}
            others[row.role] = read_part(
                path, base.family, row, below.tensors, settings, path
            )
    return others


def in_folder(path: Path, *, half: bool) -> tuple[Path, dict[str, Any]]:
    """Return the weights and the settings of a folder that holds one network.

    Raises:
        CheckpointError: it holds none.
    """
    files = [file.name for file in path.iterdir() if file.is_file()]
    if not any(map(WEIGHT_NAME.fullmatch, files)):
        raise CheckpointError(
            f"'{path}' holds no weights itself; give the file or the folder of a "
            "network that draws before the '+'."
        )
    config = path / CONFIG
    settings = dict(read_json(config)) if config.is_file() else {}
    return path / pick_weights(files, "", half=half), settings


def alone(
    path: Path, whole: Tensors, starts: tuple[str, ...], known: Collection[str]
) -> Tensors:
    """Return the tensors of a network without what stands before all of their names.

    Args:
        known: names that are read for what they say.

    Raises:
        CheckpointError: there are others beside them.
    """
    for start in starts:
        if any(name.startswith(start) for name in whole.shapes):
            others = [name for name in whole.shapes if not name.startswith(start)]
            if others := unexpected(others, known):
                raise CheckpointError(
                    f"'{path}' holds more than the one network that draws "
                    f"({some(others)}); give it by itself, without '+' and another "
                    "model."
                )
            return whole.below(start)
    return whole
