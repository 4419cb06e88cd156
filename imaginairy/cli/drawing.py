"""How commands draw: jobs to saved pictures, each told of as soon as it is there."""

import json
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from imaginairy.cli.failures import Failures
from imaginairy.cli.jobs import Job, Plan, save_compilation, save_grid, sized
from imaginairy.cli.output import Drawing, Needs, Saved
from imaginairy.log import log
from imaginairy.manifest import Manifest, identity
from imaginairy.metadata.read import read_written
from imaginairy.metadata.tags import as_json
from imaginairy.precision import PRECISIONS
from imaginairy.schema import ImaginePrompt
from imaginairy.whole_files import clear_abandoned, uninterrupted

if TYPE_CHECKING:
    from imaginairy.models.store import ModelStore
    from imaginairy.outcomes import Outcome
    from imaginairy.result import ImagineResult


class Begun(NamedTuple):
    """A job of which nothing came yet."""

    number: int
    job: Job
    identity: str | None
    """Of its picture, where the run can be resumed."""
    is_drawn: bool
    """Whether it is drawn in this run; else its picture is there already."""
    times: int = 1
    """How many jobs it stands for, where nobody is told of their pictures."""


def draw(
    plan: Plan,
    needs: Needs,
    store: "ModelStore",
    on_saved: Callable[[int, Saved], None] | None = None,
) -> None:
    """Draw and save every job of a plan, each made when it is its turn.

    A job that fails does not end the run: it is reported and the others are drawn.

    Args:
        needs: those of the plan, and how it is drawn.
        on_saved: told of each picture as soon as it is there, and which job's it is,
            in place of `tell`.

    Raises:
        ImaginairyError: jobs failed; raised when all others are done. What is known
            before drawing is refused at once, and where nothing can be saved any more,
            that is the end.
    """
    needs.require(store)
    if needs.drawing.plan:
        from imaginairy.cli.forecast import tell_plan

        tell_plan(plan, needs.drawing, store)
        return
    if needs.drawing.output is not None:
        from imaginairy.cli.publishing import publish

        publish(plan, needs.drawing, store)
        return
    with resumed(needs.drawing) as manifest:
        run = Run(plan, needs.drawing, store, manifest, on_saved)
        try:
            with closing(run.outcomes()) as outcomes:
                for outcome in outcomes:
                    run.take(outcome)
        finally:
            run.close()
    run.finish()


@contextmanager
def resumed(drawing: Drawing) -> Iterator[Manifest | None]:
    """Open the manifest of the folder for a run that can be resumed."""
    if not drawing.resume:
        yield None
        return
    from imaginairy.outputs import UNFINISHED

    clear_abandoned(drawing.outdir, UNFINISHED)  # for nothing may be left to save
    with closing(Manifest(drawing.outdir)) as manifest:
        if manifest.is_new and any(drawing.outdir.glob("[0-9]*")):
            log.info(
                "What is in '%s' was not saved with --resume, so that nothing of it is "
                "known; all images are generated.", drawing.outdir,
            )  # fmt: skip
        yield manifest


