"""A model taken apart: of which family, whose tensors, what settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.families.family import (
    AUTOENCODER,
    DENOISER,
    EmptyNegative,
    Family,
    Header,
    PartRow,
)
from imaginairy.families.table import FAMILIES, family_of
from imaginairy.log import log
from imaginairy.models.declared import (
    INDEX,
    check_pipeline,
    empty_negative,
    said_by_file,
    said_by_name,
    said_of_parts,
)
from imaginairy.models.given_texts import (
    Asked,
    GivenText,
    files_of,
    texts_placed,
    words_of,
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
from imaginairy.models.reading import read_part, read_schedule, vocabularies_read
from imaginairy.published.schedule import PREDICTIONS
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.samplers.prediction import NoiseConfig
from imaginairy.settings import Settings, Whole, read, shown_value
from imaginairy.sources.layouts import CONFIG, SCHEDULER
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
    given: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """The files of the text encoders that it was given, by what was asked for."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All of its files."""
        return (*self.weight_files, *chain.from_iterable(self.given.values()))


def read_checkpoint(
    path: Path,
    *,
    half: bool = False,
    known: Settings | None = None,
    beside: Sequence[Path] = (),
    texts: Sequence[Asked] = (),
    alone: bool = False,
) -> Checkpoint:
    """Open a model in a single file, or in a folder in the diffusers layout.

    Args:
        half: prefer the fp16 files where a folder holds both.
        known: of its noise, where it does not say so itself; as in
            `scheduler_config.json`.
        beside: files of the parts that a single file lacks.
        texts: text encoders that take the place of its own, or of those that it lacks.
        alone: of a file, its network that draws will do; no others are looked for.

    Raises:
        CheckpointError: the path holds no model of a family that is known, or a broken
            one.
    """
    if path.is_dir():
        return read_folder(ModelFolder(path, half=half), known, texts)
    opened = open_weights(path)
    return read_opened(path, opened, known, beside, texts, alone=alone)


def read_opened(
    path: Path,
    opened: Tensors,
    known: Settings | None = None,
    beside: Sequence[Path] = (),
    texts: Sequence[Asked] = (),
    *,
    alone: bool = False,
) -> Checkpoint:
    """Tell the parts of a model in a file that is open; see `read_checkpoint`."""
    family, whole, outside = family_of_file(opened)
    if family is None:
        raise CheckpointError(why_no_file(path, opened))
    try:
        refuse_named(path, family, whole)
        if alone:
            return _read_as(family, path, whole, outside, known or {})
        given = _texts_of_file(path, family, whole, texts) if texts else {}
        whole = with_parts_beside(path, family, whole, beside, given)
        refuse_lacking(path, family, whole, given)
        return _read_as(family, path, whole, outside, known or {}, given)
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
    given: Mapping[str, GivenText] = MappingProxyType({}),
) -> Checkpoint:
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
    parts |= {role: each.part for role, each in given.items()}
    texts = [parts[row.role] for row in family.texts if row.role in parts]
    layers = min((text.config.layers for text in texts), default=1)
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
        vocabularies=places | words_of(given),
        given=files_of(given),
    )


def _texts_of_file(
    path: Path, family: Family, whole: Tensors, texts: Sequence[Asked]
) -> dict[str, GivenText]:
    """Return the text encoders that the model of a file is given, by role."""
    said = said_by_file(path, whole, family)
    own = parts_of_file(path, family, whole, said)
    says = said_of_parts(path, whole)
    has = {
        row.role: (own[row.role], says.get(row.folder, {}))
        for row in family.texts
        if row.role in own
    }
    return texts_placed(path, family, has, texts)


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


def read_folder(
    folder: ModelFolder, known: Settings | None = None, texts: Sequence[Asked] = ()
) -> Checkpoint:
    """Open a model in a folder in the diffusers layout."""
    path, family = folder.path, family_of(header_of_folder(folder))
    if family is None:
        raise CheckpointError(why_no_folder(folder))
    own = {
        row.role: (_part_of_folder(folder, family, row), folder.settings(row.folder))
        for row in family.texts
        if texts and folder.has_weights(row.folder)
    }
    given = texts_placed(path, family, own, texts, half=folder.half)
    rows = [
        row
        for row in family.parts
        if row.role not in given
        if row.role != AUTOENCODER or folder.has_weights(row.folder)
    ]
    tensors = {row.role: folder.tensors(row.folder, family.folders) for row in rows}
    words = {row.role: path / str(row.vocabulary) for row in family.texts}
    checkpoint = Checkpoint(
        family,
        {row.role: _part_of_folder(folder, family, row) for row in rows}
        | {role: each.part for role, each in given.items()},
        schedule=read_schedule(
            path / SCHEDULER, family, {**(known or {}), **folder.scheduler}
        ),
        empty_negative=empty_negative(folder.index, family),
        weight_files=tuple(file for each in tensors.values() for file in each.files),
        vocabularies={k: v for k, v in words.items() if k not in given or v.is_dir()}
        | words_of(given),
        given=files_of(given),
    )
    check_pipeline(folder, family)
    return checkpoint


def _part_of_folder(folder: ModelFolder, family: Family, row: PartRow) -> Part:
    where = folder.path / row.folder / CONFIG
    tensors = folder.tensors(row.folder, family.folders)
    settings = folder.settings(row.folder)
    return read_part(folder.path, family, row, tensors, settings, where)


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
