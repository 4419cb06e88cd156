"""A model taken apart: of which family, whose tensors, what settings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.families.family import (
    AUTOENCODER,
    DENOISER,
    EmptyNegative,
    Family,
    Header,
    PartRow,
    function,
)
from imaginairy.families.table import (
    FAMILIES,
    family_of,
    only_supported,
)
from imaginairy.log import log
from imaginairy.models.declared import (
    INDEX,
    check_pipeline,
    empty_negative,
    said_by_file,
    said_by_name,
    said_of_parts,
)
from imaginairy.models.known import (
    header_of_folder,
    refused_as,
)
from imaginairy.models.no_model import (
    refuse_lacking,
    refuse_named,
    resembles,
    why_no_file,
    why_no_folder,
)
from imaginairy.models.parts_beside import below_prefix, with_parts_beside
from imaginairy.published.naming import OtherDesignError
from imaginairy.published.schedule import PREDICTIONS
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.samplers.prediction import NoiseConfig, Prediction
from imaginairy.settings import Schema, Settings, Whole, read, shown_value
from imaginairy.sources.layouts import (
    CONFIG,
    SCHEDULER,
    has_clip_vocabulary,
)
from imaginairy.weights.assemble import Part
from imaginairy.weights.folder import ModelFolder
from imaginairy.weights.leftovers import check_leftovers, leave_aside, unwrapped
from imaginairy.weights.weightfile import Tensors, open_weights


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a model is made of."""

    family: Family
    parts: Mapping[str, Part]
    """The networks by their role; the autoencoder may be lacking."""
    schedule: NoiseConfig = field(default_factory=ScheduleConfig)
    says_prediction: bool = True
    """Whether anything beside the weights says what the network predicts."""
    weight_files: tuple[Path, ...] = ()
    clip_skip: int = 1
    """Which layer of the text encoders is used, counted from the last, which is 1."""
    empty_negative: EmptyNegative | None = None
    """What an empty negative prompt is, where it says so."""
    vocabularies: Mapping[str, Path] = field(default_factory=dict)
    """Folders with vocabularies of the model's own, by the role of who reads them."""


def read_checkpoint(
    path: Path,
    *,
    half: bool = False,
    known: Settings | None = None,
    beside: Sequence[Path] = (),
) -> Checkpoint:
    """Open a model in a single file, or in a folder in the diffusers layout.

    Args:
        half: prefer the fp16 files where a folder holds both.
        known: of its noise, where it does not say so itself; as in
            `scheduler_config.json`.
        beside: files of the parts that a single file lacks.

    Raises:
        CheckpointError: the path holds no model of a family that is known, or a broken
            one.
    """
    if path.is_dir():
        return read_folder(ModelFolder(path, half=half), known)
    return read_opened(path, open_weights(path), known, beside)


def read_opened(
    path: Path,
    opened: Tensors,
    known: Settings | None = None,
    beside: Sequence[Path] = (),
) -> Checkpoint:
    """Tell the parts of a model in a single file that is open."""
    family, whole, outside = family_of_file(opened)
    if family is None:
        raise CheckpointError(why_no_file(path, opened))
    try:
        return _read_as(family, path, whole, outside, known or {}, beside)
    except CheckpointError as error:
        if like := resembles(family, whole):
            raise CheckpointError(refused_as(path, like)) from error
        raise


def _read_as(
    family: Family,
    path: Path,
    whole: Tensors,
    outside: list[str],
    known: Settings,
    beside: Sequence[Path],
) -> Checkpoint:
    refuse_named(path, family, whole)
    whole = with_parts_beside(path, family, whole, beside)
    refuse_lacking(path, family, whole)
    leave_aside(path, outside)
    prefixes = tuple(row.prefix for row in family.parts)
    markers = [name for marker in family.markers for name in marker.read]
    owned = (*prefixes, *family.owned)
    check_leftovers(path, whole.shapes, prefixes, owned, markers)
    said = said_by_file(path, whole, family)
    if news := {k: v for k, v in said.items() if not _is_usual(family, k, v)}:
        pairs = ", ".join(f"{k} {shown_value(value)}" for k, value in news.items())
        log.info("%s: %s, as it says of itself.", path, pairs)
    known = {**known, **said}
    if "prediction_type" not in known and (hint := said_by_name(path, family)):
        known |= hint
        log.info(
            "%s: taken to predict v, as its name says and nothing else does; "
            "--prediction noise if it does not.",
            path,
        )
    parts = parts_of_file(path, family, whole, said)
    layers = min(parts[row.role].config.layers for row in family.texts)
    places = {
        row.role: place
        for row in family.texts
        for place in vocabularies_read(path, row)
    }
    return Checkpoint(
        family,
        parts,
        schedule=read_schedule(path, family, known),
        says_prediction="prediction_type" in known,
        clip_skip=read(path, said, {"clip_skip": Whole(1, layers)}, "").get(
            "clip_skip", 1
        ),
        empty_negative=empty_negative(
            said_of_parts(path, whole).get(INDEX, {}), family
        ),
        weight_files=whole.files,
        vocabularies=places,
    )


