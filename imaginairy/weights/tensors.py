"""Named tensors of files, whatever kind of file it is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor


class Tensors(ABC):
    """Named tensors that lie on disk until they are asked for."""

    prefix = ""
    """What the file puts before every name."""
    metadata: Mapping[str, str] = MappingProxyType({})
    """What the file says of itself beside its tensors."""
    types: Mapping[str, torch.dtype] = MappingProxyType({})
    """In which type each tensor of a file that was opened is stored, or is unpacked
    to."""
    packed: Mapping[str, str] = MappingProxyType({})
    """How those are packed that are, such as `Q4_K`."""

    def __init__(self, origin: str, shapes: dict[str, tuple[int, ...]]) -> None:
        self.origin = origin
        """Where they are from, for messages."""
        self.shapes = shapes

    @property
    def files(self) -> tuple[Path, ...]:
        """The files they lie in."""
        return (Path(self.origin),)

    @property
    def root(self) -> "Tensors":
        """All tensors of the file that they are some of."""
        return self

    @abstractmethod
    def read(self, name: str) -> Tensor:
        """Return one tensor, in the type it is stored in, on the CPU.

        It is a `Packed` one where the file holds it so.
        """

    def rest(self) -> None:  # noqa: B027  # only mapped files have something to do
        """Give back the memory of tensors mapped from disk, until they are used again.

        They must not have been changed.
        """

    def below(self, prefix: str) -> "Tensors":
        """Return those whose names start with the prefix, without it."""
        return _Below(self, prefix)


class _Below(Tensors):
    def __init__(self, whole: Tensors, prefix: str) -> None:
        self.whole, self.start = whole, prefix
        self.prefix = whole.prefix + prefix
        self.metadata = whole.metadata
        self.types = {
            name.removeprefix(prefix): kind
            for name, kind in whole.types.items()
            if name.startswith(prefix)
        }
        self.packed = {
            name.removeprefix(prefix): how
            for name, how in whole.packed.items()
            if name.startswith(prefix)
        }
        super().__init__(
            whole.origin,
            {
                name.removeprefix(prefix): shape
                for name, shape in whole.shapes.items()
                if name.startswith(prefix)
            },
        )

    @property
    def files(self) -> tuple[Path, ...]:
        return self.whole.files

    @property
    def root(self) -> Tensors:
        return self.whole.root

    def read(self, name: str) -> Tensor:
        return self.whole.read(self.start + name)

    def rest(self) -> None:
        self.whole.rest()
