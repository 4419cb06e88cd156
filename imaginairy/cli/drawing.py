"""How commands draw: jobs to saved pictures, each told of as soon as it is there."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from imaginairy.checks import parse_refiner
from imaginairy.cli.failures import Failures
from imaginairy.cli.jobs import Job, Plan, save_compilation, save_grid
from imaginairy.cli.show import show_picture
from imaginairy.cli.size import Size
from imaginairy.errors import BadOptionError
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.metadata.tags import as_json
from imaginairy.places import require_places
from imaginairy.schema import ImaginePrompt

if TYPE_CHECKING:
    from imaginairy.api import Outcome
    from imaginairy.models.store import ModelStore
    from imaginairy.outputs import SaveOptions
    from imaginairy.result import ImagineResult


class Saved(NamedTuple):
    """A picture that was saved."""

    path: Path
    result: "ImagineResult"

    def metadata(self) -> dict[str, Any]:
        """Return what made it, as its file says unless it is to say nothing."""
        said: dict[str, Any] = json.loads(as_json(self.result.metadata_dict()))
        return said


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How pictures are drawn, saved and told of; the options that are no prompt's."""

    outdir: Path
    extension: str
    grid: bool
    compilation: str | None
    show_work: bool
    gif: bool
    compare_gif: bool
    as_json: bool
    show: bool
    bare: bool
    size: Size | None
    batch_size: int | None
    quiet: bool

    def __post_init__(self) -> None:
        if self.as_json and self.show:
            raise BadOptionError(
                "--json and --show both write to standard output; give one of them."
            )

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Drawing":
        """Take what a command was given."""
        return cls(**{each.name: options[each.name] for each in fields(cls)})

    @property
    def saving(self) -> "SaveOptions":
        """What is saved for each picture."""
        from imaginairy.outputs import SaveOptions

        return SaveOptions(
            self.extension,
            self.show_work,
            self.gif,
            compare_gif=self.compare_gif,
            metadata=not self.bare,
        )

    def saving_as(self, extension: str | None) -> "SaveOptions":
        """What is saved for a picture whose file has an ending of its own."""
        return replace(self.saving, extension=extension or self.extension)

    def tell(self, saved: Saved, **more: Any) -> None:
        """Print or show a picture that was saved, where that was asked for."""
        if self.as_json:
            said = {"path": str(saved.path), **saved.metadata(), **more}
            click.echo(json.dumps(said))
        if self.show:
            show_picture(saved.path)


class Needs:
    """The models, enhancers, images and folders of a run; each is noted once.

    Raises:
        BadOptionError: a prompt cannot be drawn, or there is nothing to compare with.
    """

    def __init__(self, plan: Plan, drawing: Drawing) -> None:
        from imaginairy.outputs import Room

        self.drawing = drawing
        self._room = Room(drawing.outdir, drawing.saving)
        self._models: dict[str | None, None] = {}
        self._enhanced: dict[tuple[str, ...], ImaginePrompt] = {}
        self._images: dict[LazyLoadingImage, None] = {}
        for job in plan.samples():
            self._add(job.prompt)

    def _add(self, prompt: ImaginePrompt) -> None:
        if self.drawing.compare_gif and prompt.init_image is None:
            raise BadOptionError("--compare-gif needs an --init-image to compare with.")
        self._room.add(prompt)
        self._models[prompt.model] = None
        if prompt.refiner is not None:
            self._models[parse_refiner(prompt.refiner)[0]] = None
        self._enhanced.setdefault(prompt.enhance, prompt)
        for image in (prompt.init_image, prompt.mask_image):
            if isinstance(image, LazyLoadingImage):
                self._images[image] = None

    def require(self, store: "ModelStore") -> None:
        """Find all models, import all plug-ins and read all images, before any work.

        Raises:
            BadOptionError: an enhancer of another package, or a folder, cannot be used.
            CannotSaveError: there is too little space.
            UnknownModelError: there is no model of a name that is asked for.
            BadImageError: an image cannot be read.
            DownloadError: one could not be fetched.
        """
        from imaginairy.enhancers.from_outside import load_plugins

        outdir, drawing = self.drawing.outdir, self.drawing
        sheets = {"grids": drawing.grid, "compilations": drawing.compilation}
        require_places(outdir / kind for kind, wanted in sheets.items() if wanted)
        self._room.require()
        for prompt in self._enhanced.values():
            load_plugins(prompt)
        for name in self._models:
            store.locate(name)
        for image in self._images:
            image.require_readable()


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
    from imaginairy.api import outcomes
    from imaginairy.batches import Batches

    needs.require(store)
    run = Run(plan, needs.drawing, on_saved)
    batches = Batches(store, run.watching, needs.drawing.batch_size)
    try:
        for outcome in outcomes(run.prompts(store), batches):
            run.take(outcome)
    finally:
        run.bars.close()
    run.finish()


