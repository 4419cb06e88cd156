"""Text encoders that a model is given: in place of its own, or of those that it lacks.

Each is a file or a folder of its own, and what it is is told by its header; those of a
whole model may be taken, too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from imaginairy.errors import CheckpointError
from imaginairy.families.family import Family, Header, PartRow
from imaginairy.families.table import FAMILIES, family_named, listed
from imaginairy.models.known import known_as
from imaginairy.models.reading import read_part, vocabularies_read
from imaginairy.settings import Settings, shown_value
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.layouts import CONFIG, has_clip_vocabulary
from imaginairy.sources.rows import HubFile, ModelRow, Packing
from imaginairy.weights.assemble import Part
from imaginairy.weights.folder import ModelFolder, weights_in
from imaginairy.weights.json_file import read_json
from imaginairy.weights.weightfile import Tensors, open_weights

Asked: TypeAlias = tuple[str, Path]
"""A text encoder as it is asked for, and where it lies."""
SIGHT = ("vision_model.", "visual_projection.")
"""What names begin with in the file of a whole CLIP that no text is read by."""
KEPT = "num_hidden_layers"
"""How many layers are used: of whatever takes the place of a network, as many as of
that."""


@dataclass(frozen=True)
class Lies:
    """A text encoder where it lies."""

    path: Path
    """What was given, for messages."""
    tensors: Tensors
    file: Path | None = None
    """The file that it lies in, where that is not a folder's."""
    settings: Settings | None = None
    """What is said of it there."""
    said_in: Path = Path()
    words: Path | None = None
    """Where its vocabulary lies, where it lies in a folder."""

    @property
    def title(self) -> str:
        """What it is told to be."""
        shapes = self.tensors.shapes
        known = known_as(Header(shapes.copy, metadata=self.tensors.metadata))
        if known and known.kind == "CLIP":
            read = {k: v for k, v in shapes.items() if not k.startswith(SIGHT)}
            known = known_as(Header(read.copy))
        return known.title if known else "a file of other weights"

    def vocabulary(self, row: PartRow) -> Path | None:
        """Return its own vocabulary; None where it brings none."""
        if self.words is not None and has_clip_vocabulary(self.words):
            return self.words
        found = vocabularies_read(self.file, row) if self.file else []
        return found[-1] if found else None


@dataclass(frozen=True)
class GivenText:
    """A text encoder in its place in a model."""

    name: str
    """As it was asked for."""
    part: Part
    vocabulary: Path | None


Own: TypeAlias = Mapping[str, tuple[Part, Settings]]
"""The text encoders that a model has itself, and what is said of them, by role."""


def texts_placed(
    path: Path, family: Family, own: Own, asked: Sequence[Asked], *, half: bool = False
) -> dict[str, GivenText]:
    """Return the text encoders that are given to a model, by role.

    Args:
        path: the model, for messages.
        half: prefer the fp16 file where a folder holds both.

    Raises:
        CheckpointError: one is none that the family reads by, or of another size than
            the one whose place it is to take, or two are for one place.
    """
    placed: dict[str, GivenText] = {}
    for name, place in asked:
        found = list(_found(place, half=half))
        fitting = [(each, rows) for each in found if (rows := _rows(family, each))]
        if not fitting:
            raise CheckpointError(_why_none(place, family, found))
        for each, rows in fitting:
            role, part = _place(path, family, own, each, rows, placed)
            row = family.part(role)
            placed[role] = GivenText(name, part, each.vocabulary(row))
    return placed


def spared(row: ModelRow) -> ModelRow:
    """Return a model without the text encoders of its own that it does not need.

    The place of these is taken by what it is given, as far as that is on this machine.

    Raises:
        CheckpointError: one that is given is broken.
    """
    packing, family = row.weights, family_named(row.family)
    given = [place for each in row.texts if (place := on_disk(each))]
    if not given or family is None or not isinstance(packing, Packing):
        return row
    found = [text for place in given for text in _found(place, half=False)]
    patterns = [part.alone for text in found for part in _rows(family, text)]
    replaced = [
        file
        for file in packing.places
        if isinstance(file, HubFile) and file.holds
        if any(re.match(pattern, file.holds) for pattern in patterns)
    ]
    return replace(row, weights=packing.without(replaced)) if replaced else row


def words_of(given: Mapping[str, GivenText]) -> dict[str, Path]:
    """Return the vocabularies that text encoders bring along, by role."""
    return {k: v.vocabulary for k, v in given.items() if v.vocabulary is not None}


