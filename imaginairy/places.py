"""Folders to save in: what is wrong with one is said before any work is done.

What could not be known before, such as a disk that fills up meanwhile, is not the end
of what was made: it goes to a folder elsewhere, which the error names.
"""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NoReturn

from imaginairy.errors import BadOptionError, CannotSaveError

RESCUED = "imaginairy-rescued"
"""The folder, in the user's home, for what could not be saved where it should be."""
MAX_NAME_BYTES = 150
"""Room for the name of a file, which has an ending besides."""
LEAST_BYTES = 1 << 16
"""A small picture and what it says of itself."""
MOST_TRIED_BYTES = 1 << 20
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NOT_THERE = {errno.ENOENT, errno.ENOTDIR}


def require_places(
    folders: Iterable[Path], needed_bytes: int = 0, what: str = "a picture"
) -> None:
    """Refuse folders in which nothing could be saved; none is made.

    Args:
        folders: those that will be saved in; they need not be there yet.
        needed_bytes: what will be saved at least, as far as that is known.
        what: what that is, for messages.

    Raises:
        BadOptionError: one is a file or lies in one, has too long a name, or nothing
            may be written there.
        CannotSaveError: there is too little space.
    """
    needed_bytes = max(needed_bytes, LEAST_BYTES)
    for existing in {_existing(Path(folder).absolute()) for folder in folders}:
        _require_space(existing, needed_bytes, what)


def saved_elsewhere(
    ways: Sequence[Callable[[Path], Path]], folder: Path | str, error: Exception
) -> NoReturn:
    """Save in another place what could not be saved, and say where.

    Args:
        ways: each saves in the folder it is given and returns the path of what counts;
            a later one is for where those before fail too.
        folder: where it should have gone.
        error: why it could not.

    Raises:
        CannotSaveError: always; its `path` is where it is now.
    """
    why = f"could not be saved in '{folder}' ({reason(error)})"
    for save, place in product(ways, _elsewhere()):
        try:
            path = save(place)
        except Exception:
            continue
        told = CannotSaveError(f"The picture {why}; it was saved as '{path}' instead.")
        told.path = path
        raise told from error
    raise CannotSaveError(f"The picture {why}, nor anywhere else; it is lost.")


def reason(error: BaseException) -> str:
    """Return why something could not be saved, in a few words."""
    if isinstance(error, CannotSaveError) and isinstance(error.__cause__, OSError):
        error = error.__cause__
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said.rstrip(".")


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there and will hold it."""
    try:
        _mode(folder / "x" / ("x" * MAX_NAME_BYTES))  # is the whole path too long?
        for place in (folder, *folder.parents):
            mode = _mode(place)
            if mode is not None or place.is_symlink():
                break
    except (OSError, ValueError) as error:
        raise BadOptionError(
            f"'{_shortened(folder)}' cannot be used to save in ({reason(error)}); give "
            "another folder."
        ) from error
    if mode is None or not stat.S_ISDIR(mode):
        what = "is a link to nothing" if mode is None else "is a file and no folder"
        raise BadOptionError(f"'{place}' {what}; give another folder to save in.")
    _require_names(folder, folder.relative_to(place).parts)
    return place


def _mode(path: Path) -> int | None:
    """Return what is at a path, or None where nothing is."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116  # Path.exists passes errors over
    except OSError as error:
        if error.errno in NOT_THERE:
            return None
        raise


def _require_names(folder: Path, names: Iterable[str]) -> None:
    """Refuse names of folders to be made that are too long."""
    for name in names:
        if len(os.fsencode(name)) > 255:
            raise BadOptionError(
                f"The name of the folder '{_shortened(folder)}' is too long; a part of "
                "it may have 255 bytes."
            )


def _require_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Try to write what will be needed, or the beginning of it."""
    try:
        free = shutil.disk_usage(folder).free
        if free >= needed_bytes:
            with tempfile.TemporaryFile(dir=folder) as trial:
                trial.write(bytes(min(needed_bytes, MOST_TRIED_BYTES)))
                trial.flush()
            return
    except OSError as error:
        if error.errno not in FULL:
            raise BadOptionError(
                f"Nothing can be written to '{folder}' ({reason(error)}); give another "
                "folder to save in."
            ) from error
        free = 0
    raise CannotSaveError(
        f"There is too little space in '{folder}': {free >> 10} KiB are free, and "
        f"{what} takes some {needed_bytes >> 10} KiB; make room, or save in another "
        "folder."
    )


def _elsewhere() -> Iterator[Path]:
    try:
        yield Path.home() / RESCUED
    except RuntimeError:  # there is no home
        pass
    yield Path(tempfile.gettempdir()) / f"{RESCUED}-{os.getpid()}"


def _shortened(folder: Path) -> str:
    text = str(folder)
    return text if len(text) <= 200 else f"{text[:200]}…"
