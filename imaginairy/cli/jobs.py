"""What one command asks for: every picture, and its place on a contact sheet."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imaginairy.animate import contact_sheet, save_animation
from imaginairy.cli.prompts_file import Prompts
from imaginairy.cli.size import Size
from imaginairy.errors import BadOptionError
from imaginairy.fields import in_words_of
from imaginairy.fleet.ids import IdMap
from imaginairy.fleet.lines import Asked
from imaginairy.fleet.rows import id_of, seed_of
from imaginairy.lazy_image import LazyLoadingImage, is_of_web
from imaginairy.log import log
from imaginairy.outputs import claimed_number
from imaginairy.pictures import read_picture
from imaginairy.prompt_fields.wording import MAX_SEED
from imaginairy.recorded import pictures as fields_of_pictures
from imaginairy.schema import MAX_RANDOM_SEED, ImaginePrompt
from imaginairy.sweeps import Sweep, combinations, parse_schedule, swept
from imaginairy.whole_files import save_whole

if TYPE_CHECKING:
    from imaginairy.models.store import ModelStore

MOST_REPEATS = MAX_SEED
"""A seed for each."""
PICTURES = fields_of_pictures(ImaginePrompt)
MANY = 100_000
"""Pictures that are all looked at before the first is drawn."""


@dataclass(frozen=True)
class Job:
    """One picture to draw, and where it goes on a contact sheet."""

    prompt: ImaginePrompt
    row: str
    column: str
    extension: str | None = None
    """How to save it, where that is not the same for all."""
    id: str = ""
    """What its picture is called, where pictures go by ids."""
    place: str = ""
    """The line of a file that it is from."""


@dataclass(frozen=True)
class Plan:
    """Every picture of a run, each made when it is its turn and the same each time.

    All prompts are drawn once before the first is repeated. Seeds count up from one
    that is given; without one each repeat takes one of its own, which all values of the
    schedules share.
    """

    asked: Sequence[Asked] | Prompts
    repeats: int
    sweeps: Sequence[Sweep]
    chance: int
    """What seeds are made of that nobody gave."""
    of_web: dict[str, LazyLoadingImage] = field(default_factory=dict)
    """Each is fetched once."""
    by_id: bool = False
    """Whether each picture is called by an id, of which seeds are made then."""

    @property
    def of_each(self) -> int:
        """How many pictures are drawn of a prompt before the next one."""
        return combinations(self.sweeps)

    @property
    def total(self) -> int:
        """How many pictures there are."""
        return self.repeats * len(self.asked) * self.of_each

    def __iter__(self) -> Iterator[Job]:
        """Yield what is drawn, in its order.

        Raises:
            BadOptionError: a prompt cannot be drawn; of a file, it says which line.
        """
        for repeat in range(self.repeats):
            same: Counter[int] = Counter()
            for each in self.asked:
                yield from self._jobs(each, repeat, same)

    def samples(self) -> Iterator[Job]:
        """Yield jobs that show whether all can be drawn, in little time.

        Those of the first repeat, whose seeds tell of the others', and where that would
        be very many, all values of the schedules with the first prompt only.
        """
        same: Counter[int] = Counter()
        few = len(self.asked) * self.of_each <= MANY
        for number, each in enumerate(self.asked):
            jobs = self._jobs(each, 0, same)
            yield from jobs if few or number == 0 else islice(jobs, 1)
            if self.repeats > 1 and isinstance(each.fields.get("seed"), int):
                yield from islice(self._jobs(each, self.repeats - 1, same), 1)

    def _jobs(self, each: Asked, repeat: int, same: Counter[int]) -> Iterator[Job]:
        """Yield the jobs of a prompt; those of its like before it are counted."""
        try:
            fields = self._with_images(self._seeded(each, repeat, same))
            id = self._id(each, repeat)
            prompts = swept(each.prompt, fields, self.sweeps)
            for number, prompt in enumerate(prompts, start=1):
                values = [
                    f"{name}={in_words_of(prompt, name)}" for name, _ in self.sweeps
                ]
                repeated = [f"#{repeat + 1}"] if self.repeats > 1 else []
                along = values[-1:] or repeated
                down = [
                    prompt.prompt_text,
                    *(repeated if values else []),
                    *values[:-1],
                ]
                yield Job(
                    prompt,
                    " ".join(down),
                    " ".join(along),
                    each.extension,
                    f"{id}-{number}" if id and values else id,
                    each.place or "",
                )
        except BadOptionError as error:
            if each.place is None:
                raise
            raise BadOptionError(f"{each.place}: {error}") from error

    def _with_images(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return fields with the images of the web that are fetched for others too."""
        for name in PICTURES:
            address = fields.get(name)
            if isinstance(address, str) and is_of_web(address):
                if address not in self.of_web:
                    self.of_web[address] = LazyLoadingImage(url=address)
                fields[name] = self.of_web[address]
        return fields

    def _seeded(self, each: Asked, repeat: int, same: Counter[int]) -> dict[str, Any]:
        """Return the fields of a prompt with the seeds that it leaves open.

        They follow from what is asked for, so that it has them at any place of a list;
        of several that are the same, each has its own.
        """
        fields = dict(each.fields)
        if isinstance(fields.get("seed"), int):
            fields["seed"] += repeat
        is_varied = [fields.get("variation_strength")]
        is_varied += dict(self.sweeps).get("variation_strength", [])
        wanted = ("seed", *(["variation_seed"] if any(is_varied) else []))
        left_open = [name for name in wanted if fields.get(name) is None]
        if left_open and self.by_id:
            id = self._id(each, repeat)
            fields |= {name: seed_of(name, id) for name in left_open}
        elif left_open:
            asked = _fingerprint(each)
            for name in left_open:
                fields[name] = self._seed(name, asked, same[asked], repeat)
            same[asked] += 1
        return fields

    def _id(self, each: Asked, repeat: int) -> str:
        """Return the id of what is asked for, before values of the schedules."""
        if not self.by_id:
            return ""
        return f"{id_of(each)}-{repeat + 1}" if self.repeats > 1 else id_of(each)

    def require_unique(self) -> None:
        """Refuse ids that two pictures would have.

        Raises:
            BadOptionError: there are such; the message says where.
        """
        numbered = self.repeats * self.of_each > 1
        ids = IdMap()
        for each in self.asked:
            if not ids.put(id_of(each)):
                raise BadOptionError(
                    f"{each.place}: the id '{each.id}' is that of another row too; "
                    "give each row one of its own, or none."
                )
        for each in self.asked if numbered else ():
            for base in _repeated(each.id or ""):
                if base in ids:
                    raise BadOptionError(
                        f"{each.place}: the id '{each.id}' could be that of a repeat "
                        f"of '{base}'; give one of them another id."
                    )

    def _seed(self, *of: object) -> int:
        """Return the seed that something has in this run."""
        drawn = hashlib.sha256(repr((self.chance, *of)).encode()).digest()
        return 1 + int.from_bytes(drawn, "big") % MAX_RANDOM_SEED


