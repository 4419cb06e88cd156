"""What is done where memory is short: a ladder of measures, climbed as far as need be.

Each is the same computation in another order, and comes out the same but for rounding.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import nn

from imaginairy.device import free_bytes, let_go
from imaginairy.errors import NotEnoughMemoryError, is_short_of_memory
from imaginairy.log import log
from imaginairy.networks.config import SLICES
from imaginairy.networks.layers import while_set

T = TypeVar("T")

FEW_SLICES = 8
SHARE_OF_MEMORY = 0.5
"""How much of the free memory may be taken where it is known beforehand how much is."""
LITTLE = 2**30
"""Bytes that are taken at once at most where little is to be."""


@dataclass(frozen=True)
class Measure:
    """One way to need less memory, which takes longer."""

    how: str
    """As it is said: `computing it ...`."""
    sets: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of the layers that have them."""
    one_by_one: bool = False
    """Whether what lies along the batch is computed apart."""

    def helps(self, settable: Collection[str], batch: Sequence[Any]) -> bool:
        """Tell whether it changes anything.

        Args:
            settable: the attributes that the layers have.
        """
        if self.one_by_one:
            return bool(batch) and len(batch[0]) > 1
        return any(name in settable for name in self.sets)


LADDER = (
    Measure(f"in {FEW_SLICES} slices", {"slices": FEW_SLICES}),
    Measure("one by one", one_by_one=True),
    Measure(f"in {SLICES} slices", {"slices": SLICES}),
    Measure("in stripes", {"in_stripes": True}),
)
"""In the order in which they are taken; each is kept when the next is."""


def settable(network: nn.Module) -> Collection[str]:
    """Return which attributes of measures the layers of a network have."""
    types = {type(layer) for layer in network.modules()}
    names = {name for each in LADDER for name in each.sets}
    return {name for name in names if any(hasattr(kind, name) for kind in types)}


class Economy:
    """Computes on a device, and remembers what that took where memory was short.

    Args:
        device: where it is short of memory.
        most: bytes that it takes at once at most, where that is known beforehand and
            measures help.
    """

    def __init__(self, device: torch.device, most: int | None = None) -> None:
        self.device, self.most = device, most
        self._taken: dict[Hashable, dict[int, int]] = {}
        """For each work, how many measures it took from a size on."""
        self._settable = WeakKeyDictionary[nn.Module, Collection[str]]()
        """Which attributes of measures the layers of a network have."""

    def computed(
        self,
        work: str,
        network: nn.Module,
        compute: Callable[..., T],
        *batch: Any,
        holds: int = 0,
        climbs: bool = True,
    ) -> T:
        """Return what `compute` gives of a batch, with as many measures as it takes.

        They are kept for what is as large or larger.

        Args:
            work: what is done with what, in words; what it takes is remembered by that.
            network: what it computes with.
            batch: tensors and conditioning for each picture.
            holds: bytes that it is known to take; where they are not free, all
                measures are taken from the start.
            climbs: whether measures are taken beyond those that are known.

        Raises:
            NotEnoughMemoryError: no measure is enough.
        """
        if network not in self._settable:  # it is asked for at every step
            self._settable[network] = settable(network)
        names = self._settable[network]
        ladder = [each for each in LADDER if each.helps(names, batch)]
        size = batch[0][0].numel() if batch else 0
        known = taken = self._known(work, size)
        if not self._has_room(holds):
            taken = len(ladder)
        while taken <= len(ladder):
            try:
                result = _with(ladder[:taken], network, compute, batch)
            except (MemoryError, RuntimeError) as error:
                if not is_short_of_memory(error):
                    raise
            else:
                if taken > known:
                    self._keep(work, size, ladder[:taken])
                return result
            let_go(self.device)  # what the failed attempt held
            if not climbs:
                break
            taken += 1
        raise NotEnoughMemoryError

    def _known(self, work: Hashable, size: int) -> int:
        """Return how many measures it took so far, for what is no larger."""
        taken = self._taken.get(work, {}).items()
        return max((count for least, count in taken if least <= size), default=0)

    def _has_room(self, holds: int) -> bool:
        free = free_bytes(self.device) if holds else None
        rooms = (self.most, None if free is None else SHARE_OF_MEMORY * free)
        return all(room is None or holds <= room for room in rooms)

    def _keep(self, work: str, size: int, measures: Sequence[Measure]) -> None:
        first = work not in self._taken
        self._taken.setdefault(work, {})[size] = len(measures)
        if first:
            log.warning(
                "There is not enough memory on %s for %s at once; computing it %s.",
                self.device,
                work,
                " and ".join(each.how for each in measures),
            )


def _with(
    measures: Sequence[Measure],
    network: nn.Module,
    compute: Callable[..., T],
    batch: Sequence[Any],
) -> T:
    """Compute something with measures taken."""
    values = {name: value for each in measures for name, value in each.sets.items()}
    with while_set(network, **values) if values else nullcontext():
        if not any(each.one_by_one for each in measures):
            return compute(*batch)
        rows = (slice(number, number + 1) for number in range(len(batch[0])))
        parts: Any = [compute(*(each[row] for each in batch)) for row in rows]
        whole: Any = torch.cat(parts)
        return whole
