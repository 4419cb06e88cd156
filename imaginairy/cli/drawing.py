"""How commands draw: jobs to saved pictures, each told of as soon as it is there."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imaginairy.cli.jobs import Job, save_compilation, save_grid
from imaginairy.cli.show import show_picture
from imaginairy.cli.size import Size
from imaginairy.errors import BadOptionError
from imaginairy.metadata import read_metadata
from imaginairy.places import require_places

if TYPE_CHECKING:
    from imaginairy.models.store import ModelStore


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
    size: Size | None
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

    def tell(self, picture: Path, **more: Any) -> None:
        """Print or show a picture that was saved, where that was asked for."""
        if self.as_json:
            said = {"path": str(picture), **read_metadata(picture), **more}
            click.echo(json.dumps(said))
        if self.show:
            show_picture(picture)


def draw(
    jobs: Sequence[Job],
    drawing: Drawing,
    store: "ModelStore",
    on_saved: Callable[[Path], None] | None = None,
) -> list[Path]:
    """Draw and save every job; return the paths of the pictures, in their order.

    Args:
        on_saved: told of each picture as soon as it is there, in place of `tell`.
    """
    on_saved = on_saved or drawing.tell
    from imaginairy.api import imagine_image_files
    from imaginairy.cli.progress import ProgressBars

    if drawing.compare_gif and any(job.prompt.init_image is None for job in jobs):
        raise BadOptionError("--compare-gif needs an --init-image to compare with.")
    sheets = {"grids": drawing.grid, "compilations": drawing.compilation}
    require_places(drawing.outdir / kind for kind, wanted in sheets.items() if wanted)
    bars = ProgressBars(len(jobs), quiet=drawing.quiet)
    pictures = []
    try:
        for job in sized(jobs, drawing.size, store):
            pictures += imagine_image_files(
                job.prompt,
                drawing.outdir,
                output_file_extension=job.extension or drawing.extension,
                record_step_images=drawing.show_work,
                make_gif=drawing.gif,
                make_compare_gif=drawing.compare_gif,
                observer=bars,
                store=store,
            )
            on_saved(pictures[-1])
    finally:
        bars.close()
    if drawing.grid:
        save_grid(jobs, pictures, drawing.outdir)
    if drawing.compilation:
        save_compilation(pictures, drawing.outdir, drawing.compilation)
    return pictures


def sized(jobs: Sequence[Job], size: Size | None, store: "ModelStore") -> list[Job]:
    """Give the jobs their size, where one was asked for."""
    if size is None:
        return list(jobs)
    return [replace(job, prompt=size.applied(job.prompt, store.locate)) for job in jobs]
