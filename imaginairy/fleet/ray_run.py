"""A run on a Ray cluster: rows to pictures, whatever becomes of its workers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from imaginairy.errors import (
    BadOptionError,
    CannotSaveError,
    ImaginairyError,
    in_words,
)
from imaginairy.fleet.dispatch import MOST_TOGETHER, Dispatch, GivenUp
from imaginairy.fleet.events import Progress
from imaginairy.fleet.publisher import (
    HasFailed,
    IsDrawn,
    IsThere,
    Publisher,
    Report,
    said,
)
from imaginairy.fleet.ray_cluster import Cluster, Place, places, require_same
from imaginairy.fleet.ray_worker import RayWorker
from imaginairy.fleet.rows import PromptRow
from imaginairy.fleet.sinks.notes import fingerprint
from imaginairy.fleet.surroundings import Surroundings
from imaginairy.fleet.tries import TRIES
from imaginairy.log import log

LOOK_EVERY_S = 5.0
"""How often it is looked how large the cluster is by now."""
PATIENCE_S = 30.0
"""After how long it is said that no worker has come."""
CLOSE_S = 60.0
"""How long workers may take to end."""
FALSE_STARTS = 3
"""How many workers in a row may fail to start."""


@dataclass(frozen=True)
class Asked:
    """How a run is asked to use a cluster."""

    workers: int | None = None
    """How many; None takes as many as there is room for."""
    threads: int | None = None
    """CPUs of each worker that has no GPU; None takes a few."""
    is_cpu: bool = False
    """Whether GPUs are left alone."""
    together: int = MOST_TOGETHER
    """Prompts that a worker is given at once."""
    tries: int = TRIES
    """How often a prompt may fail."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Set in the workers' processes, besides those of ours that are set here."""


@dataclass(eq=False)
class Hand:
    """A worker as the run knows it."""

    actor: Any
    awaited: Any
    """What it is about to say; nothing where it has nothing to do."""
    host: str = ""
    """Its machine, once it is there."""
    process: int = 0
    """Its process on that machine."""

    @property
    def is_there(self) -> bool:
        return bool(self.host)


