"""The tasks of a run in their order: who draws which, and what came of each.

Nothing here knows processes: whoever does asks for tasks, and tells what came of them.
"""

import pickle
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imaginairy.errors import NotEnoughMemoryError, WorkerLostError
from imaginairy.fleet.messages import Came, Done, Task, Told
from imaginairy.fleet.tries import TRIES

if TYPE_CHECKING:
    from imaginairy.outcomes import Outcome
    from imaginairy.schema import ImaginePrompt

AHEAD = 3
"""How many tasks for each worker are begun, or wait, before the first is told of."""


@dataclass
class Entry:
    """Prompts that are drawn together, and what is known of them by now."""

    prompts: "Sequence[ImaginePrompt]"
    batch_size: int | None
    came: list[Came | None] = field(default_factory=list)
    """What came of each prompt."""
    told: list[list[Told]] = field(default_factory=list)
    """What an observer is told before that."""
    losses: int = 0
    """How many workers ended over them."""
    is_apart: bool = False
    """Whether they are drawn one by one, with no other worker at work."""
    is_done: bool = False
    _drawn: list[int] = field(default_factory=list)
    """Those that the present worker is still to tell of."""
    _tells: bool = True
    _again: int = 0

    def __post_init__(self) -> None:
        self.came = self.came or [None] * len(self.prompts)
        self.told = [[] for _ in self.came]

    @property
    def missing(self) -> list[int]:
        """The prompts of which nothing came yet."""
        return [index for index, came in enumerate(self.came) if came is None]

    def begin(self, number: int) -> Task:
        """Return what a worker is to draw: all again, as they were, or apart what is
        missing."""
        indices = self.missing if self.is_apart else [*range(len(self.prompts))]
        self._drawn, self._again = [*indices], 0
        self._tells = not self.is_apart or not any(self.told)
        prompts = pickle.dumps([self.prompts[index] for index in indices])
        return Task(number, indices, prompts, 1 if self.is_apart else self.batch_size)

    def tell(self, told: Told) -> None:
        """Note what an observer is told, unless it was by an earlier worker."""
        at = self._drawn[0]
        self._again += 1
        if self._tells and self.came[at] is None and self._again > len(self.told[at]):
            self.told[at].append(told)

    def take(self, came: Came, *, kept: bool = True) -> None:
        """Note what came of a prompt, unless that is to be drawn again."""
        if kept and self.came[came.index] is None:
            self.came[came.index] = came
        self._drawn, self._again = self._drawn[1:], 0


class Line:
    """The tasks of a run in their order.

    Args:
        workers: how many draw at once.
        shares_memory: whether what one worker takes, another lacks.
    """

    def __init__(self, workers: int, *, shares_memory: bool = False) -> None:
        self.workers, self.shares_memory = workers, shares_memory
        self._entries: dict[int, Entry] = {}
        self._number = 0
        self._waiting: deque[int] = deque()
        self._drawn_by: dict[Hashable, int] = {}
        self._first = 0
        self._at = self._told = 0

    @property
    def has_room(self) -> bool:
        """Whether more tasks may be added before anything is told of those."""
        return len(self._entries) < AHEAD * self.workers

    @property
    def is_empty(self) -> bool:
        """Whether everything was told of all that was added."""
        return not self._entries

    @property
    def waiting(self) -> int:
        """How many tasks other workers could begin with."""
        if not self._waiting or not self._may_begin(self._waiting[0]):
            return 0
        return 1 if self._entries[self._waiting[0]].is_apart else len(self._waiting)

    def add(self, prompts: "Sequence[ImaginePrompt]", batch_size: int | None) -> None:
        """Add prompts that are drawn together."""
        self._add(Entry(prompts, batch_size))
        self._waiting.append(self._number - 1)

    def add_outcome(self, outcome: "Outcome") -> None:
        """Add what came of a prompt already."""
        came = Came(self._number, 0, outcome)
        self._add(Entry([], 1, [came], is_done=True))

    def _add(self, entry: Entry) -> None:
        self._entries[self._number] = entry
        self._number += 1

    def _may_begin(self, number: int) -> bool:
        if not self._drawn_by:
            return True
        at_work = (self._entries[each] for each in self._drawn_by.values())
        return not (
            self._entries[number].is_apart or any(each.is_apart for each in at_work)
        )

    def next_for(self, worker: Hashable) -> Task | None:
        """Return what a worker is to draw now; None where there is nothing."""
        while self.waiting and worker not in self._drawn_by:
            number = self._waiting.popleft()
            entry = self._entries[number]
            try:
                task = entry.begin(number)
            except Exception as error:  # whatever pickling a prompt runs into
                self._give_up(number, entry.missing, _unsendable(error))
                entry.is_done = True
                continue
            self._drawn_by[worker] = number
            return task
        return None

    def take(self, worker: Hashable, message: Told | Came | Done) -> None:
        """Note what a worker tells of its task."""
        entry = self._entries.get(message.task)
        if entry is None or self._drawn_by.get(worker) != message.task:
            return
        match message:
            case Told():
                entry.tell(message)
            case Came():
                entry.take(message, kept=not self._lacks_memory(entry, message))
            case Done():
                del self._drawn_by[worker]
                self._end(message.task)

    def _lacks_memory(self, entry: Entry, came: Came) -> bool:
        """Tell whether it may be drawn once no other worker takes memory."""
        others = self.shares_memory and self.workers > 1 and not entry.is_apart
        return others and isinstance(came.outcome, NotEnoughMemoryError)

    def _end(self, number: int) -> None:
        entry = self._entries[number]
        entry.is_done = not entry.missing
        if not entry.is_done:
            entry.is_apart = True
            self._waiting.appendleft(number)

    def lost(self, worker: Hashable, how: str) -> None:
        """Note that a worker ended; what it drew is drawn by another.

        Where that happens again, each prompt is drawn by itself, so that at the third
        time the one at fault alone is given up.

        Args:
            how: what is known of its end.
        """
        number = self._drawn_by.pop(worker, None)
        if number is None:
            return
        entry = self._entries[number]
        entry.losses += 1
        if entry.losses >= TRIES and entry.missing:
            self._give_up(number, entry.missing[:1], _lost(how))
        entry.is_apart |= entry.losses >= TRIES - 1
        entry.is_done = not entry.missing
        if not entry.is_done:
            self._waiting.appendleft(number)

    def _give_up(self, number: int, indices: Sequence[int], error: Exception) -> None:
        entry = self._entries[number]
        for index in indices:
            entry.came[index] = Came(number, index, error)

    def next_told(self) -> Told | Came | None:
        """Return what is to be told next, in the order of the prompts; None where that
        is not known yet."""
        while (entry := self._entries.get(self._first)) is not None:
            if self._at < len(entry.came):
                before = entry.told[self._at]
                if self._told < len(before):
                    self._told += 1
                    return before[self._told - 1]
                if came := entry.came[self._at]:
                    self._at, self._told = self._at + 1, 0
                return came
            if not entry.is_done:
                return None
            del self._entries[self._first]
            self._first, self._at, self._told = self._first + 1, 0, 0
        return None


def _lost(how: str) -> WorkerLostError:
    return WorkerLostError(
        f"Each of {TRIES} workers that were to draw it ended before it was done "
        f"({how}); where memory is short, give fewer workers or a smaller size."
    )


def _unsendable(error: Exception) -> WorkerLostError:
    return WorkerLostError(
        f"It cannot be sent to a worker ({type(error).__name__}: {error}); draw it "
        "with one."
    )
