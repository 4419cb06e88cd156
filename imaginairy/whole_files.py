"""Files that appear under their names only when they are whole.

Each is written beside its place under a hidden name and moved there at the end. What is
being written is locked, so that what a run left that was killed can be told from what
another run is at.
"""

import io
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

NEEDED = ("icc_profile", "transparency")
"""What pictures carry that their colours need."""

if TYPE_CHECKING:
    from PIL.Image import Image

try:
    import fcntl
except ImportError:  # Windows has other locks; there nothing is taken for abandoned
    fcntl = None  # type: ignore[assignment]

Seal = Callable[[bytes, str], bytes]
"""Adds to a file of a format, by Pillow's name, what vouches for it."""
TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.part(\.\w+)?")
"""How files are called while they are written; their ending stays."""
WRITING = "being-written"
"""The file in a folder that is being written that is locked as long as it is."""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let what is begun be finished before Ctrl-C ends it; a second one does not wait.

    Python tells the main thread of it alone, between any two of its instructions.
    """
    before = signal.getsignal(signal.SIGINT)
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or before is None or isinstance(before, _Presses):
        yield
        return
    presses = _Presses(before)
    signal.signal(signal.SIGINT, presses)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if presses.number == 1:
            signal.raise_signal(signal.SIGINT)


class _Presses:
    """Counts Ctrl-C, and leaves the second to what hears it otherwise."""

    def __init__(self, before: Any) -> None:
        self.before = before
        self.number = 0

    def __call__(self, *_: object) -> None:
        self.number += 1
        if self.number > 1:
            signal.signal(signal.SIGINT, self.before)
            signal.raise_signal(signal.SIGINT)


@contextmanager
def whole_file(
    path: Path, *, within: Path | None = None, waits: bool = True
) -> Iterator[Path]:
    """Give a place to write a file to, and move it to its own when it is whole.

    Where that fails or is interrupted, nothing is left of it and what was there before
    stays; Ctrl-C waits for the end. What the system refuses names the file.

    Args:
        within: the folder it is written in meanwhile, on the same file system; its own
            by default, which is made where it is not there.
        waits: whether Ctrl-C waits for the end, which is to be near.
    """
    with uninterrupted() if waits else nullcontext():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, held = _held_in(within or path.parent, path.suffix)
        try:
            yield temporary
            temporary.replace(path)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            ours = (None, str(temporary))
            if isinstance(error, OSError) and error.errno and error.filename in ours:
                error.filename = str(path)
            raise
        finally:
            held.close()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write to, and move it to its own place when it is whole.

    A folder that was there before is gone then. Where it fails or is interrupted, for
    which Ctrl-C does not wait, nothing is left of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{uuid4().hex}.part"
    try:
        temporary.mkdir()
        with hold(temporary / WRITING):
            yield temporary
        (temporary / WRITING).unlink()
        with uninterrupted():
            _exchange(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _exchange(new: Path, path: Path) -> None:
    """Put a folder in the place of another, which is removed."""
    if not path.exists():
        new.replace(path)
        return
    old = path.parent / f".{uuid4().hex}.part"
    path.replace(old)
    try:
        new.replace(path)
    except BaseException:
        old.replace(path)
        raise
    shutil.rmtree(old)


def save_whole(
    image: "Image",
    path: Path,
    kind: str,
    *,
    within: Path | None = None,
    seal: Seal | None = None,
    **options: Any,
) -> None:
    """Save a picture in a format of Pillow's; see `whole_file`.

    It is encoded in memory, for Pillow does not notice a disk that is full half-way.

    Args:
        within: see `whole_file`.
        seal: makes of the encoded file what is saved.
        options: Pillow's.
    """
    whole = encoded(image, kind, seal=seal, **options)
    with whole_file(path, within=within) as place:
        place.write_bytes(whole)


def encoded(
    image: "Image", kind: str, *, seal: Seal | None = None, **options: Any
) -> bytes | memoryview:
    """Return the file of a picture in a format of Pillow's.

    Nothing goes into it that the options do not name, whatever Pillow noted on the
    picture where it was read.

    Args:
        seal: makes of the file what is returned.
        options: Pillow's.
    """
    if "append_images" in options:
        options["append_images"] = list(map(_plain, options["append_images"]))
    data = io.BytesIO()
    _plain(image).save(data, kind, **options)
    return data.getbuffer() if seal is None else seal(data.getvalue(), kind)


def _plain(image: "Image") -> "Image":
    """Return a picture that carries nothing but what its colours need."""
    plain = image.copy()
    plain.info = {name: image.info[name] for name in NEEDED if name in image.info}
    return plain


def hold(path: Path) -> IO[bytes]:
    """Make a file that is known to be in use until it is closed or we are killed.

    Raises:
        FileExistsError: it is there already, or was at once cleared away.
    """
    file = path.open("xb")
    try:
        lock(file)
    except BlockingIOError:  # by `clear_abandoned`, before it was locked here
        file.close()
        raise FileExistsError(str(path)) from None
    except OSError:  # a file system without locks
        file.close()
        return file
    if not is_at(file, path):
        file.close()
        raise FileExistsError(str(path))
    return file


def remove_unused(path: Path) -> None:
    """Remove a file that was made by `hold`, unless it is in use."""
    with suppress(OSError), path.open("r+b") as file:
        lock(file)
        if is_at(file, path):
            path.unlink()


def clear_abandoned(folder: Path, names: re.Pattern[str] = TEMPORARY) -> None:
    """Remove what runs that were killed left in a folder and in those right below it.

    Args:
        names: how such files are called; all of them were made by `hold`.
    """
    found: list[Path] = []
    with suppress(OSError):
        found += folder.glob(".*")
        found += folder.glob("*/.*")
    for path in found:
        if names.fullmatch(path.name):
            remove_unused(path)


def clear_abandoned_folders(folder: Path) -> None:
    """Remove the folders in a folder that runs that were killed had begun to write."""
    found: list[Path] = []
    with suppress(OSError):
        found += folder.glob(f".*/{WRITING}")
    for held in found:
        if TEMPORARY.fullmatch(held.parent.name):
            with suppress(OSError), held.open("r+b") as file:
                lock(file)
                if is_at(file, held):
                    shutil.rmtree(held.parent)


def _held_in(folder: Path, ending: str) -> tuple[Path, IO[bytes]]:
    while True:
        path = folder / f".{uuid4().hex}.part{ending}"
        with suppress(FileExistsError):
            return path, hold(path)


def lock(file: IO[bytes]) -> None:
    """Lock a file, or raise an OSError: a BlockingIOError where it is in use."""
    if fcntl is None:
        raise OSError("There are no such locks here.")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_at(file: IO[bytes], path: Path) -> bool:
    """Tell whether it is this file that still lies at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False
