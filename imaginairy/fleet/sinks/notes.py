"""What a run notes of its pictures, so that one that starts again goes on with it.

Every process writes a part of its own in `_manifest/`, which no other touches while it
lives; all parts together are the manifest, whichever order they are read in. A line
tells of a picture that is there, of a shard that is about to be, or of a prompt that
failed. A line that was cut off says nothing that is needed.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import IO, Any
from uuid import uuid4

from imaginairy.fleet.ids import MASK, IdMap
from imaginairy.fleet.sinks.files import Files, LocalFiles
from imaginairy.manifest import identity
from imaginairy.schema import ImaginePrompt
from imaginairy.whole_files import hold, remove_unused, whole_file

FOLDER = "_manifest"
ENDING = ".jsonl"
MOST_PUT = 128
"""Files of one process that lie beside each other where nothing can be appended."""

Note = Mapping[str, Any]


def fingerprint(prompt: ImaginePrompt) -> int:
    """Return a number of 31 bits that tells a prompt from others under the same id."""
    return int(identity(prompt)[:8], 16) & MASK


def drawn_note(id: str, file: str, prompt: int) -> Note:
    """Return what is noted of a picture that is there, with its prompt's number."""
    return {"id": id, "file": file, "prompt": prompt}


def shard_note(shard: str, rows: Sequence[tuple[str, int]]) -> Note:
    """Return what is noted of a shard that is about to appear: ids and prompts."""
    return {"shard": shard, "rows": [list(row) for row in rows]}


def failed_note(id: str, reason: str, tries: int, prompt: int | None = None) -> Note:
    """Return what is noted of a prompt that failed."""
    return {"id": id, "failed": reason, "tries": tries, "prompt": prompt}


class Part:
    """What one process notes; nothing is there before the first line.

    Args:
        files: the place of the run.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._name = uuid4().hex
        self._file: IO[bytes] | None = None
        self._put: list[str] = []
        self._lines: list[bytes] = []

    def note(self, notes: Sequence[Note]) -> None:
        """Write lines that stay whatever happens afterwards."""
        data = b"".join(json.dumps(each).encode() + b"\n" for each in notes)
        if isinstance(self._files, LocalFiles):
            self._append(self._files, data)
        else:
            self._put_beside(data)

    def _append(self, files: LocalFiles, data: bytes) -> None:
        if self._file is None:
            folder = files.folder / FOLDER
            folder.mkdir(parents=True, exist_ok=True)
            self._file = hold(folder / f"{self._name}{ENDING}")
        self._file.write(data)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _put_beside(self, data: bytes) -> None:
        """Put the lines as a file; where those are many, one of all their lines."""
        self._lines.append(data)
        if len(self._put) < MOST_PUT:
            self._put_as(f"{self._name}-{uuid4().hex[:12]}", data)
            return
        before = self._put
        self._put = []
        self._put_as(f"{self._name}-{uuid4().hex[:12]}", b"".join(self._lines))
        for name in before:
            self._files.remove(name)
        self._put, self._lines = [], []

    def _put_as(self, name: str, data: bytes) -> None:
        name = f"{FOLDER}/{name}{ENDING}"
        self._files.write(name, data)
        self._put.append(name)

    def close(self) -> None:
        """Let the part go, so that it can be taken together with others."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._name = uuid4().hex

    def __del__(self) -> None:
        self.close()


def parts(files: Files) -> list[str]:
    """Name the parts of a place."""
    found = (f"{FOLDER}/{name}" for name in files.names(FOLDER))
    return sorted(name for name in found if name.endswith(ENDING))


def notes(files: Files, names: Sequence[str] | None = None) -> Iterator[Note]:
    """Yield everything that is noted, of all parts or those of some names."""
    for name in parts(files) if names is None else names:
        for line in files.lines(name):
            try:
                note = json.loads(line)
            except (ValueError, RecursionError):  # cut off
                continue
            if isinstance(note, dict):
                yield note


def rows_of(note: Note) -> Iterator[tuple[str, int]]:
    """Yield the ids and prompts of the pictures that a line tells of, if they are."""
    match note:
        case {"shard": str(), "rows": list(rows)}:
            for row in rows:
                match row:
                    case [str(id), int(prompt)]:
                        yield id, prompt
        case {"id": str(id), "file": str(), "prompt": int(prompt)}:
            yield id, prompt


def compact(files: Files) -> None:
    """Write all parts that nobody writes any more as one, each line once.

    What another process takes together at the same time stays twice, and does no harm:
    a part is removed only by who wrote all of its lines elsewhere.
    """
    names = parts(files)
    if len(names) < 2:
        return
    name = f"{FOLDER}/whole-{sha256(' '.join(names).encode()).hexdigest()[:24]}{ENDING}"
    if isinstance(files, LocalFiles):
        with (
            whole_file(files.folder / name, waits=False) as place,
            place.open("wb") as f,
        ):
            f.writelines(_each_once(files, names))
            f.flush()
            os.fsync(f.fileno())
        for each in set(names) - {name}:
            remove_unused(files.folder / each)
    else:
        files.write(name, b"".join(_each_once(files, names)))
        for each in set(names) - {name}:
            files.remove(each)


def _each_once(files: Files, names: Sequence[str]) -> Iterator[bytes]:
    drawn, failed = IdMap(), IdMap()
    for note in notes(files, names):
        for id, prompt in rows_of(note):
            drawn.put(id, prompt)
    shards: set[str] = set()
    for note in notes(files, names):
        match note:
            case {"shard": str(shard)}:
                is_new = shard not in shards
                shards.add(shard)
            case {"id": str(id), "file": str()}:
                is_new = drawn.mark(id)
            case {"id": str(id), "failed": str()}:
                is_new = id not in drawn and failed.put(id)
            case _:
                is_new = False
        if is_new:
            yield json.dumps(note).encode() + b"\n"
