"""A network that draws and lies by itself, over the other parts of another model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.families.family import DENOISER, Header
from imaginairy.models.checkpoint import Checkpoint, read_part
from imaginairy.models.declared import said_by_metadata
from imaginairy.models.known import known_as, refused_as
from imaginairy.published.schedule import PREDICTIONS
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.sources.layouts import CONFIG, WEIGHT_NAME, pick_weights
from imaginairy.weights.json_file import read_json
from imaginairy.weights.leftovers import some, unexpected
from imaginairy.weights.settings import Settings
from imaginairy.weights.weightfile import Tensors, open_weights

BEFORE = ("diffusion_model.", "unet.")
"""What names may begin with in the file of a network alone, beside what they begin
with in the file of a whole model."""


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
    file, settings = (path, {}) if path.is_file() else in_folder(path, half=half)
    family, whole = base.family, open_weights(file)
    row = family.part(DENOISER)
    tensors = alone(path, whole, (row.prefix, *BEFORE))
    header = Header(tensors.shapes.copy, metadata=whole.metadata)
    known = known_as(header)
    if known is not None and known.kind != "UNet":
        raise CheckpointError(refused_as(path, known))
    settings = {**base.parts[DENOISER].settings, **settings}
    part = read_part(path, family, row, tensors, settings)
    said = {**says, **said_by_metadata(path, whole.metadata, family)}
    noise = base.schedule
    predicts = PREDICTIONS.get(str(said.get("prediction_type")))
    if predicts is not None and isinstance(noise, ScheduleConfig):
        noise = replace(noise, predicts=predicts)
    return replace(
        base,
        parts={**base.parts, DENOISER: part},
        schedule=noise,
        says_prediction=predicts is not None,
        weight_files=(*whole.files, *base.weight_files),
    )


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


def alone(path: Path, whole: Tensors, starts: tuple[str, ...]) -> Tensors:
    """Return the tensors of a network without what stands before all of their names.

    Raises:
        CheckpointError: there are others beside them.
    """
    for start in starts:
        if any(name.startswith(start) for name in whole.shapes):
            others = [name for name in whole.shapes if not name.startswith(start)]
            if others := unexpected(others, ()):
                raise CheckpointError(
                    f"'{path}' holds more than the one network that draws "
                    f"({some(others)}); give it by itself, without '+' and another "
                    "model."
                )
            return whole.below(start)
    return whole