class RayRun:
    """Hands rows out to the workers of a cluster until all are published or given up.

    Args:
        cluster: where they work.
        publisher: what each of them is.
        progress: is told what comes of each row.
        asked: how many there are, and how they are used.
    """

    def __init__(
        self,
        cluster: Cluster,
        publisher: Publisher,
        progress: Progress,
        asked: Asked | None = None,
    ) -> None:
        self.ray, self.publisher, self.progress = cluster.ray, publisher, progress
        self.asked = asked or Asked()
        self.hands: list[Hand] = []
        self.dispatch = Dispatch(())
        self._place = Place(0, 0, 0)
        self._looked = self._waits_since = monotonic() - LOOK_EVERY_S
        self._false_starts = 0

    def draw(self, rows: Iterable[PromptRow]) -> None:
        """Draw rows; one that is given up is noted, and the others go on.

        Raises:
            CannotSaveError: pictures cannot be saved any more.
            ImaginairyError: no worker can be started, or one is not like this machine.
        """
        asked = self.asked
        self.dispatch = Dispatch(rows, together=asked.together, tries=asked.tries)
        self._waits_since = monotonic()
        try:
            while not self.dispatch.is_over:
                self._engage()
                self._hand_out()
                self._hear()
            self._close()
        finally:
            for hand in self.hands:
                self.ray.kill(hand.actor)
            self.hands = []

    def _close(self) -> None:
        """Let the workers let go of their parts of the manifest."""
        closing = [hand.actor.close.remote() for hand in self.hands if hand.is_there]
        if closing:
            self.ray.wait(closing, num_returns=len(closing), timeout=CLOSE_S)

    def _engage(self) -> None:
        """Start as many workers as there is room for."""
        now = monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            asked = self.asked
            self._place = places(
                self.ray.nodes(),
                is_cpu=asked.is_cpu,
                workers=asked.workers,
                threads=asked.threads,
            )
        while len(self.hands) < max(1, self._place.workers):
            self.hands.append(self._started())

    def _started(self) -> Hand:
        place = self._place
        threads = None if place.gpus else place.cpus
        here = Surroundings.here(threads, **self.asked.variables)
        kind = self.ray.remote(RayWorker).options(
            num_cpus=place.cpus, num_gpus=place.gpus, max_restarts=0
        )
        actor = kind.remote(self.publisher, here)
        return Hand(actor, actor.hello.remote())

    def _hand_out(self) -> None:
        """Give those who have nothing to do something, as far as there is."""
        there = [hand for hand in self.hands if hand.is_there]
        self.progress.on_workers(len(there))
        for hand in there:
            if hand.awaited is not None:
                continue
            streaming = {"num_returns": "streaming"}
            if task := self.dispatch.task(hand, there):
                hand.awaited = hand.actor.draw.options(**streaming).remote(task)
            elif self.dispatch.holds(hand):
                hand.awaited = hand.actor.publish.options(**streaming).remote()

    def _hear(self) -> None:
        """Wait until somebody has something to say, and take it."""
        waiting = [hand for hand in self.hands if hand.awaited is not None]
        awaited = [hand.awaited for hand in waiting]
        ready, _ = self.ray.wait(awaited, timeout=LOOK_EVERY_S, fetch_local=False)
        for hand in waiting:
            if any(hand.awaited is each for each in ready):
                self._take(hand)
        if not ready and not any(hand.is_there for hand in self.hands):
            self._say_that_nobody_comes()

    def _take(self, hand: Hand) -> None:
        """Take what a worker has said, or that it says nothing more."""
        errors = self.ray.exceptions
        try:
            if not hand.is_there:
                self._greet(hand, self.ray.get(hand.awaited))
            else:
                self._note(hand, self.ray.get(next(hand.awaited)))
        except StopIteration:
            hand.awaited = None
            self.dispatch.done(hand)
        except errors.RayTaskError as error:
            hand.awaited = None
            for given_up in self.dispatch.broken(hand, said(error.cause)):
                self._give_up(given_up)
        except errors.RayError as error:
            self._bury(hand, error)

    def _greet(self, hand: Hand, hello: Any) -> None:
        require_same(hello.versions, hello.host)
        if not hello.sees_output:
            raise BadOptionError(
                f"The worker on {hello.host} does not see the output "
                f"'{self.publisher.sink.files.shown}'; give a folder that all machines "
                "of the cluster share, or an address such as s3://bucket/images."
            )
        hand.host, hand.process, hand.awaited = hello.host, hello.process, None
        self._false_starts = 0

    def _note(self, hand: Hand, report: Report) -> None:
        match report:
            case IsDrawn(id):
                self.dispatch.drawn(hand, id)
            case IsThere(ids, files):
                self.dispatch.published(hand, ids)
                for id, file in zip(ids, files, strict=True):
                    self.progress.drawn(id, file)
            case HasFailed(id, reason, is_unsaved):
                given_up = self.dispatch.failed(hand, id, reason)
                if given_up is not None and is_unsaved:
                    raise CannotSaveError(reason)
                self._give_up(given_up)

    def _bury(self, hand: Hand, error: Exception) -> None:
        """Take a worker off that died; another takes its place.

        Raises:
            ImaginairyError: nor could those before it start.
        """
        self.hands.remove(hand)
        self._looked -= LOOK_EVERY_S  # it may have been all of its machine
        if hand.is_there:
            log.debug("A worker on %s died: %s", hand.host, error)
            reason = f"The worker on {hand.host} that drew it died."
            self._give_up(self.dispatch.lost(hand, reason))
            return
        self._false_starts += 1
        if self._false_starts >= FALSE_STARTS:
            lines = [line.strip() for line in in_words(error).splitlines()]
            last = next((line for line in reversed(lines) if line), "it died")
            raise ImaginairyError(
                f"No worker could be started ({last.rstrip('.')}); see that imaginairy "
                "is installed on every machine of the cluster."
            ) from error

    def _give_up(self, given_up: GivenUp | None) -> None:
        if given_up is None:
            return
        row, reason, tries = given_up
        self.publisher.sink.failed(row.id, reason, tries, fingerprint(row.prompt))
        self.progress.failed(row.id, reason, tries)

    def _say_that_nobody_comes(self) -> None:
        if monotonic() - self._waits_since > PATIENCE_S:
            self._waits_since = monotonic() + 10 * PATIENCE_S
            log.warning(
                "No worker has started yet; the cluster may be busy or lack a free "
                "%s.", "GPU" if self._place.gpus else "CPU",
            )  # fmt: skip