def files_of(given: Mapping[str, GivenText]) -> dict[str, tuple[Path, ...]]:
    """Return the files that they lie in, by what was asked for."""
    files: dict[str, tuple[Path, ...]] = {}
    for each in given.values():
        more = (*files.get(each.name, ()), *each.part.tensors.files)
        files[each.name] = tuple(dict.fromkeys(more))
    return files


def _rows(family: Family, text: Lies) -> list[PartRow]:
    """Return what of a family a text encoder may be by what it is told to be."""
    title = text.title
    return [row for row in family.texts if row.alone and re.match(row.alone, title)]


def _place(
    path: Path,
    family: Family,
    own: Own,
    text: Lies,
    rows: Sequence[PartRow],
    placed: Mapping[str, GivenText],
) -> tuple[str, Part]:
    """Return the role of a text encoder, and how it is read there."""
    parts = {row.role: _part(text, family, row, own) for row in rows}
    fitting = [role for role, part in parts.items() if _agrees(part, own.get(role))]
    if not fitting:
        role, part = next(iter(parts.items()))
        raise CheckpointError(
            f"'{text.path}' is {text.title} {_size(part)}, and the "
            f"{family.part(role).title} of '{path}' is {_size(own[role][0])}; give one "
            "of that size."
        )
    free = next((role for role in fitting if role not in placed), None)
    if free is None:
        role = fitting[0]
        raise CheckpointError(
            f"'{placed[role].name}' and '{text.path}' are both for the "
            f"{family.part(role).title} of {family.title}; give one of them."
        )
    return free, parts[free]


def _part(text: Lies, family: Family, row: PartRow, own: Own) -> Part:
    said: Settings = text.settings or {}
    classes = said.get("architectures")
    kind = classes[0] if isinstance(classes, list) and classes else None
    if text.file and not re.fullmatch(row.classes, shown_value(kind)):
        said = {}  # of something else in that folder
    where = text.path, family, row, text.tensors
    if row.role not in own:
        return read_part(*where, said, text.said_in)
    of, usual = own[row.role]
    usual = {name: each for name, each in usual.items() if name != KEPT}
    part = read_part(*where, {**usual, **said}, text.said_in)
    if part.config.layers <= of.config.layers:
        return part
    kept = {KEPT: of.config.layers}
    return read_part(*where, {**usual, **said, **kept}, text.said_in)


def _agrees(part: Part, own: tuple[Part, Settings] | None) -> bool:
    """Tell whether a network can take the place of a model's own."""
    if own is None:
        return True
    one, other = part.config, own[0].config
    return (one.width, one.layers) == (other.width, other.layers)


def _size(part: Part) -> str:
    return f"{part.config.width} wide in {part.config.layers} layers"


def _why_none(path: Path, family: Family, found: Sequence[Lies]) -> str:
    what = listed(list(dict.fromkeys(each.title for each in found)), "and")
    takes = listed([f"its {row.title} ({row.design})" for row in family.texts], "and")
    return (
        f"'{path}' is {what}, and no text encoder that {family.title} reads by; "
        f"--text-encoder takes {takes}."
    )


def _found(path: Path, *, half: bool) -> Iterator[Lies]:
    """Yield the text encoders at a place; what is none comes as it is."""
    if not path.is_dir():
        yield from _in_file(path, path)
        return
    folder = ModelFolder(path, half=half)
    folders = dict.fromkeys(row.folder for each in FAMILIES for row in each.texts)
    there = [name for name in folders if folder.has_weights(name)]
    for name in there:
        yield Lies(
            path,
            folder.tensors(name),
            settings=folder.settings(name),
            said_in=path / name / CONFIG,
            words=path / _words_of(name),
        )
    if not there:
        yield from _in_file(path, weights_in(path, half=half))


def _in_file(path: Path, file: Path) -> Iterator[Lies]:
    opened, beside = open_weights(file), file.parent / CONFIG
    settings = read_json(beside) if beside.is_file() else {}
    if isinstance(of_text := settings.get("text_config"), Mapping):
        settings = {**settings, **of_text}
    words = file.parent.parent / _words_of(file.parent.name)
    starts = dict.fromkeys(row.prefix for each in FAMILIES for row in each.texts)
    held = [s for s in starts if any(name.startswith(s) for name in opened.shapes)]
    for start in held:
        yield Lies(path, opened.below(start), file, said_in=file)
    if not held:
        yield Lies(path, opened, file, settings, beside, words)


def _words_of(folder: str) -> str:
    """Return the folder of the vocabulary that goes with one of a text encoder."""
    return folder.replace("text_encoder", "tokenizer", 1)
