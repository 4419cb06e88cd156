"""What a network computed of some pictures and may use again for the same ones."""

from collections.abc import Hashable

import torch
from torch import Tensor

DEEP = "deep"
"""What comes up from deep in a network to the blocks nearest to the picture."""


class Kept:
    """Tensors for each picture of a batch, by what they are of.

    Picked by batch index it holds the same of fewer pictures, so that what was computed
    of all together is there for each of them alone, and the other way round.

    Args:
        pictures: how many there are.
        outer: how many blocks of a network, those nearest to the picture, are computed
            anew where what comes from deeper is there already; 0 keeps nothing of that.
    """

    def __init__(self, pictures: int, *, outer: int = 0) -> None:
        self.outer = outer
        self._each: list[dict[Hashable, tuple[Tensor, int]]] = [
            {} for _ in range(pictures)
        ]

    def __getitem__(self, pictures: slice) -> "Kept":
        picked = Kept(0, outer=self.outer)
        picked._each = self._each[pictures]
        return picked

    def get(self, of: Hashable) -> Tensor | None:
        """Return what was kept, (batch, ...); None where a picture has nothing."""
        found = [each[of] for each in self._each if of in each]
        if not found or len(found) < len(self._each):
            return None
        whole, _ = found[0]
        own = [index for tensor, index in found if tensor is whole]
        if own == [*range(len(whole))] == [*range(len(found))]:
            return whole
        return torch.cat([tensor[index, None] for tensor, index in found])

    def keep(self, of: Hashable, tensor: Tensor) -> None:
        """Keep (batch, ...) in place of what was kept."""
        for index, each in enumerate(self._each):
            each[of] = tensor, index

    def forget(self, of: Hashable) -> None:
        """Let go of what was kept."""
        for each in self._each:
            each.pop(of, None)