def _repeated(id: str) -> Iterator[str]:
    """Yield the ids of which this could be a repeat, or be drawn of a swept value."""
    for _ in range(2):
        id, _, number = id.rpartition("-")
        if not number.isdecimal():
            return
        yield id


def _fingerprint(asked: Asked) -> int:
    try:
        whole = json.dumps([asked.prompt, asked.fields], sort_keys=True, default=str)
    except (ValueError, RecursionError):  # of no prompt that can be drawn
        whole = ""
    return int.from_bytes(hashlib.sha256(whole.encode()).digest()[:8], "big")


def planned(
    asked: Sequence[Asked] | Prompts, repeats: int, schedules: Sequence[str]
) -> Plan:
    """Return every prompt `repeats` times over all values of the schedules.

    On a contact sheet the last schedule runs along the columns, or the repeats where
    there is none.

    Raises:
        BadOptionError: there are too few repeats, or a schedule cannot be read.
    """
    if repeats < 1:
        raise BadOptionError(f"repeats {repeats} is out of range; give 1 or more.")
    if repeats > MOST_REPEATS:
        raise BadOptionError(
            f"repeats {repeats} is out of range; give {MOST_REPEATS} at most."
        )
    sweeps = [parse_schedule(schedule) for schedule in schedules]
    return Plan(asked, repeats, sweeps, random.getrandbits(63))


def sized(jobs: Iterable[Job], size: Size | None, store: "ModelStore") -> Iterator[Job]:
    """Yield the jobs at their size, where one was asked for."""
    for job in jobs:
        if size is not None:
            job = replace(job, prompt=size.applied(job.prompt, store.locate))
        yield job


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
