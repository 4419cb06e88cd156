"""What models say of themselves, read without their weights and never fetched."""

from collections.abc import Collection, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import torch

from imaginairy.families.table import family_named
from imaginairy.models.checkpoint import Checkpoint
from imaginairy.models.given_texts import spared
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.store import ModelStore
from imaginairy.models.weightless import Weightless
from imaginairy.sizes import USUAL_SCALE
from imaginairy.sources import hub
from imaginairy.sources.drawing_rows import VOCABULARIES
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.roles import DRAWS, VAE
from imaginairy.sources.rows import (
    HubFile,
    HubRepo,
    ModelRow,
    Packing,
    Packings,
    WebFile,
)


def is_to_fetch(row: ModelRow) -> bool:
    """Tell whether a model is to be fetched before it can be used."""
    fetched = HubFile | HubRepo | WebFile | Packing | Packings
    away = isinstance(row.weights, fetched) and not on_disk(row)
    return away or any(map(is_to_fetch, row.texts))


class Glance(Weightless):
    """A store whose models have no weights, and that notes which are asked for.

    What settles a prompt asks it for the models that a picture takes. One beside the
    model that draws that is not on this machine is taken to be as is usual; one that
    draws has to be there, see `has`.

    Args:
        of: the store in whose place it stands.
    """

    def __init__(self, of: ModelStore) -> None:
        super().__init__(of)
        self.rows: dict[tuple[str, str], ModelRow] = {}
        """What was asked for, by role and name."""
        self.vocabularies: dict[HubFile, None] = {}
        """Those that are read beside them and are still to be fetched."""
        self._open: dict[tuple[str, ...], Checkpoint] = {}
        self._spared: dict[ModelRow, ModelRow] = {}

    def has(
        self, name: str | None, *, role: str = DRAWS, text_encoders: Sequence[str] = ()
    ) -> bool:
        """Note a model; tell whether it is there with all that it is read with.

        Args:
            text_encoders: those that it is given, where it draws.
        """
        row = self._row(role, name, text_encoders)
        self.rows[row.role, row.name] = row
        if row.over and not self.has(row.over):
            return False
        lacking = [file for file in self._vocabularies(row) if not hub.cached(file)]
        self.vocabularies |= dict.fromkeys(lacking)
        return not is_to_fetch(row) and not lacking

    def _given(self, name: str | None, text_encoders: Sequence[str]) -> ModelRow:
        row = super()._given(name, text_encoders)
        if row not in self._spared:
            self._spared[row] = spared(row)
        return self._spared[row]

    def _row(
        self, role: str, name: str | None, text_encoders: Sequence[str]
    ) -> ModelRow:
        if role == DRAWS:
            return self._given(name, text_encoders)
        return self.locate(name, role=role)

    def family_of(self, name: str | None, text_encoders: Sequence[str] = ()) -> str:
        """Return the name of a model's family; nothing where it is not known yet.

        Args:
            text_encoders: those that it is given.
        """
        row = self._row(DRAWS, name, text_encoders)
        return row.family if is_to_fetch(row) else self._opened(row).family.name

    def _vocabularies(self, row: ModelRow) -> Iterator[HubFile]:
        """Yield the public vocabularies that a model is read with."""
        if row.role != DRAWS or row.over:
            return  # one over another reads by that one's
        own: Collection[str] = ()
        family = family_named(row.family)
        if not is_to_fetch(row):
            checkpoint = self._opened(row)
            family, own = checkpoint.family, checkpoint.vocabularies
        elif not isinstance(getattr(row.weights, "lies", row.weights), HubFile | tuple):
            return  # a repository has its own
        for text in family.texts if family else ():
            if text.role not in own and text.usual_vocabulary:
                yield VOCABULARIES[text.usual_vocabulary]

    def _opened(self, row: ModelRow) -> Checkpoint:
        """Open a model once, however often it is looked at."""
        if row.called not in self._open:
            self._open[row.called] = super()._opened(row)
        return self._open[row.called]

    def _made(self, row: ModelRow, device: torch.device) -> Any:
        self.rows[row.role, row.name] = row
        if is_to_fetch(row):
            return SimpleNamespace(scale=USUAL_SCALE)
        return super()._made(row, device)

    def _decoding(self, loaded: LoadedModel, decoder: str | None) -> LoadedModel:
        if decoder is None or not self.has(decoder, role=VAE):
            return loaded
        return super()._decoding(loaded, decoder)
