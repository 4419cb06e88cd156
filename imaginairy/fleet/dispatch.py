"""Which worker draws which prompts, and what is done where one fails.

It knows no processes and no cluster: whoever runs the workers asks for their tasks and
tells what became of them. Each worker has one task at a time, so that no more is on its
way than is drawn, and prompts are read as they are needed.
"""

from collections import Counter, deque
from collections.abc import Collection, Hashable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

from imaginairy.fleet.rows import PromptRow
from imaginairy.fleet.tries import TRIES
from imaginairy.order import models_of
from imaginairy.schema import ImaginePrompt

MOST_TOGETHER = 8
"""Prompts of a task: as many as are drawn at once where there is room."""
READ_AHEAD = 16
"""Tasks for each worker that are read ahead, to lay together what is alike."""
MOST_AHEAD = 10_000
"""Prompts that are read ahead, however many workers there are."""

Task = tuple[PromptRow, ...]
Kind = tuple[Hashable, ...]
"""What prompts have in common, their models first."""
Worker = Hashable


class GivenUp(NamedTuple):
    """A prompt that failed as often as it may."""

    row: PromptRow
    reason: str
    tries: int


class Dispatch:
    """Hands prompts out to workers until each is published or given up.

    Prompts of one kind are handed out together, those of one model to a worker that has
    it loaded. One that failed is tried again alone and, as long as there is another, by
    a worker that it has not failed with.

    Args:
        rows: what is to be drawn; read as far as the workers have need of it.
        together: how many prompts make a task.
        tries: how often a prompt may fail.
    """

    def __init__(
        self,
        rows: Iterable[PromptRow],
        *,
        together: int = MOST_TOGETHER,
        tries: int = TRIES,
    ) -> None:
        self.together, self.tries = together, tries
        self._coming: Iterator[PromptRow] = iter(rows)
        self._is_read = False
        self._waiting: dict[Kind, deque[PromptRow]] = {}
        self._count = 0
        self._again: deque[PromptRow] = deque()
        self._tasks: dict[Worker, dict[str, PromptRow]] = {}
        self._held: dict[Worker, dict[str, PromptRow]] = {}
        self._loaded: dict[Worker, Hashable] = {}
        self._failures: Counter[str] = Counter()
        self._failed_with: dict[str, set[Worker]] = {}

    def task(self, worker: Worker, workers: Collection[Worker]) -> Task:
        """Return what a worker draws next; nothing where there is nothing for it now.

        Args:
            workers: all that draw now, this one among them.
        """
        task = self._once_more(worker, workers) or self._next(worker, len(workers))
        if task:
            self._tasks[worker] = {row.id: row for row in task}
            self._loaded[worker] = models_of(task[-1].prompt)
        return task

    def drawn(self, worker: Worker, id: str) -> None:
        """Note that a worker has drawn a prompt, and holds the picture."""
        self._held.setdefault(worker, {})[id] = self._tasks[worker].pop(id)

    def published(self, worker: Worker, ids: Iterable[str]) -> None:
        """Note that pictures which a worker held are where they belong."""
        for id in ids:
            row = self._held[worker].pop(id)
            self._failures.pop(row.id, None)
            self._failed_with.pop(row.id, None)

    def failed(self, worker: Worker, id: str, reason: str) -> GivenUp | None:
        """Note that a prompt failed; returns it where it is given up by that."""
        for rows in (self._tasks.get(worker, {}), self._held.get(worker, {})):
            if id in rows:
                return self._tried(worker, rows.pop(id), reason)
        raise KeyError(id)

    def done(self, worker: Worker) -> None:
        """Note that a worker is through with its task."""
        self._tasks.pop(worker, None)

    def broken(self, worker: Worker, reason: str) -> list[GivenUp]:
        """Note that a worker can do nothing more for its task, though it lives.

        Returns what is given up; what was drawn of it, it may still publish.
        """
        left = self._tasks.pop(worker, {}).values()
        tried = [self._tried(worker, row, reason) for row in left]
        return [given_up for given_up in tried if given_up is not None]

    def lost(self, worker: Worker, reason: str) -> GivenUp | None:
        """Note that a worker died; returns the prompt that is given up by that.

        What it held is drawn again, as if it had never been. As any of the prompts that
        it was at may have been the end of it, or none, each is drawn again alone, and
        one that was alone has failed by that.

        Args:
            reason: what it died of.
        """
        self._loaded.pop(worker, None)
        self._put(self._held.pop(worker, {}).values())
        task = list(self._tasks.pop(worker, {}).values())
        if len(task) == 1:
            return self._tried(worker, task[0], reason)
        self._again.extend(task)
        return None

    def holds(self, worker: Worker) -> bool:
        """Whether a worker has pictures that it has not published."""
        return bool(self._held.get(worker))

    @property
    def is_over(self) -> bool:
        """Whether every prompt is published or given up."""
        self._read(1)
        is_at_work = self._tasks or any(self._held.values())
        return not (self._count or self._again or is_at_work)

    def _tried(self, worker: Worker, row: PromptRow, reason: str) -> GivenUp | None:
        self._failures[row.id] += 1
        if self._failures[row.id] < self.tries:
            self._failed_with.setdefault(row.id, set()).add(worker)
            self._again.append(row)
            return None
        self._failed_with.pop(row.id, None)
        return GivenUp(row, reason, self._failures.pop(row.id))

    def _once_more(self, worker: Worker, workers: Collection[Worker]) -> Task:
        """Return a prompt that is tried again, by itself."""
        for row in self._again:
            before = self._failed_with.get(row.id, set())
            if worker not in before or before.issuperset(workers):
                self._again.remove(row)
                return (row,)
        return ()

    def _next(self, worker: Worker, workers: int) -> Task:
        """Return prompts of a kind, where possible of the models that are loaded."""
        self._read(min(workers * self.together * READ_AHEAD, MOST_AHEAD))
        if not self._waiting:
            return ()
        kind = max(self._waiting, key=partial(self._worth, self._loaded.get(worker)))
        waiting = self._waiting[kind]
        most = self.together
        if self._is_read:
            most = share(self._count, workers, most)
        task = tuple(waiting.popleft() for _ in range(min(most, len(waiting))))
        self._count -= len(task)
        if not waiting:
            del self._waiting[kind]
        return task

    def _worth(self, loaded: Hashable, kind: Kind) -> tuple[bool, bool, bool, int]:
        """Return what prompts of a kind are measured by, to choose those that are next.

        Other models are worth loading for as many as are drawn together.
        """
        count, is_loaded = len(self._waiting[kind]), kind[0] == loaded
        is_full = count >= self.together
        return is_full and is_loaded, is_full, is_loaded, count

    def _read(self, wanted: int) -> None:
        """Read on until so many prompts wait, or none come any more."""
        lacking = wanted - self._count
        if self._is_read or lacking <= 0:
            return
        rows = list(islice(self._coming, lacking))
        self._is_read = len(rows) < lacking
        self._put(rows)

    def _put(self, rows: Collection[PromptRow]) -> None:
        self._count += len(rows)
        for row in rows:
            self._waiting.setdefault(kind_of(row.prompt), deque()).append(row)


def share(left: int, workers: int, most: int) -> int:
    """Return how many of the last prompts a worker takes, so that all end together."""
    return max(1, min(most, left // (2 * workers)))


def kind_of(prompt: ImaginePrompt) -> Kind:
    """Return what prompts have in common that can mostly be drawn together."""
    return (
        models_of(prompt),
        (prompt.all_loras, prompt.all_hypernetworks),
        (prompt.width, prompt.height, prompt.draw_size),
        (prompt.sampler_type, prompt.steps, prompt.schedule, prompt.speed),
        (prompt.init_image is None, prompt.init_image_strength),
        len(prompt.reference_images),
        tuple(each.kind for each in prompt.controls),
        tuple(each.kind for each in prompt.image_prompts),
        prompt.best_of,
    )
