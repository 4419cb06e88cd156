"""The memory that a model has to fit in on a device."""

import torch

from imaginairy.device import DEVICES
from imaginairy.memory import memory
from imaginairy.sources.fetch import packed_here
from imaginairy.sources.packings import Room
from imaginairy.sources.rows import ModelRow, Packings


def room_of(device: torch.device, *, little: bool = False) -> Room:
    """Return how much memory there is for a model on a device.

    Args:
        little: whether little of it is to be taken.
    """
    kind, machine = DEVICES.get(device.type), memory()[1]
    own = kind.own(device) if kind else None
    if own is None:
        return Room(machine, little=little)
    return Room(own, f"the device '{device}'", host=machine, little=little)


def packed_for(
    row: ModelRow, device: torch.device, *, little: bool = False
) -> ModelRow:
    """Return a model in the packing that fits a device; others as they are."""
    if not isinstance(row.weights, Packings):
        return row
    return packed_here(row, room_of(device, little=little))
