"""How commands publish: every image of a plan in an output, there exactly once."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from imaginairy.cli.jobs import Plan, sized
from imaginairy.cli.output import Drawing
from imaginairy.cli.run import BAD_USE, failure_of
from imaginairy.cli.run_line import RunLine
from imaginairy.errors import BadOptionError, CannotSaveError, ImaginairyError
from imaginairy.fleet.events import Progress
from imaginairy.fleet.rows import PromptRow
from imaginairy.fleet.sinks import Published, Sink, open_sink
from imaginairy.fleet.sinks.gathering import Gathering
from imaginairy.fleet.sinks.notes import fingerprint
from imaginairy.log import log
from imaginairy.schema import ImaginePrompt
from imaginairy.whole_files import uninterrupted

if TYPE_CHECKING:
    from imaginairy.models.store import ModelStore
    from imaginairy.outcomes import Outcome


def publish(plan: Plan, drawing: Drawing, store: "ModelStore") -> None:
    """Draw what an output lacks of a plan, and publish it there.

    Raises:
        BadOptionError: two images have the same id, the output holds another under one
            of them, or cannot be used.
        ImaginairyError: images failed; raised when all others are done.
    """
    plan = replace(plan, by_id=True)
    plan.require_unique()
    with opened(drawing, plan.total) as sink:
        run = PublishedRun(plan, drawing, store, sink)
        if drawing.ray is None:
            _draw_here(run, store)
        else:
            _draw_on_ray(run, drawing.ray, store)
    run.report()


def _draw_here(run: "PublishedRun", store: "ModelStore") -> None:
    """Draw what is lacking in processes of this machine."""
    from imaginairy.cli.rates import Stopwatch
    from imaginairy.fleet.places import workers_on
    from imaginairy.fleet.processes import outcomes_of

    drawing, stopwatch = run.drawing, Stopwatch(store)
    workers = workers_on(store.device, drawing.workers, run.progress.total)
    how = workers, drawing.batch_size, stopwatch
    with (
        run.under_way(workers),
        closing(outcomes_of(run.prompts(), store, *how)) as outcomes,
    ):
        for outcome in outcomes:
            run.take(outcome)
    stopwatch.save()


def _draw_on_ray(run: "PublishedRun", address: str, store: "ModelStore") -> None:
    """Draw what is lacking on the workers of a cluster, which publish themselves."""
    from imaginairy.fleet.dispatch import MOST_TOGETHER
    from imaginairy.fleet.drawer import Drawer
    from imaginairy.fleet.places import workers_asked
    from imaginairy.fleet.publisher import Publisher
    from imaginairy.fleet.ray_cluster import connected
    from imaginairy.fleet.ray_run import Asked, RayRun
    from imaginairy.sources.own_default import VARIABLE

    if run.progress.there == run.progress.total:
        with run.under_way(workers=0):
            return
    drawing, workers = run.drawing, workers_asked(run.drawing.workers)
    drawer = Drawer(
        drawing.device, store.precision, drawing.batch_size, store.low_memory
    )
    asked = Asked(
        workers,
        is_cpu=drawing.device == "cpu",
        together=max(MOST_TOGETHER, drawing.batch_size or 1),
        variables={VARIABLE: store.locate(None).name},  # on all machines
    )
    publisher = Publisher(drawer, run.sink, drawing.provenance)
    with connected(address, workers) as cluster, run.under_way(workers=0):
        if cluster.dashboard:
            log.info("The Ray dashboard is at %s", cluster.dashboard)
        run.bad_use = False  # what failed there is told in words alone
        RayRun(cluster, publisher, run.progress, asked).draw(run.rows())


class PublishedRun:
    """Goes through the rows of a plan that an output lacks, and publishes each.

    Args:
        plan: its images go by ids.
        sink: the output.
    """

    def __init__(
        self, plan: Plan, drawing: Drawing, store: "ModelStore", sink: Sink
    ) -> None:
        self.drawing, self.sink = drawing, sink
        self._plan, self._store = plan, store
        self._done = sink.done()
        self.line = RunLine(as_json=drawing.as_json, quiet=drawing.quiet)
        self.progress = Progress(plan.total, self.line, there=self._there())
        self._gathering = Gathering(sink, self.progress.drawn)
        self._begun: deque[PromptRow] = deque()
        self.bad_use = True

    def _there(self) -> int:
        """Count the images that are there, and refuse what is there of others."""
        if not len(self._done):
            return 0
        return sum(self._done.has(row) for row in self._rows())

    def _rows(self) -> Iterator[PromptRow]:
        for job in sized(self._plan, self.drawing.size, self._store):
            yield PromptRow(job.id, job.prompt, job.place)

    def rows(self) -> Iterator[PromptRow]:
        """Yield the rows whose images are not there, each made when it is its turn."""
        return self._done.left(self._rows())

    def prompts(self) -> Iterator[ImaginePrompt]:
        """Yield the prompts of those rows; what comes of each is to be taken."""
        for row in self.rows():
            self._begun.append(row)
            yield row.prompt

    @contextmanager
    def under_way(self, workers: int) -> Iterator[None]:
        """Tell that the run begins and ends, and leave nothing unpublished behind."""
        self.progress.workers = workers
        self.progress.started(self.sink.files.shown)
        try:
            try:
                yield
            finally:
                with uninterrupted():
                    self._gathering.publish()
        finally:
            self.progress.ended()

    def take(self, outcome: "Outcome") -> None:
        """Publish what came of the first of the rows that were begun, or note why not.

        Raises:
            CannotSaveError: nothing can be published any more.
        """
        if not self._begun and isinstance(outcome, Exception):
            raise outcome  # of what makes the rows
        row = self._begun.popleft()
        try:
            if isinstance(outcome, Exception):
                raise outcome
            provenance = self.drawing.provenance
            drawn = Published.of(row, outcome, self.sink.extension, provenance)
        except Exception as error:
            self._failed(row, error)
            return
        with uninterrupted():
            self._gathering.add(drawn)

    def _failed(self, row: PromptRow, error: Exception) -> None:
        failure = failure_of(error)
        if failure is None or isinstance(error, CannotSaveError | OSError):
            raise error
        self.bad_use &= isinstance(error, BAD_USE)
        self.sink.failed(row.id, failure.message, 1, fingerprint(row.prompt))
        self.progress.failed(row.id, failure.message)

    def report(self) -> None:
        """Raise an error that sums up what failed, if anything did."""
        failed, total = self.progress.failed_now, self.progress.total
        if not failed:
            return
        words = (
            f"{failed} of {total} images could not be generated; what is wrong is said "
            "above"
        )
        if not self.progress.done and self.bad_use:
            raise BadOptionError(f"{words}.")
        raise ImaginairyError(
            f"{words}, and the same command tries them again; the others are published."
        )


@contextmanager
def opened(drawing: Drawing, pictures: int) -> Iterator[Sink]:
    """Open the output of a command, and leave it in order.

    Args:
        pictures: how many there will be.
    """
    sink = open_sink(
        str(drawing.output),
        drawing.output_kind,
        extension=drawing.extension,
        pictures=pictures,
    )
    try:
        yield sink
    finally:
        with uninterrupted():
            sink.finish()
