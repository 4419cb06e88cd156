"""Which adapters there are in the folders, and what each says of itself.

Their headers are read and nothing else; nothing here needs torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaginairy.families.adapter_kinds import ADAPTERS, SD1_OR_2
from imaginairy.families.family import Header
from imaginairy.families.strangers import stranger
from imaginairy.models.training import readable, trigger_words
from imaginairy.sources import shelves
from imaginairy.sources.adapter_facts import Beside, beside, header_of
from imaginairy.sources.adapter_folders import files

STEERS = {"ControlNet", "T2I-Adapter"}
KINDS = {
    shelves.ADAPTERS: {kind.name for kind in ADAPTERS},
    shelves.CONTROLS: STEERS,
}
"""What may lie in the folders of each shelf."""


@dataclass(frozen=True)
class KnownAdapter:
    """A file in one of the folders."""

    name: str
    path: Path
    kind: str
    """`LoRA` and so on; nothing where its header does not say."""
    family: str
    """The title of the family that it is for; nothing where nothing says that."""
    words: tuple[str, ...]
    """What it answers to."""
    size: int
    """Bytes on disk."""

    def facts(self) -> dict[str, Any]:
        """Return all of it, for programs."""
        return {
            "name": self.name,
            "kind": self.kind or None,
            "family": self.family or None,
            "words": list(self.words),
            "size": self.size,
            "path": str(self.path),
        }


def known_adapters(
    model: Path | None = None, shelf: shelves.Shelf = shelves.ADAPTERS
) -> Iterator[KnownAdapter]:
    """Yield the adapters in the folders; whole models that lie there are left out.

    Args:
        model: the file or folder of a model, beside which others may lie.
        shelf: which kind of files is meant.
    """
    for name, path in files(model, shelf):
        shapes, said = header_of(path)
        told = stranger(Header(shapes.copy, metadata=said)) if shapes else None
        if shapes and (told is None or told.kind not in KINDS[shelf]):
            continue
        kept, family = beside(path), (told and told.family) or ""
        if family in ("", SD1_OR_2):
            family = readable(kept.base) or family
        yield KnownAdapter(
            name=name,
            path=path,
            kind=told.kind if told else "",
            family=family,
            words=words_of(kept, said),
            size=path.stat().st_size,
        )


def words_of(kept: Beside, said: dict[str, str]) -> tuple[str, ...]:
    """Return what an adapter answers to: as files beside it say, or its header."""
    return tuple(map(readable, kept.words or trigger_words(said)))
