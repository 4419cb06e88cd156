"""Tensors of several files as if they lay in one, each file below a prefix."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from imaginairy.weights.tensors import Tensors


class SideBySide(Tensors):
    """Files that are parts of one model.

    Args:
        parts: the tensors of each by what is put before their names; those of the
            first are what the whole says of itself.
    """

    def __init__(self, parts: Mapping[str, Tensors]) -> None:
        self.parts = parts
        first = next(iter(parts.values()))
        self.metadata = first.metadata
        self.lies = {
            start + name: (part, name)
            for start, part in parts.items()
            for name in part.shapes
        }
        self.types = {
            start + name: kind
            for start, part in parts.items()
            for name, kind in part.types.items()
        }
        self.packed = {
            start + name: how
            for start, part in parts.items()
            for name, how in part.packed.items()
        }
        super().__init__(
            first.origin,
            {name: part.shapes[own] for name, (part, own) in self.lies.items()},
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """The files they lie in, each once."""
        each = (file for part in self.parts.values() for file in part.files)
        return tuple(dict.fromkeys(each))

    def read(self, name: str) -> Tensor:
        """Return one tensor of the file that has it."""
        part, own = self.lies[name]
        return part.read(own)

    def below(self, prefix: str) -> Tensors:
        """Return those of one of the files as they lie there; else as all do."""
        return self.parts[prefix] if prefix in self.parts else super().below(prefix)

    def rest(self) -> None:
        """Give back the memory of all files."""
        for part in self.parts.values():
            part.rest()
