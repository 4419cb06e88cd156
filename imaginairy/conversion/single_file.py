"""A model as one safetensors file, in the names that training programs gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imaginairy.conversion.metadata import metadata_of, own_config
from imaginairy.conversion.pieces import Plan, pieces_of
from imaginairy.conversion.source import Source
from imaginairy.errors import CheckpointError
from imaginairy.families.family import (
    AUTOENCODER,
    DENOISER,
    Family,
    PartRow,
    function,
)
from imaginairy.models.checkpoint import Checkpoint, parts_of_file
from imaginairy.models.declared import INDEX, NOISE, said_by_file
from imaginairy.models.reading import read_schedule
from imaginairy.published.schedule import settings_of
from imaginairy.weights.assemble import Part
from imaginairy.weights.folder import EMPTY_IS_ZEROS
from imaginairy.weights.weightfile import Tensors
from imaginairy.weights.writing import Piece

ASKED = "prediction_type"


@dataclass(frozen=True)
class FilePlan:
    """A file as it will be."""

    pieces: Sequence[Piece]
    metadata: Mapping[str, str]
    unread: Sequence[str]
    """Names of tensors of the source that have no place in it."""


class Planned(Tensors):
    """The tensors of a file that is not yet written."""

    def __init__(
        self, path: Path, pieces: Sequence[Piece], metadata: Mapping[str, str]
    ) -> None:
        super().__init__(str(path), {piece.name: piece.shape for piece in pieces})
        self.pieces = {piece.name: piece for piece in pieces}
        self.types = {piece.name: piece.dtype for piece in pieces}
        self.metadata = metadata

    def read(self, name: str) -> Tensor:
        return self.pieces[name].make()


def plan_file(
    source: Source,
    path: Path,
    dtype: torch.dtype | None,
    precision: str | None = None,
    *,
    alone: bool = False,
) -> FilePlan:
    """Plan the one file of a model; no tensor is read but those that say something.

    What it is to be read as and does not follow from the tensors goes into its
    metadata.

    Args:
        path: where it will lie.
        alone: whether it is to hold the network that draws alone, see `by_itself`.

    Raises:
        CheckpointError: it cannot be written, or would be read as another model.
    """
    family = source.family
    plans = {
        row.role: part_plan(source, row, dtype)
        for row in family.parts
        if row.role in source.checkpoint.parts
        if row.role == DENOISER or not alone
    }
    pieces = [piece for plan in plans.values() for piece in plan.pieces]
    pieces += markers_of(source)
    said = metadata_of(source, precision)
    bare = Planned(path, pieces, said)
    said = {**said, **own_config(lacking(source, path, bare))}
    refuse_misread(source, path, Planned(path, pieces, said))
    read = {role: plan.read for role, plan in plans.items()}
    return FilePlan(pieces, said, [] if alone else source.unread(read))


def by_itself(plan: FilePlan, source: Source) -> FilePlan:
    """Return the plan of a file of the network that draws alone, whose names have
    nothing before them."""
    start = source.family.part(DENOISER).prefix
    named = (
        replace(piece, name=piece.name.removeprefix(start)) for piece in plan.pieces
    )
    return replace(plan, pieces=[*named], unread=[])


def part_plan(source: Source, row: PartRow, dtype: torch.dtype | None) -> Plan:
    """Plan the tensors of one network, in the names of single files."""
    assert row.written is not None  # see `source_of`
    part, changes = source.checkpoint.parts[row.role], source.merges.get(row.role)
    naming: Any = function(row.written.file)
    return pieces_of(part, naming, dtype, changes, prefix=row.prefix)


def markers_of(source: Source) -> list[Piece]:
    """Return the tensors that say something by being there.

    They are those that the source has, or else those whose family tells by them what is
    so of it and not usual.
    """
    whole = source.checkpoint.parts[next(iter(source.checkpoint.parts))].tensors.root
    named = {name for marker in source.family.markers for name in marker.read}
    if source.path.is_file() and (there := sorted(named & {*whole.shapes})):
        return [Piece.of(name, whole.read(name)) for name in there]
    told = told_of(source)
    usual = settings_of(read_schedule(source.path, source.family, {}))
    said: dict[str, Any] = {}
    pieces: dict[str, Tensor] = {}
    for marker in source.family.markers:
        fixed = {
            k: v for k, v in marker.says.items() if k not in marker.values.values()
        }
        is_new = any(said.get(k, usual.get(k)) != v for k, v in fixed.items())
        asked = source.family.unsaid and {*fixed} == {ASKED}
        if not is_new or asked or any(told.get(k) != v for k, v in fixed.items()):
            continue
        said |= marker.says
        if not {*pieces} & {*marker.names}:
            pieces |= dict.fromkeys(marker.names, torch.empty(0))
        for name, setting in marker.values.items():
            pieces[name] = torch.tensor(told[setting], dtype=torch.float64)
    return [Piece.of(name, tensor) for name, tensor in pieces.items()]


def told_of(source: Source) -> dict[str, Any]:
    """Return what can be told of a model's noise and latents, as markers tell it."""
    told = settings_of(source.checkpoint.schedule)
    parts, family = source.checkpoint.parts, source.family
    if AUTOENCODER in parts:
        told |= config_of(family.part(AUTOENCODER), parts[AUTOENCODER])
    return told