def _is_usual(family: Family, name: str, value: Any) -> bool:
    """Tell whether a file says no more than that it predicts what its family does."""
    usual = [word for word, found in PREDICTIONS.items() if found == family.prediction]
    return name == "prediction_type" and value in usual


def parts_of_file(
    path: Path, family: Family, whole: Tensors, said: Settings
) -> dict[str, Part]:
    """Return the networks of a single file, by role.

    Args:
        said: what the file says of itself; see `said_by_file`.
    """
    own = said_of_parts(path, whole)
    return {
        row.role: read_part(
            path,
            family,
            row,
            whole.below(row.prefix),
            {
                **own.get(row.folder, {}),
                **{name: said[name] for name in row.said if name in said},
            },
            path,
        )
        for row in family.parts
        if Header(whole.shapes.copy).has(row.prefix)
    }


def vocabularies_read(path: Path, row: PartRow) -> list[Path]:
    """Return the vocabularies that lie by a single file; the last is the one read."""
    near = path.parent / str(row.vocabulary), path.parent, vocabulary_beside(path, row)
    return [place for place in near if has_clip_vocabulary(place)]


def vocabulary_beside(path: Path, row: PartRow) -> Path:
    """Return where the vocabulary lies that is of one single file alone."""
    return path.parent / f"{path.stem}.{row.vocabulary}"


def read_folder(folder: ModelFolder, known: Settings | None = None) -> Checkpoint:
    """Open a model in a folder in the diffusers layout."""
    path, family = folder.path, family_of(header_of_folder(folder))
    if family is None:
        raise CheckpointError(why_no_folder(folder))
    rows = [
        row
        for row in family.parts
        if row.role != AUTOENCODER or folder.has_weights(row.folder)
    ]
    tensors = {row.role: folder.tensors(row.folder, family.folders) for row in rows}
    checkpoint = Checkpoint(
        family,
        {
            row.role: read_part(
                path,
                family,
                row,
                tensors[row.role],
                folder.settings(row.folder),
                path / row.folder / CONFIG,
            )
            for row in rows
        },
        schedule=read_schedule(
            path / SCHEDULER, family, {**(known or {}), **folder.scheduler}
        ),
        empty_negative=empty_negative(folder.index, family),
        weight_files=tuple(file for each in tensors.values() for file in each.files),
        vocabularies={row.role: path / str(row.vocabulary) for row in family.texts},
    )
    check_pipeline(folder, family)
    return checkpoint


def family_of_file(whole: Tensors) -> tuple[Family | None, Tensors, list[str]]:
    """Tell the family of a single file.

    Returns:
        The family, the tensors without what a trainer put before all names, and the
        names of those that stand outside of that.
    """
    for family in FAMILIES:
        row = family.part(DENOISER)
        inner, outside = unwrapped(whole, row.prefix)
        if family.detect(Header(inner.shapes.copy, metadata=whole.metadata)):
            return family, inner, outside
        inner = below_prefix(whole, row) if row.comes_alone else whole
        if family.detect(Header(inner.shapes.copy, metadata=whole.metadata)):
            return family, inner, []
    return None, whole, []


def read_part(
    path: Path,
    family: Family,
    row: PartRow,
    tensors: Tensors,
    settings: Settings,
    said_in: Path,
) -> Part:
    """Read a network's size and names off its tensors.

    Args:
        settings: what is said of it.
        said_in: what said that, for messages.
    """
    published: Callable[[Tensors, Settings], Part] = function(row.published)
    said = read_settings(said_in, family, row, settings)
    with _lacking(path, family, row):
        return published(tensors, {**row.usual, **said})


def read_settings(
    where: Path, family: Family, row: PartRow, settings: Settings
) -> dict[str, Any]:
    """Return what is said of a network, as it is computed with.

    Raises:
        CheckpointError: it is not what such a network can have.
    """
    module = import_module(row.published.partition(":")[0])
    sizes: Schema = getattr(module, "SETTINGS", {})
    return read(where, settings, {**sizes, **row.settings}, family.title)


def read_schedule(where: Path, family: Family, settings: Settings) -> NoiseConfig:
    """Return the schedule that a model was trained with."""
    schedule: Callable[[Path, Settings, str, Prediction], NoiseConfig]
    schedule = function(family.schedule)
    said = {**family.noise, **settings}
    return schedule(where, said, family.title, family.prediction)


@contextmanager
def _lacking(path: Path, family: Family, row: PartRow) -> Iterator[None]:
    """Turn a tensor that is not there, or of another rank, into a sentence."""
    said = f"'{path}' holds no {row.title} of the {family.title} design"
    try:
        yield
    except KeyError as error:
        raise CheckpointError(f"{said}: the tensor {error} is missing.") from error
    except OtherDesignError as error:
        raise CheckpointError(
            f"The {row.title} of '{path}' is not of the {family.title} design, as "
            f"{error}; {only_supported()}."
        ) from error
    except (IndexError, TypeError, ValueError) as error:
        raise CheckpointError(f"{said}: a tensor has another shape ({error}).") from (
            error
        )
