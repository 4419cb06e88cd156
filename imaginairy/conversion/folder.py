"""A model as a folder in the diffusers layout."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from imaginairy.conversion.metadata import metadata_of
from imaginairy.conversion.pieces import pieces_of
from imaginairy.conversion.single_file import config_of
from imaginairy.conversion.source import Source
from imaginairy.conversion.vocabularies import tokenizer_class, vocabulary_files
from imaginairy.families.family import AUTOENCODER, DENOISER, PartRow, function
from imaginairy.published.flow_schedule import SCHEDULER as FLOW_SCHEDULER
from imaginairy.published.schedule import settings_of
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.samplers.edm import EdmConfig
from imaginairy.samplers.flow import FlowConfig
from imaginairy.settings import Settings
from imaginairy.sources.layouts import CONFIG, MODEL_INDEX, SCHEDULER
from imaginairy.weights.folder import EMPTY_IS_ZEROS
from imaginairy.weights.json_file import LONGEST
from imaginairy.weights.writing import Piece, size_written, write_safetensors

NOT_KEPT = ("_name_or_path", "torch_dtype", "dtype", "quantization_config")
"""What settings say that is not so of what is written."""
CARRIED = ("*.json", "README*", "LICENSE*", "LICENCE*", "NOTICE*")
"""What else of a model's folder goes into another."""
NO_ESTIMATOR = {"depth_estimator": [None, None], "feature_extractor": [None, None]}
"""What a folder says that is led by depth, and has nothing that finds that."""
USUAL: Mapping[type[Any], Settings] = {
    ScheduleConfig: {
        "_class_name": "DDIMScheduler", "clip_sample": False, "steps_offset": 1,
    },
    EdmConfig: {"_class_name": "EDMEulerScheduler"},
    FlowConfig: {"_class_name": FLOW_SCHEDULER},
}  # fmt: skip
"""What is said of noise of each kind, where the source does not say it."""


@dataclass(frozen=True)
class FolderPlan:
    """A folder as it will be."""

    weights: Mapping[str, Sequence[Piece]]
    """The tensors of each file of weights, by its path in the folder."""
    metadata: Mapping[str, str]
    """What these say of themselves."""
    files: Mapping[str, bytes]
    """All other files."""
    unread: Sequence[str]
    """Names of tensors of the source that have no place in it."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        weights = (size_written(each, self.metadata) for each in self.weights.values())
        return sum(weights) + sum(map(len, self.files.values()))


def plan_folder(
    source: Source, dtype: torch.dtype | None, precision: str | None = None
) -> FolderPlan:
    """Plan the folder of a model; no tensor is read.

    Raises:
        CheckpointError: it cannot be written.
        DownloadError: it reads the public vocabulary, which could not be fetched.
    """
    weights: dict[str, Sequence[Piece]] = {}
    files: dict[str, bytes] = {}
    read = {}
    says = metadata_of(source, precision)
    for row in source.family.parts:
        part = source.checkpoint.parts.get(row.role)
        if part is None:
            continue
        assert row.written is not None  # see `source_of`
        naming: Any = function(row.written.folder)
        plan = pieces_of(part, naming, dtype, source.merges.get(row.role))
        weights[f"{row.folder}/{row.written.weights}"] = plan.pieces
        files[f"{row.folder}/{CONFIG}"] = as_json(settings_of_part(source, row))
        read[row.role] = plan.read
    for row in source.family.texts:
        for name, data in vocabulary_files(source, row).items():
            files[f"{row.vocabulary}/{name}"] = data
    files[SCHEDULER] = as_json(settings_of_noise(source))
    files[MODEL_INDEX] = as_json(index_of(source, json.loads(files[SCHEDULER])))
    return FolderPlan(weights, says, {**carried(source), **files}, source.unread(read))


def write_folder(
    plan: FolderPlan,
    folder: Path,
    *,
    rest: Callable[[], None],
    written: Callable[[int], None],
) -> None:
    """Write a folder as it was planned; see `write_safetensors`."""
    for name, data in plan.files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        written(len(data))
    for name, pieces in plan.weights.items():
        write_safetensors(
            folder / name, pieces, plan.metadata, rest=rest, written=written
        )


def as_json(settings: Settings) -> bytes:
    """Return settings as a file has them."""
    return (json.dumps(settings, indent=2) + "\n").encode()


def settings_of_part(source: Source, row: PartRow) -> dict[str, Any]:
    """Return what `config.json` of a part says, with what it said before."""
    settings = config_of(row, source.checkpoint.parts[row.role])
    width, height = source.size
    says = row.written is not None and row.written.says_size
    if width == height and row.role == DENOISER and says:
        settings["sample_size"] = width // source.family.grid.pixels
    if width == height and row.role == AUTOENCODER:
        settings["sample_size"] = width
    before = source.said_before(row).items()
    return {**{k: v for k, v in before if k not in NOT_KEPT}, **settings}


def settings_of_noise(source: Source) -> dict[str, Any]:
    """Return what `scheduler_config.json` says, with what it said before."""
    noise = source.checkpoint.schedule
    told = [("_class_name", x) for x in source.classes if x.endswith("Scheduler")]
    before = source.folder.scheduler if source.folder else dict(told)
    return {**USUAL[type(noise)], **before, **settings_of(noise)}


def index_of(source: Source, noise: Settings) -> dict[str, Any]:
    """Return what `model_index.json` says."""
    family, checkpoint, written = source.family, source.checkpoint, source.written
    kind = source.pipeline
    index: dict[str, Any] = {
        "_class_name": kind,
        **(NO_ESTIMATOR if kind == written.led else written.index),
        **said_before(source),
        "scheduler": ["diffusers", noise["_class_name"]],
    }
    if checkpoint.empty_negative is not None:
        index[EMPTY_IS_ZEROS] = checkpoint.empty_negative == "zeros"
    for row in family.parts:
        if row.role in checkpoint.parts:
            says = config_of(row, checkpoint.parts[row.role])
            library, name = "diffusers", says.get("_class_name")
            if row.is_text:
                library, name = "transformers", says["architectures"][0]
            index[row.folder] = [library, name]
    for row in family.texts:
        index[str(row.vocabulary)] = ["transformers", tokenizer_class(row)]
    return index


def said_before(source: Source) -> dict[str, bool]:
    """Return what a folder said of the same that this says."""
    before = source.folder.index if source.folder else {}
    said = ((name, before.get(name)) for name in source.written.index)
    return {name: value for name, value in said if isinstance(value, bool)}


def carried(source: Source) -> dict[str, bytes]:
    """Return what else lies in a model's folder and says something of it."""
    if source.folder is None:
        return {}
    found = {file for pattern in CARRIED for file in source.path.glob(pattern)}
    return {
        file.name: file.read_bytes()
        for file in sorted(found)
        if file.is_file() and file.stat().st_size <= LONGEST
    }