def config_of(row: PartRow, part: Part) -> dict[str, Any]:
    """Return what `config.json` says of a network."""
    assert row.written is not None  # see `source_of`
    said: dict[str, Any] = function(row.written.config)(part)
    return said


def lacking(source: Source, path: Path, bare: Tensors) -> dict[str, dict[str, Any]]:
    """Return the settings that a file would be read without, by folder."""
    family, checkpoint = source.family, source.checkpoint
    said = said_by_file(path, bare, family)
    read = parts_of_file(path, family, bare, said)
    lacks = {
        row.folder: _differing(
            config_of(row, checkpoint.parts[row.role]),
            config_of(row, read[row.role]),
            _read_names(row),
        )
        for row in family.parts
        if row.role in read
    }
    noise = settings_of(checkpoint.schedule)
    lacks[NOISE] = _differing(
        noise, settings_of(read_schedule(path, family, said)), {*noise}
    )
    if checkpoint.empty_negative is not None:
        usual = family.empty_negatives[0]
        zeros = {EMPTY_IS_ZEROS: checkpoint.empty_negative == "zeros"}
        lacks[INDEX] = zeros if checkpoint.empty_negative != usual else {}
    return lacks


def _read_names(row: PartRow) -> set[str]:
    """Name the settings of a network that are read."""
    module = import_module(row.published.partition(":")[0])
    return {*getattr(module, "SETTINGS", {}), *row.settings}


def _differing(
    said: Mapping[str, Any], other: Mapping[str, Any], names: set[str]
) -> dict[str, Any]:
    return {
        name: value
        for name, value in said.items()
        if name in names and other.get(name) != value
    }


def refuse_misread(source: Source, path: Path, planned: Tensors) -> None:
    """Check that a file is read as the model that it is made of.

    Raises:
        CheckpointError: it is not.
    """
    family: Family = source.family
    checkpoint: Checkpoint = source.checkpoint
    said = said_by_file(path, planned, family)
    parts = parts_of_file(path, family, planned, said)
    noise = read_schedule(path, family, said)
    others = [
        family.part(role).title
        for role, part in checkpoint.parts.items()
        if role in parts and parts[role].config != part.config
    ]
    if noise != checkpoint.schedule:
        others.append("noise")
    if others:
        raise CheckpointError(
            f"The {' and the '.join(others)} of '{source.row.name}' would be read as "
            "another in a single file; write a folder (--layout folder)."
        )
