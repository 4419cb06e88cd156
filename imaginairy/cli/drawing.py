"""How commands draw: jobs to saved pictures, each told of as soon as it is there."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from imaginairy.checks import parse_refiner
from imaginairy.cli.failures import Failures
from imaginairy.cli.jobs import Job, save_compilation, save_grid
from imaginairy.cli.show import show_picture
from imaginairy.cli.size import Size
from imaginairy.errors import BadOptionError
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.metadata.tags import as_json
from imaginairy.places import require_places
from imaginairy.schema import ImaginePrompt

if TYPE_CHECKING:
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


def draw(
    jobs: Sequence[Job],
    drawing: Drawing,
    store: "ModelStore",
    on_saved: Callable[[int, Saved], None] | None = None,
) -> list[Path]:
    """Draw and save every job; return the paths of the pictures, in their order.

    A job that fails does not end the run: it is reported and the others are drawn.

    Args:
        on_saved: told of each picture as soon as it is there, and which job's it is,
            in place of `tell`.

    Raises:
        ImaginairyError: jobs failed; raised when all others are done. What is known
            before drawing is refused at once, and where nothing can be saved any more,
            that is the end.
    """
    from imaginairy.api import outcomes
    from imaginairy.batches import Batches
    from imaginairy.cli.progress import ProgressBars
    from imaginairy.observe import Observers
    from imaginairy.outputs import StepRecorder, save_result

    require_room(jobs, drawing)
    require_usable(jobs, store)
    prompts = [job.prompt for job in sized(jobs, drawing.size, store)]
    bars, recorder = ProgressBars(len(jobs), quiet=drawing.quiet), StepRecorder()
    watching = Observers(bars, recorder) if drawing.saving.records_steps else bars
    batches = Batches(store, watching, drawing.batch_size)
    failures = Failures(len(jobs))
    pictures: dict[int, Path] = {}
    try:
        for number, outcome in enumerate(outcomes(prompts, batches)):
            job = jobs[number]
            with failures.noted(job.prompt):
                if isinstance(outcome, Exception):
                    raise outcome
                saving = drawing.saving_as(job.extension)
                pictures[number] = save_result(
                    outcome, drawing.outdir, saving, recorder.frames
                )
                saved = Saved(pictures[number], outcome)
            if number not in pictures:
                bars.next_picture()
            elif on_saved:
                on_saved(number, saved)
            else:
                drawing.tell(saved)
    finally:
        bars.close()
    drawn, paths = [jobs[number] for number in pictures], list(pictures.values())
    if drawing.grid and paths:
        save_grid(drawn, paths, drawing.outdir)
    if drawing.compilation and paths:
        save_compilation(paths, drawing.outdir, drawing.compilation)
    failures.report()
    return paths


def require_room(jobs: Sequence[Job], drawing: Drawing) -> None:
    """Refuse what cannot be saved, before any work.

    Raises:
        BadOptionError: there is nothing to compare with, or a folder cannot be used.
        CannotSaveError: there is too little space.
    """
    from imaginairy.outputs import require_savable

    if drawing.compare_gif and any(job.prompt.init_image is None for job in jobs):
        raise BadOptionError("--compare-gif needs an --init-image to compare with.")
    sheets = {"grids": drawing.grid, "compilations": drawing.compilation}
    require_places(drawing.outdir / kind for kind, wanted in sheets.items() if wanted)
    require_savable([job.prompt for job in jobs], drawing.outdir, drawing.saving)


def require_usable(jobs: Sequence[Job], store: "ModelStore") -> None:
    """Find all models, import all plug-ins and read all pictures, before any work.

    Raises:
        BadOptionError: an enhancer of another package cannot be used.
        UnknownModelError: there is no model of a name that is asked for.
        BadImageError: a picture cannot be read.
        DownloadError: one could not be fetched.
    """
    from imaginairy.enhancers.from_outside import load_plugins

    for job in jobs:
        load_plugins(job.prompt)
    models = [name for job in jobs for name in models_named(job.prompt)]
    for name in dict.fromkeys(models):
        store.locate(name)
    images = (
        image
        for job in jobs
        for image in (job.prompt.init_image, job.prompt.mask_image)
        if isinstance(image, LazyLoadingImage)
    )
    for image in dict.fromkeys(images):
        image.require_readable()


def models_named(prompt: ImaginePrompt) -> Iterator[str | None]:
    """Yield what the models that draw a prompt are called; None for the usual one."""
    yield prompt.model
    if prompt.refiner is not None:
        yield parse_refiner(prompt.refiner)[0]


def sized(jobs: Sequence[Job], size: Size | None, store: "ModelStore") -> list[Job]:
    """Give the jobs their size, where one was asked for."""
    if size is None:
        return list(jobs)
    return [replace(job, prompt=size.applied(job.prompt, store.locate)) for job in jobs]
