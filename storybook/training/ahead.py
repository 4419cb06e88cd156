"""Batches drawn ahead by other processes, where a GPU would have to wait for them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader

from storybook import settings

T = TypeVar("T")
READY = 4
"""Batches that each helper has ready."""


class Drawn:
    """What PyTorch's loader takes for a data set: the batch of each step."""

    def __init__(self, draw: Callable[[int], Any], steps: Sequence[int]) -> None:
        self.draw = draw
        self.steps = steps

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, place: int) -> Any:
        return self.draw(self.steps[place])


def drawn_ahead(
    draw: Callable[[int], T], steps: Sequence[int], helpers: int
) -> Iterator[T]:
    """Yield the batch of every step, in order; so many helpers draw them.

    With helpers `draw` has to be of a kind that can be sent to another process.
    """
    if not helpers:
        hand = sent if settings.REHEARSAL else as_it_is
        draw = hand(draw)
        for step in steps:
            yield hand(draw(step))
        return
    yield from DataLoader(
        Drawn(draw, steps),
        batch_size=None,
        collate_fn=as_it_is,
        num_workers=helpers,
        prefetch_factor=READY,
        multiprocessing_context="spawn",
        worker_init_fn=use_one_thread,
    )


def sent(thing: T) -> T:
    """Return what another process would get, so that a rehearsal needs none for it."""
    received: T = pickle.loads(pickle.dumps(thing))
    return received


def as_it_is(batch: T) -> T:
    """Change nothing."""
    return batch


def use_one_thread(_helper: int) -> None:
    """Leave the other cores to the other helpers."""
    torch.set_num_threads(1)
