"""The folders in which adapters are looked for by name, and the files in them.

Those that a variable names come first, then those by the model, where other tools keep
theirs, then what was learnt here, then what was fetched from addresses, then what comes
with the package. Which these are is said by a `Shelf`, one for each kind of files.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imaginairy.sources.from_address import ENDINGS
from imaginairy.sources.shelves import ADAPTERS, Shelf

ROOT, DEEPEST = "models", 5
"""The folder in which other tools keep all that, and how far above a model it is."""
MOST_FILES = 20_000
"""How many entries of folders are looked at."""
SETTLED_NS = 2_000_000_000
"""How long after a folder was changed a further change shows in its time."""


@dataclass(frozen=True)
class _Entries:
    """What a folder held when it was read."""

    changed: int
    """When that had last changed."""
    is_settled: bool
    """Whether any change since would show in that time."""
    files: tuple[tuple[Path, str], ...]
    """Those that may be adapters, and where each lies in truth."""
    folders: tuple[Path, ...]
    count: int
    """Of all that is there."""


class Folders:
    """Folders as they were last read; only what was changed since is read again.

    Args:
        shelf: the kind of files that is looked for.
    """

    def __init__(self, shelf: Shelf = ADAPTERS) -> None:
        self.shelf = shelf
        self._read: dict[Path, _Entries] = {}

    def files(self, model: Path | None = None) -> Iterator[tuple[str, Path]]:
        """Yield the names and paths of files that may be adapters, folder by folder.

        Args:
            model: the file or folder of the model that they are for.
        """
        seen: set[str] = set()
        for path, real in self._found(self.searched(model)):
            if real not in seen:
                seen.add(real)
                yield self.shelf.name_of(path), path

    def inside(self, folder: Path) -> list[Path]:
        """Return the files that may be adapters in a folder, and in those in it."""
        return [path for path, _ in self._found([(folder, True)])]

    def searched(self, model: Path | None = None) -> list[tuple[Path, bool]]:
        """Return the folders that are searched, and whether those in them are too."""
        found = [(folder, True) for folder in own_folders(self.shelf)]
        if model is not None:
            near = around(model)
            found += [(each, True) for at in near for each in self._beside(at)]
            found.append((near[0], False))
        others = (self.shelf.learnt, self.shelf.fetched, self.shelf.bundled)
        return [*found, *((folder, True) for folder in others)]

    def _found(
        self, folders: Iterable[tuple[Path, bool]]
    ) -> Iterator[tuple[Path, str]]:
        """Yield files and where they lie in truth, as long as there are not too many.

        Args:
            folders: with whether those in them are looked into.
        """
        left = MOST_FILES
        for folder, is_deep in folders:
            for entries in self._within(folder, is_deep, set()):
                yield from entries.files
                left -= entries.count
                if left <= 0:
                    return

    def _beside(self, home: Path) -> list[Path]:
        ways = [way.split("/") for way in self.shelf.beside]
        return sorted({each for way in ways for each in self._down(home, way)})

    def _down(self, home: Path, way: Sequence[str]) -> list[Path]:
        """Return the folders at the end of a way of names, in any case."""
        if not way:
            return [home]
        entries = self._entries(home)
        folders = entries.folders if entries else ()
        named = [each for each in folders if each.name.lower() == way[0]]
        return [deep for each in named for deep in self._down(each, way[1:])]

    def _within(
        self, folder: Path, is_deep: bool, above: set[tuple[int, int]]
    ) -> Iterator[_Entries]:
        """Yield what a folder holds, and those in it; no loop of links is walked."""
        try:
            status = folder.stat()
        except OSError:
            return
        place = status.st_dev, status.st_ino
        entries = None if place in above else self._entries(folder)
        if entries is None:
            return
        yield entries
        for inner in entries.folders if is_deep else ():
            yield from self._within(inner, is_deep, above | {place})

    def _entries(self, folder: Path) -> _Entries | None:
        """Return what a folder holds; None where it cannot be read."""
        try:
            changed = folder.stat().st_mtime_ns
            known = self._read.get(folder)
            if known is None or not known.is_settled or known.changed != changed:
                known = self._read[folder] = _read(folder, changed)
        except OSError:
            return None
        return known


def _read(folder: Path, changed: int) -> _Entries:
    is_settled = time.time_ns() - changed > SETTLED_NS
    files, folders = [], []
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir():
            if not entry.name.startswith("."):
                folders.append(path)
        elif path.suffix.lower() in ENDINGS and entry.is_file():
            files.append((path, os.path.realpath(path)))
    return _Entries(changed, is_settled, tuple(files), tuple(folders), len(entries))


def files(
    model: Path | None = None, shelf: Shelf = ADAPTERS
) -> Iterator[tuple[str, Path]]:
    """Yield the names and paths of files that may be adapters; see `Folders.files`."""
    return Folders(shelf).files(model)


def around(model: Path) -> list[Path]:
    """Return the folder of a model and those above that may hold others of adapters.

    Where a folder `models` is above, as other tools have it, it and what holds it are
    among them: AUTOMATIC1111 has `embeddings` there. Else the one above is.
    """
    home = model if model.is_dir() else model.parent
    above = [home, *home.absolute().parents]
    names = [each.absolute().name.lower() for each in above[:DEEPEST]]
    highest = names.index(ROOT) if ROOT in names else 0
    return above[: highest + 2]


def own_folders(shelf: Shelf = ADAPTERS) -> list[Path]:
    """Return the folders that the user names, whether they are there or not."""
    said = os.environ.get(shelf.variable, "").split(os.pathsep)
    return [_expanded(each) for each in said if each.strip()]


def _expanded(folder: str) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError:  # of a user who is not there
        return Path(folder)
