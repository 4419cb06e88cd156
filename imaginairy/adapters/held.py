"""Adapters in memory, as those that are learnt are."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from imaginairy.adapters.file import Adapter
from imaginairy.adapters.scales import Scales
from imaginairy.weights.weightfile import Tensors


class Held(Tensors):
    """Tensors that are in memory; they are given as they are, not copied.

    Args:
        origin: what they are called in messages.
    """

    def __init__(self, held: Mapping[str, Tensor], origin: str) -> None:
        super().__init__(
            origin, {name: tuple(each.shape) for name, each in held.items()}
        )
        self.types = {name: each.dtype for name, each in held.items()}
        self.held = held

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    def read(self, name: str) -> Tensor:
        return self.held[name]


def held_adapter(held: Mapping[str, Tensor], origin: str) -> Adapter:
    """Return an adapter of tensors in memory, by the names that files have for them.

    What they become acts as well, where they are changed in place.
    """
    return Adapter(Path(origin), Held(held, origin), Scales())
