"""What one command asks for: every picture, and its place on a contact sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imaginairy.animate import contact_sheet, save_animation
from imaginairy.cli.prompts_file import Asked
from imaginairy.errors import BadOptionError
from imaginairy.log import log
from imaginairy.outputs import claimed_number
from imaginairy.pictures import read_picture
from imaginairy.schema import ImaginePrompt
from imaginairy.sweeps import parse_schedule, swept
from imaginairy.whole_files import save_whole


@dataclass(frozen=True)
class Job:
    """One picture to draw, and where it goes on a contact sheet."""

    prompt: ImaginePrompt
    row: str
    column: str
    extension: str | None = None
    """How to save it, where that is not the same for all."""


def planned(
    asked: Sequence[Asked], repeats: int, schedules: Sequence[str]
) -> list[Job]:
    """Return every prompt `repeats` times over all values of the schedules.

    Seeds count up from one that is given; without one each repeat takes a fresh one.
    On a contact sheet the last schedule runs along the columns, or the repeats where
    there is none.
    """
    if repeats < 1:
        raise BadOptionError(f"repeats {repeats} is out of range; give 1 or more.")
    sweeps = [parse_schedule(schedule) for schedule in schedules]
    jobs = []
    for number in range(repeats):
        for each in asked:
            seeded = dict(each.fields)
            if isinstance(seeded.get("seed"), int):
                seeded["seed"] += number
            for prompt in swept(each.prompt, seeded, sweeps):
                values = [f"{name}={getattr(prompt, name)}" for name, _ in sweeps]
                repeat = [f"#{number + 1}"] if repeats > 1 else []
                along = values[-1:] or repeat
                down = [
                    prompt.prompt_text,
                    *(repeat if values else []),
                    *values[:-1],
                ]
                jobs.append(
                    Job(prompt, " ".join(down), " ".join(along), each.extension)
                )
    return jobs


def save_grid(jobs: Sequence[Job], pictures: Sequence[Path], outdir: Path) -> Path:
    """Lay the pictures of a run out as one contact sheet in `outdir/grids`."""
    rows = list(dict.fromkeys(job.row for job in jobs))
    columns = list(dict.fromkeys(job.column for job in jobs))
    places = {(job.row, job.column) for job in jobs}
    full = len(places) == len(jobs) == len(rows) * len(columns)
    if columns == [""] or not full:  # no table: as square as can be
        across = max(1, round(len(jobs) ** 0.5))
        sheet = contact_sheet(list(map(read_picture, pictures)), columns=across)
    else:
        place = {
            (job.row, job.column): p for job, p in zip(jobs, pictures, strict=True)
        }
        ordered = [place[row, column] for row in rows for column in columns]
        sheet = contact_sheet(
            list(map(read_picture, ordered)),
            columns=len(columns),
            column_labels=columns,
            row_labels=rows if len(rows) > 1 else [],
        )
    with claimed_number(outdir / "grids") as number:
        path = outdir / "grids" / f"{number:06d}_grid.jpg"
        save_whole(sheet, path, "JPEG", quality=95)
    log.info("saved %s", path)
    return path


def save_compilation(pictures: Sequence[Path], outdir: Path, kind: str) -> Path:
    """Join the pictures of a run to one animation in `outdir/compilations`."""
    folder = outdir / "compilations"
    with claimed_number(folder) as number:
        frames = list(map(read_picture, pictures))
        path = save_animation(frames, folder / f"{number:06d}_anim.{kind}")
    log.info("saved %s", path)
    return path
