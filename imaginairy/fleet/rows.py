"""Rows of prompts, each with the id that its picture is called by."""

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from imaginairy.errors import BadOptionError, in_words
from imaginairy.fleet.addresses import is_address, opened, said_by, shown
from imaginairy.fleet.ids import IdMap, id_at
from imaginairy.fleet.lines import Asked, Lines, lines_of
from imaginairy.fleet.tables import csv_lines, parquet_lines
from imaginairy.kinds import what_stands_at
from imaginairy.lazy_image import is_of_web
from imaginairy.recorded import pictures
from imaginairy.schema import MAX_RANDOM_SEED, ImaginePrompt

STANDARD_INPUT = "-"
AS_JSON = (".jsonl", ".ndjson")
TABLES = {".csv": csv_lines, ".parquet": parquet_lines, ".pq": parquet_lines}


@dataclass(frozen=True)
class PromptRow:
    """A prompt, and what its picture is called."""

    id: str
    prompt: ImaginePrompt
    place: str = ""
    """Where it stands, for messages."""


class Rows:
    """The rows of a file as it is now, each made when it is walked to.

    Args:
        address: the path of a file, or an address that fsspec knows: lines of text,
            `.jsonl`, `.csv` or `.parquet`; `-` reads standard input.
        options: the fields given for all of them; a row's own win.

    Raises:
        BadOptionError: it cannot be read, or holds no prompts.
    """

    def __init__(
        self, address: str | Path, options: Mapping[str, Any] | None = None
    ) -> None:
        self._lines = read_lines(address, dict(options or {}))

    def __iter__(self) -> Iterator[PromptRow]:
        """Yield the rows in their order.

        Raises:
            BadOptionError: a row cannot be used, or two have the same id; the message
                says where.
        """
        seen = IdMap()
        for asked in self._lines:
            row = row_of(asked)
            if not seen.put(row.id) and (before := self._first(row.id)) != row.place:
                raise BadOptionError(
                    f"{row.place}: the id '{row.id}' is that of {before.lower()} too; "
                    "give each row one of its own, or none."
                )
            yield row

    def _first(self, id: str) -> str:
        """Return the place of the first row of an id."""
        return next((a.place or "" for a in self._lines if id_of(a) == id), "")

    def __len__(self) -> int:
        return len(self._lines)

    def close(self) -> None:
        """Let go of what was kept of the file."""
        self._lines.close()


def read_rows(
    address: str | Path, options: Mapping[str, Any] | None = None
) -> Iterator[PromptRow]:
    """Yield the rows of a file; see `Rows`, whose arguments and errors these are.

    All of them are checked before the first is yielded.
    """
    with closing(Rows(address, options)) as rows:
        for _ in rows:
            pass
        yield from rows


def row_of(asked: Asked) -> PromptRow:
    """Return a row of what is asked for, with the seeds that it leaves open.

    They follow from its id, so that the row is the same whenever and wherever it is
    read.

    Raises:
        BadOptionError: it cannot be drawn; the message says where it stands.
    """
    id = id_of(asked)
    fields = dict(asked.fields)
    for name in (
        "seed",
        *(["variation_seed"] if fields.get("variation_strength") else []),
    ):
        if fields.get(name) is None:
            fields[name] = seed_of(name, id)
    try:
        return PromptRow(id, ImaginePrompt(asked.prompt, **fields), asked.place or "")
    except BadOptionError as error:
        raise BadOptionError(f"{asked.place}: {error}") from error


def id_of(asked: Asked) -> str:
    """Return the id of what is asked for: its own, or that of its place and content."""
    if asked.id is not None:
        return asked.id
    content = json.dumps([asked.prompt, asked.fields], sort_keys=True, default=str)
    return id_at(asked.number, content)


def seed_of(name: str, id: str) -> int:
    """Return the seed that a row of an id has where it gives none."""
    drawn = sha256(f"{name} of {id}".encode(errors="replace")).digest()
    return 1 + int.from_bytes(drawn[:8], "big") % MAX_RANDOM_SEED


def read_lines(address: str | Path, options: dict[str, Any]) -> Lines:
    """Take the lines of a file in, whichever of the formats it is in.

    Raises:
        BadOptionError: it cannot be read, or holds no prompts.
    """
    text = in_words(address)
    if text == STANDARD_INPUT:
        lines = lines_of(sys.stdin.buffer)
        return Lines(lines, "standard input", options, as_json=None)
    if is_address(text):
        return _RemoteLines.read(text, options)
    file = Path(text).expanduser()
    if other := what_stands_at(file):
        raise BadOptionError(
            f"'{file}' is {other}, not a file of prompts; give '-' as the file to "
            "read standard input."
        )
    if not file.is_file():
        raise BadOptionError(f"There is no file '{file}' to read prompts of.")
    if not file.stat().st_size:  # some of the kernel's say so and never end
        raise BadOptionError(f"There are no prompts in '{file}'; write one a line.")
    with file.open("rb") as opened_file:
        return _read(opened_file, file.suffix, f"'{file}'", options, Lines)


class _RemoteLines(Lines):
    """Lines from elsewhere, which name no file of this machine."""

    @classmethod
    def read(cls, address: str, options: dict[str, Any]) -> Lines:
        name = f"'{shown(address)}'"
        if is_of_web(address):
            from imaginairy.addresses import fetched  # of public hosts only, as images

            file = io.BytesIO(fetched(address, "file of prompts"))
            return _read(file, Path(urlsplit(address).path).suffix, name, options, cls)
        fs, path = opened(address)
        suffix = Path(path).suffix
        try:
            with fs.open(path, "rb") as file:
                return _read(file, suffix, name, options, cls)
        except BadOptionError:
            raise
        except Exception as error:
            raise BadOptionError(
                f"{name} cannot be read ({said_by(error)}); give the address of a file "
                "of prompts."
            ) from None

    def __iter__(self) -> Iterator[Asked]:
        for asked in super().__iter__():
            for name in pictures(ImaginePrompt):
                value = asked.fields.get(name)
                if value != self._options.get(name) and not is_of_web(value):
                    raise BadOptionError(
                        f"{asked.place}: {name} names a file of this machine; rows "
                        "from elsewhere name images by web addresses only."
                    )
            yield asked


def _read(
    file: IO[bytes],
    suffix: str,
    name: str,
    options: dict[str, Any],
    kind: type[Lines],
) -> Lines:
    suffix = suffix.lower()
    if suffix in TABLES:
        lines = TABLES[suffix](file, name)
        return kind(lines, name, options, as_json=True, word="Row")
    as_json = suffix in AS_JSON
    return kind(lines_of(file), name, options, as_json=as_json)
