"""What is told of a run of many pictures while it goes on, wherever they are drawn.

Each event is plain values, which go to a program as JSON or to people as one line.
"""

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

Event = dict[str, Any]
Tell = Callable[[Event], None]

WINDOW_S = 120.0
"""How far back the speed is measured that the time left is told by."""
LEAST_APART_S = 1.0


class Progress:
    """Counts what comes of a run, and tells of it; local workers and clusters call it.

    Args:
        total: how many pictures there are to be, those that are there included.
        tell: is told each event.
        there: how many are there already.
        workers: how many draw.
        clock: gives seconds.
    """

    def __init__(
        self,
        total: int,
        tell: Tell,
        *,
        there: int = 0,
        workers: int = 1,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.total, self.there, self.workers = total, there, workers
        self.drawn_now = self.failed_now = 0
        self._tell, self._clock = tell, clock
        self._begun = clock()
        self._marks = deque([(self._begun, 0)])

    @property
    def done(self) -> int:
        """How many pictures are there."""
        return self.there + self.drawn_now

    @property
    def per_second(self) -> float:
        """How many pictures come in a second by now."""
        at, count = self._marks[0]
        seconds = self._clock() - at
        return (self.drawn_now + self.failed_now - count) / seconds if seconds else 0.0

    @property
    def left_s(self) -> float | None:
        """How many seconds the rest takes; None while that is not known."""
        left = self.total - self.done - self.failed_now
        return left / speed if (speed := self.per_second) else None

    def started(self, output: str) -> None:
        """Tell that the run begins, and where its pictures go."""
        self._tell(
            {
                "event": "started",
                "output": output,
                "total": self.total,
                "there": self.there,
                "workers": self.workers,
            }
        )

    def drawn(self, id: str, file: str) -> None:
        """Count a picture that is published, and tell of it and of the progress."""
        self.drawn_now += 1
        self._tell({"event": "drawn", "id": id, "file": file})
        self._progressed()

    def failed(self, id: str, reason: str, tries: int = 1) -> None:
        """Count a prompt that is given up, and tell why."""
        self.failed_now += 1
        self._tell({"event": "failed", "id": id, "reason": reason, "tries": tries})
        self._progressed()

    def on_workers(self, workers: int) -> None:
        """Note that more or fewer draw now."""
        if workers != self.workers:
            self.workers = workers
            self._tell(self.progress())

    def ended(self) -> None:
        """Tell that the run is over, whatever came of it."""
        self._tell(
            {
                "event": "ended",
                "done": self.done,
                "drawn": self.drawn_now,
                "failed": self.failed_now,
                "total": self.total,
                "seconds": round(self._clock() - self._begun, 3),
            }
        )

    def progress(self) -> Event:
        """Return how far the run is."""
        left = self.left_s
        return {
            "event": "progress",
            "done": self.done,
            "total": self.total,
            "failed": self.failed_now,
            "per_second": round(self.per_second, 3),
            "left_s": None if left is None else round(left, 1),
            "workers": self.workers,
        }

    def _progressed(self) -> None:
        now = self._clock()
        if now - self._marks[-1][0] >= LEAST_APART_S:
            self._marks.append((now, self.drawn_now + self.failed_now))
            while len(self._marks) > 2 and now - self._marks[1][0] >= WINDOW_S:
                self._marks.popleft()
        self._tell(self.progress())