class Run:
    """Goes through the jobs of a plan and saves what comes of each."""

    def __init__(
        self,
        plan: Plan,
        drawing: Drawing,
        store: "ModelStore",
        manifest: Manifest | None = None,
        on_saved: Callable[[int, Saved], None] | None = None,
    ) -> None:
        from imaginairy.cli.preview import PreviewFile
        from imaginairy.cli.progress import ImageBar, ProgressBars
        from imaginairy.cli.rates import Stopwatch
        from imaginairy.fleet.places import workers_on
        from imaginairy.observe import Observers
        from imaginairy.outputs import StepRecorder

        self.plan = replace(plan, chance=manifest.chance) if manifest else plan
        self.drawing, self.store, self.on_saved = drawing, store, on_saved
        self.manifest = manifest
        self.workers = workers_on(store.device, drawing.workers, plan.total)
        self.bars = ProgressBars(plan.total, quiet=drawing.quiet)
        if self.workers > 1:
            self.bars = ImageBar(plan.total, self.workers, quiet=drawing.quiet)
        self.recorder = StepRecorder()
        self.stopwatch = Stopwatch(store)
        self.preview = PreviewFile(drawing.outdir) if drawing.preview else None
        wanted = filter(None, (self.preview,))
        self.watching = Observers(self.bars, self.stopwatch, *wanted)
        self._failures = Failures(plan.total)
        self._begun: deque[Begun] = deque()
        self._sheets = Sheets() if drawing.grid or drawing.compilation else None
        self._at_work: set[str | None] = set()
        self._tells = bool(drawing.as_json or on_saved or self._sheets)
        self._has_saved = False
        self._there = 0

    def outcomes(self) -> "Generator[Outcome]":
        """Yield what comes of the jobs that are to be drawn, in their order."""
        from imaginairy.fleet.processes import outcomes_of

        steps = self.recorder if self.drawing.saving.records_steps else None
        how = self.workers, self.drawing.batch_size, self.watching, steps
        return outcomes_of(self.prompts(), self.store, *how)

    def prompts(self) -> Iterator[ImaginePrompt]:
        """Yield the prompts of the jobs that are to be drawn."""
        for number, job in enumerate(sized(self.plan, self.drawing.size, self.store)):
            begun = Begun(number, job, *self._looked_up(job))
            last = self._begun[-1] if self._begun else None
            if begun.is_drawn:
                self._begun.append(begun)
                self._at_work.add(begun.identity)
                yield job.prompt
            elif last is None or last.is_drawn or self._tells:
                self._begun.append(begun)
                self._pass_over()
            else:
                self._begun[-1] = last._replace(times=last.times + 1)

    def _looked_up(self, job: Job) -> tuple[str | None, bool]:
        """Return the identity of a job's picture, and whether it is to be drawn."""
        if self.manifest is None:
            return None, True
        row = self.store.locate(job.prompt.model)
        drawing, precision = self.drawing, self.store.precision
        picture = identity(
            job.prompt,
            model=row.name,
            precision=None if precision == PRECISIONS[0] else precision,
            extension=job.extension or drawing.extension,
            bare=not drawing.provenance.metadata,
            signed=drawing.provenance.signer is not None,
            steps=drawing.show_work,
            gif=drawing.gif,
            compare_gif=drawing.compare_gif,
        )
        is_there = picture in self._at_work or self.manifest.picture(picture)
        return picture, not is_there

    def _pass_over(self) -> None:
        """Tell of the pictures that were there, up to the next that is drawn."""
        while self._begun and not self._begun[0].is_drawn:
            begun = self._begun.popleft()
            assert self.manifest is not None and begun.identity is not None
            path = self.manifest.picture(begun.identity)
            for _ in range(begun.times):
                self.bars.next_picture()
            if path is not None:  # else it failed a moment ago
                self._there += begun.times
                said = partial(written_of, path, begun.job.prompt)
                self._tell(begun, Saved(path, said, is_new=False))

    def take(self, outcome: "Outcome") -> None:
        """Save what came of the first of the jobs that were begun, or say why not."""
        if not self._begun and isinstance(outcome, Exception):
            raise outcome  # of what makes the jobs
        begun = self._begun.popleft()
        self._at_work.discard(begun.identity)
        path = None
        with self._failures.noted(begun.job.prompt):
            if isinstance(outcome, Exception):
                raise outcome
            path = self._save(begun, outcome)
        if isinstance(outcome, Exception) or path is None:
            self.bars.next_picture()
        else:
            self._tell(begun, Saved(path, partial(made_by, outcome)))
        self._pass_over()

    def _save(self, begun: Begun, result: "ImagineResult") -> Path:
        from imaginairy.outputs import save_result, say_where_removed

        outdir, manifest, picture = self.drawing.outdir, self.manifest, begun.identity
        if self._has_saved or manifest:
            say_where_removed(outdir)
        saving = self.drawing.saving_as(begun.job.extension)
        frames = self.recorder.frames
        if manifest is None or picture is None:
            path = save_result(result, outdir, saving, frames)
        else:
            with uninterrupted():
                noted = partial(manifest.begun, picture)
                path = save_result(result, outdir, saving, frames, noted)
                manifest.saved(picture, path)
        self._has_saved = True
        return path

    def _tell(self, begun: Begun, saved: Saved) -> None:
        if self._sheets is not None:
            self._sheets.add(begun.job, saved.path)
        if self.on_saved:
            self.on_saved(begun.number, saved)
        else:
            self.drawing.tell(saved)

    def close(self) -> None:
        """Take away what is there only while pictures are drawn."""
        self.bars.finish()
        if self.preview is not None:
            self.preview.close()

    def finish(self) -> None:
        """Lay the pictures out as was asked for, and sum up what failed."""
        self.stopwatch.save()
        if self._there:
            log.info(
                "%d of the %d images were there already and stay as they are.",
                self._there, self.plan.total,
            )  # fmt: skip
        if self._sheets is not None:
            self._sheets.save(self.drawing)
        self._failures.report()


def made_by(result: "ImagineResult") -> dict[str, Any]:
    """Return what a file says of how a result was made."""
    said: dict[str, Any] = json.loads(as_json(result.metadata_dict()))
    return said


def written_of(picture: Path, prompt: ImaginePrompt) -> dict[str, Any]:
    """Return what a picture says of itself, or else what it was asked for."""
    return read_written(picture).metadata or prompt.to_dict()


class Sheets:
    """The pictures of a run, for what shows all of them at once."""

    def __init__(self) -> None:
        self._pictures: list[tuple[Job, Path]] = []

    def add(self, job: Job, picture: Path) -> None:
        """Count a picture in."""
        self._pictures.append((job, picture))

    def save(self, drawing: Drawing) -> None:
        """Save the sheet and the animation that were asked for, of all there are."""
        there = [each for each in self._pictures if each[1].is_file()]
        if gone := len(self._pictures) - len(there):
            log.warning("%d of the images are gone, and left out of the sheet.", gone)
        jobs, paths = [job for job, _ in there], [path for _, path in there]
        if drawing.grid and paths:
            save_grid(jobs, paths, drawing.outdir)
        if drawing.compilation and paths:
            save_compilation(paths, drawing.outdir, drawing.compilation)
