"""Which packing of a model is taken: the best that fits, or one that is here already.

Files are mapped, and packed weights stay packed in memory, so a model takes there what
it takes on disk. Its parts take turns: what a picture takes beside the weights finds
room where the text encoder was.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from imaginairy.memory import memory
from imaginairy.sources.rows import HubRepo, ModelRow, Packing, Packings

WORKS = 2 * 10**9
"""Bytes of a device that a usual picture takes beside the weights, about."""
SHARE = 0.9
"""How much of the memory of a machine, or of a device of it, a model may take."""
UNSAID = 16 * 10**9
"""Bytes of memory that are supposed where the system does not say how much it has."""
HERE, LITTLE = "it is on this machine", "little memory is to be taken"
"""Why one is chosen, besides how much memory there is."""


@dataclass(frozen=True)
class Room:
    """How much memory there is for a model."""

    holds: int | None
    """Bytes; None where nobody says."""
    of: str = "this machine"
    """Whose memory it is."""
    host: int | None = None
    """Bytes of the machine's memory, where the other is of a device in it."""
    little: bool = False
    """Whether little of it is to be taken."""

    @property
    def said(self) -> str:
        """How much there is, in the middle of a sentence."""
        if self.holds is None:
            return "this system does not say how much memory it has"
        return f"{self.of} has {gigabytes(self.holds)} of memory"


def room_of_machine(*, little: bool = False) -> Room:
    """Return the room of this machine's own memory."""
    return Room(memory()[1], little=little)


def fits(packing: Packing, room: Room) -> bool:
    """Tell whether a model packed in a way fits; on a device whole or part by part."""
    whole, largest = sum(packing.sizes), max(packing.sizes)
    may_take = SHARE * (UNSAID if room.holds is None else room.holds)
    if room.host is None:
        return whole <= may_take
    in_turns = largest + WORKS <= may_take and whole <= SHARE * room.host
    return in_turns or whole + WORKS <= may_take


def runs(packing: Packing, room: Room) -> bool:
    """Tell whether a model packed in a way can be drawn with, if more slowly.

    What does not fit at once is read from disk, or streamed to a device, part by part.
    """
    machine = room.holds if room.host is None else room.host
    return max(packing.sizes) <= SHARE * (machine or UNSAID)


def chosen(
    choices: Collection[Packing], room: Room, here: Collection[Packing]
) -> tuple[Packing, str]:
    """Choose the best packing that fits, one that is here and runs before all; say why.

    Args:
        choices: the best first.
        room: the memory that it has to fit in.
        here: those that are on this machine.
    """
    offered = [each for each in choices if not isinstance(each.lies, HubRepo)]
    suits = [] if room.little else [each for each in choices if fits(each, room)]
    if known := [each for each in suits if each in here]:
        return known[0], HERE
    if run := [each for each in here if room.little or runs(each, room)]:
        return min(run, key=_size), HERE
    if room.little:
        return min(offered, key=_size), LITTLE
    if new := [each for each in suits if each in offered]:
        return new[0], room.said
    why = HERE if here else "it is the smallest"
    return min(here or offered, key=_size), f"{why}, and {room.said}"


def _size(packing: Packing) -> int:
    return sum(packing.sizes)


def settled(row: ModelRow, room: Room, here: Collection[Packing]) -> ModelRow:
    """Return a model in the packing that is taken, which says why it is.

    Args:
        here: those that are on this machine.
    """
    if not isinstance(row.weights, Packings):
        return row
    choices = row.weights.choices
    packing, why = chosen(choices, room, here)
    others = (f"{row.name}:{x.name}" for x in choices if x.name != packing.name)
    size = f", {gigabytes(packing.size)}" if packing.size else ""
    said = (
        f"{row.name}: {packing.title}{size}, because {why}; "
        f"others: --model {', '.join(others)}"
    )
    return replace(row, weights=replace(packing, chosen=said))


def gigabytes(size: int) -> str:
    """Return a size of models or memory as it is said."""
    return f"{size / 1e9:.1f} GB"


def range_of(packings: Packings) -> str:
    """Say between which sizes the packings of a model lie."""
    offered = (x for x in packings.choices if not isinstance(x.lies, HubRepo))
    sizes = [*map(_size, offered)]
    return f"{min(sizes) / 1e9:.0f}-{gigabytes(max(sizes))}"