class Run:
    """Goes through the jobs of a plan and saves what comes of each."""

    def __init__(
        self,
        plan: Plan,
        drawing: Drawing,
        on_saved: Callable[[int, Saved], None] | None = None,
    ) -> None:
        from imaginairy.cli.progress import ProgressBars
        from imaginairy.observe import Observers
        from imaginairy.outputs import StepRecorder

        self.plan, self.drawing, self.on_saved = plan, drawing, on_saved
        self.bars = ProgressBars(plan.total, quiet=drawing.quiet)
        self.recorder = StepRecorder()
        steps = drawing.saving.records_steps
        self.watching = Observers(self.bars, *([self.recorder] if steps else []))
        self._failures = Failures(plan.total)
        self._begun: deque[tuple[int, Job]] = deque()
        self._sheets = Sheets() if drawing.grid or drawing.compilation else None

    def prompts(self, store: "ModelStore") -> Iterator[ImaginePrompt]:
        """Yield the prompts of the jobs, at the size that was asked for."""
        for number, job in enumerate(sized(self.plan, self.drawing.size, store)):
            self._begun.append((number, job))
            yield job.prompt

    def take(self, outcome: "Outcome") -> None:
        """Save what came of the first of the jobs that were begun, or say why not."""
        if not self._begun and isinstance(outcome, Exception):
            raise outcome  # of what makes the jobs
        number, job = self._begun.popleft()
        saved = None
        with self._failures.noted(job.prompt):
            if isinstance(outcome, Exception):
                raise outcome
            saved = Saved(self._save(job, outcome), outcome)
        if saved is None:
            self.bars.next_picture()
            return
        if self._sheets is not None:
            self._sheets.add(job, saved.path)
        if self.on_saved:
            self.on_saved(number, saved)
        else:
            self.drawing.tell(saved)

    def _save(self, job: Job, result: "ImagineResult") -> Path:
        from imaginairy.outputs import save_result

        saving = self.drawing.saving_as(job.extension)
        return save_result(result, self.drawing.outdir, saving, self.recorder.frames)

    def finish(self) -> None:
        """Lay the pictures out as was asked for, and sum up what failed."""
        if self._sheets is not None:
            self._sheets.save(self.drawing)
        self._failures.report()


class Sheets:
    """The pictures of a run, for what shows all of them at once."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._pictures: list[Path] = []

    def add(self, job: Job, picture: Path) -> None:
        """Count a picture in."""
        self._jobs.append(job)
        self._pictures.append(picture)

    def save(self, drawing: Drawing) -> None:
        """Save the sheet and the animation that were asked for, of all there are."""
        if not self._pictures:
            return
        if drawing.grid:
            save_grid(self._jobs, self._pictures, drawing.outdir)
        if drawing.compilation:
            save_compilation(self._pictures, drawing.outdir, drawing.compilation)


def sized(jobs: Iterable[Job], size: Size | None, store: "ModelStore") -> Iterator[Job]:
    """Yield the jobs at their size, where one was asked for."""
    for job in jobs:
        if size is not None:
            job = replace(job, prompt=size.applied(job.prompt, store.locate))
        yield job
