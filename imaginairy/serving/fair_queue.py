"""Whose turn it is: what several clients wait for, in an order that is fair to each."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class FairQueue(Generic[Item]):
    """Items in turn: one of each client, then the next of each.

    One who asks for much waits behind those who ask for little, and whoever comes later
    is not set behind all that others asked for before. That is start-time fair queueing
    (Goyal, Vin, Cheng 1996) with items of the same cost.
    """

    def __init__(self) -> None:
        self._turns: dict[Item, int] = {}
        self._next: dict[Hashable, int] = {}
        self._now = 0

    def __len__(self) -> int:
        return len(self._turns)

    def __contains__(self, item: Item) -> bool:
        return item in self._turns

    def __iter__(self) -> Iterator[Item]:
        """Yield items as their turns come; those of one turn as they were added."""
        return iter(sorted(self._turns, key=self._turns.__getitem__))

    def add(self, client: Hashable, item: Item) -> None:
        """Add what a client waits for."""
        turn = max(self._now, self._next.get(client, 0))
        self._turns[item], self._next[client] = turn, turn + 1

    def take(self, item: Item) -> None:
        """Take an item out whose turn it is, or that goes along with another."""
        self._now = max(self._now, min(self._turns.values()))
        del self._turns[item]
        self._next = {
            client: turn for client, turn in self._next.items() if turn > self._now
        }

    def drop(self, item: Item) -> None:
        """Leave out what nobody waits for any more; nothing where it is not there."""
        self._turns.pop(item, None)

    def back(self, item: Item) -> None:
        """Put an item back in front of all."""
        self._turns = {item: min([self._now, *self._turns.values()]), **self._turns}
