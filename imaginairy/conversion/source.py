"""The model that is converted, as it lies there, and what becomes of its parts."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from imaginairy.conversion.pieces import Change
from imaginairy.errors import CheckpointError
from imaginairy.families.family import (
    AUTOENCODER,
    DENOISER,
    Family,
    PartRow,
    WrittenModel,
    function,
)
from imaginairy.models.checkpoint import Checkpoint
from imaginairy.models.declared import DRAWN_BY
from imaginairy.models.drawing import usual_latents
from imaginairy.models.given_texts import spared
from imaginairy.models.loading import opened, require_grid
from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.models.vae import is_tiny, vae_part
from imaginairy.samplers.prediction import Prediction
from imaginairy.settings import Settings, shown_value
from imaginairy.sources import few_steps
from imaginairy.sources.fetch import fetch, packed_here
from imaginairy.sources.layouts import MODEL_INDEX
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS, TEXT_ENCODER, VAE
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.assemble import HALVES
from imaginairy.weights.folder import ModelFolder
from imaginairy.weights.weightfile import Tensors

POSITIONS = (".position_ids", ".num_batches_tracked")
"""What the names of numbers end with that are the same in all files."""
Merges = Mapping[str, Mapping[str, Change]]
"""What becomes of the layers of networks, by their role."""


@dataclass(frozen=True)
class Source:
    """A model, open."""

    row: ModelRow
    path: Path
    """Its file or folder."""
    checkpoint: Checkpoint
    merges: Merges = field(default_factory=dict)
    merged: tuple[str, ...] = ()
    """What is merged into it, in words."""
    files: tuple[Path, ...] = ()
    """All files that are read, which are not written over."""

    @property
    def family(self) -> Family:
        """What kind of model it is."""
        return self.checkpoint.family

    @property
    def written(self) -> WrittenModel:
        """What models of its family say of themselves where they are written."""
        written = self.family.written
        assert written is not None  # see `source_of`
        return written

    @property
    def title(self) -> str:
        """What it is called where it does not call itself anything."""
        name = Path(self.row.name).name if self.path.exists() else self.row.name
        return name.removesuffix(self.path.suffix) if self.path.is_file() else name

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures that it was trained at."""
        return self.row.defaults.native_size

    @cached_property
    def folder(self) -> ModelFolder | None:
        """Its folder, where it lies in one of the diffusers layout."""
        is_whole = (self.path / MODEL_INDEX).is_file()
        return ModelFolder(self.path) if is_whole else None

    @property
    def pipeline(self) -> str:
        """What `model_index.json` calls what draws with it."""
        before = self.folder.index.get("_class_name") if self.folder else None
        if before or self.row.refers:
            return before or self.written.refers
        channels = self.family.grid.channels
        more = self.checkpoint.parts[DENOISER].config.in_channels - channels
        written = self.written
        others = {0: written.pipeline, 1: written.led, channels: written.edits}
        return others.get(more, written.inpaints)

    @cached_property
    def classes(self) -> list[str]:
        """Those of diffusers' that it is drawn with, as far as they tell its kind."""
        named = self.metadata.get(DRAWN_BY, "").split(", ")
        if self.folder:
            kinds = self.folder.index, self.folder.scheduler
            named = [shown_value(each.get("_class_name")) for each in kinds]
        elif self.row.refers:
            named = [self.pipeline]
        return [x for x in named if few_steps.told(self.family.name, (), [x])]

    def said_before(self, row: PartRow) -> Settings:
        """Return what `config.json` of a part says, where the part is its own."""
        own = self.checkpoint.weight_files
        is_own = {*self.checkpoint.parts[row.role].tensors.files} <= {*own}
        return self.folder.settings(row.folder) if self.folder and is_own else {}

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file of the network that draws says of itself."""
        return self.checkpoint.parts[DENOISER].tensors.metadata

    def unread(self, read: Mapping[str, Collection[str]]) -> list[str]:
        """Name the tensors of its files that nothing is made of.

        Args:
            read: names of those that something is, by the role of their network.
        """
        parts = self.checkpoint.parts
        roots = {id(part.tensors.root): part.tensors.root for part in parts.values()}
        return [name for root in roots.values() for name in self._unread_in(root, read)]

    def _unread_in(
        self, root: Tensors, read: Mapping[str, Collection[str]]
    ) -> Iterator[str]:
        known: set[str] = set()
        elsewhere: list[str] = []
        for row in self.family.parts:
            part = self.checkpoint.parts.get(row.role)
            if part is None or part.tensors.root is not root:
                elsewhere.append(row.prefix)
            else:
                known |= {part.tensors.prefix + name for name in read[row.role]}
        for marker in self.family.markers:
            known |= {*marker.read}
        for name in root.shapes:
            others = name.startswith(tuple(elsewhere)) or name.endswith(POSITIONS)
            if name not in known and not others:
                yield name


def source_of(
    name: str | None, text_encoders: Sequence[str] = (), *, alone: bool = False
) -> Source:
    """Open a model by its name, its path or `owner/repo`.

    Args:
        text_encoders: those to give it in place of its own, or as it lacks them.
        alone: its network that draws will do.

    Raises:
        UnknownModelError: nothing goes by that name.
        CheckpointError: it is broken, unsafe, or of no family that can be written.
        DownloadError: it could not be fetched.
    """
    texts = tuple(locate(TEXT_ENCODER, each) for each in text_encoders)
    row = replace(locate(DRAWS, name), texts=texts)
    checkpoint = opened(row, alone=alone)
    family = checkpoint.family
    if family.written is None or not all(part.written for part in family.parts):
        raise CheckpointError(
            f"'{row.name}' is of {family.title}, models of which cannot be converted."
        )
    row = spared(packed_here(with_own_defaults(row)))
    given = checkpoint.given.values()
    names = [f"the text encoder {Path(each.name).name}" for each in texts]
    files = (*checkpoint.weight_files, *chain.from_iterable(given))
    return Source(row, fetch(row), checkpoint, merged=tuple(names), files=files)


def settled(source: Source) -> Source:
    """Return a model that says what its network predicts, which may have to be asked.

    What is written is to say it, as not everybody asks.
    """
    checkpoint, family = source.checkpoint, source.family
    if checkpoint.says_prediction or not family.unsaid:
        return source
    unet = checkpoint.parts[DENOISER].load(
        torch.device("cpu"), torch.float32, as_stored=HALVES
    )
    predicts: Prediction = function(family.unsaid)(unet, family.grid.channels)
    noise: Any = checkpoint.schedule
    asked = replace(noise, predicts=predicts)
    said = replace(checkpoint, schedule=asked, says_prediction=True)
    return replace(source, checkpoint=said)


def with_vae(source: Source, name: str) -> Source:
    """Return a model with another autoencoder in place of its own.

    Raises:
        UnknownModelError: nothing goes by that name.
        CheckpointError: it is none, or not for such a model.
        DownloadError: it could not be fetched.
    """
    spec, parts = locate(VAE, name), source.checkpoint.parts
    own: Any = (
        parts[AUTOENCODER].config
        if AUTOENCODER in parts
        else usual_latents(source.family)
    )
    part = vae_part(spec, source.family, own, source.row.name)
    if is_tiny(part):
        raise CheckpointError(
            f"'{spec.name}' is a tiny VAE, which no model has in place of its own; "
            "give a whole one, or generate with --fast-decode."
        )
    require_grid(spec.name, source.family, part.config)
    checkpoint = replace(source.checkpoint, parts={**parts, AUTOENCODER: part})
    return replace(
        source,
        checkpoint=checkpoint,
        merged=(*source.merged, f"the VAE {Path(spec.name).name}"),
        files=(*source.files, *part.tensors.files),
    )
