"""Where a run's files are put: a folder, or any address that fsspec knows.

A file appears under its name only when it is whole.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from imaginairy.errors import BadOptionError, CannotSaveError, in_words
from imaginairy.fleet.addresses import LOCAL, is_address, opened, said_by, shown
from imaginairy.places import require_places
from imaginairy.whole_files import clear_abandoned, whole_file

OF_OBJECTS = {
    "abfs", "abfss", "adl", "az", "gcs", "gs", "hf", "memory", "oci", "oss", "r2", "s3",
    "s3a",
}  # fmt: skip
"""Protocols whose objects appear when they are whole, so that none has to be moved."""
READ_ONLY = {"http", "https"}


class Files(ABC):
    """The files below one place, by names such as `ab/fox.jpg`."""

    shown: str
    """How messages call the place."""

    @abstractmethod
    def require_usable(self) -> None:
        """Refuse a place in which nothing can be put, before any work.

        Raises:
            BadOptionError: nothing can be.
            CannotSaveError: there is too little space.
        """

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Put a file, in place of one that is there.

        Raises:
            CannotSaveError: it cannot be put.
        """

    def settle(self, names: Iterable[str]) -> None:  # noqa: B027
        """Wait until files stay where they are, even if the machine goes off."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None where there is none."""

    @abstractmethod
    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file; none where there is no such file."""

    @abstractmethod
    def names(self, folder: str = "") -> Iterator[str]:
        """Yield what is in the place, or a folder below it: names of files, and of
        folders with a `/` behind them."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, where it is there."""

    @abstractmethod
    def address(self, name: str) -> str:
        """Return where a file lies, as users are told."""

    def clear(self) -> None:  # noqa: B027  # where files are put there is nothing
        """Remove what processes left that were killed while they wrote."""


class LocalFiles(Files):
    """Those of a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown = str(folder)

    def require_usable(self) -> None:
        require_places([self.folder])

    def write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        with _told(self.address(name)), whole_file(path) as place:
            place.write_bytes(data)

    def settle(self, names: Iterable[str]) -> None:
        for name in names:
            with (
                _told(self.address(name)),
                (self.folder / name).open("rb") as file,
                suppress(OSError),  # of a file system that cannot be told to
            ):
                os.fsync(file.fileno())

    def read(self, name: str) -> bytes | None:
        with _told(self.address(name)):
            try:
                return (self.folder / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def lines(self, name: str) -> Iterator[bytes]:
        with suppress(FileNotFoundError), (self.folder / name).open("rb") as file:
            yield from file

    def names(self, folder: str = "") -> Iterator[str]:
        with (
            suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self.folder / folder) as found,
        ):
            for each in found:
                yield f"{each.name}/" if each.is_dir() else each.name

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def address(self, name: str) -> str:
        return str(self.folder / name)

    def clear(self) -> None:
        clear_abandoned(self.folder)


class FsspecFiles(Files):
    """Those below an address that fsspec knows.

    Raises:
        BadOptionError: it knows none such, or lacks a package for it.
    """

    def __init__(self, address: str) -> None:
        self.shown = shown(address)
        if not self.shown.endswith("://"):
            self.shown = self.shown.rstrip("/")
        self.fs, self.root = opened(address)
        if READ_ONLY.intersection(_protocols(self.fs)):
            raise BadOptionError(
                f"'{self.shown}' can only be read; give a path, or an address such as "
                "s3://bucket/images."
            )

    def require_usable(self) -> None:
        name = f"_{uuid4().hex}.tmp"
        try:
            self.write(name, b"imaginairy\n")
            self.remove(name)
        except Exception as error:
            raise BadOptionError(
                f"Nothing can be written to '{self.shown}' ({said_by(error)}); give "
                "another output, or what it needs to let you in."
            ) from None

    def write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        with _told(self.address(name)):
            if _appears_whole(self.fs):
                self.fs.pipe_file(path, data)
                return
            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            folder, _, last = path.rpartition("/")
            temporary = f"{folder}/.{uuid4().hex}.part-{last}"
            try:
                self.fs.pipe_file(temporary, data)
                self._move(temporary, path)
            except BaseException:
                with suppress(Exception):
                    self.fs.rm_file(temporary)
                raise

    def _move(self, temporary: str, path: str) -> None:
        """Move a file to its name; some systems move to none that is taken."""
        try:
            self.fs.mv(temporary, path)
        except Exception:
            if not self.fs.exists(path):
                raise
            self.fs.rm_file(path)
            self.fs.mv(temporary, path)

    def read(self, name: str) -> bytes | None:
        with _told(self.address(name)):
            try:
                data: bytes = self.fs.cat_file(self._path(name))
            except (FileNotFoundError, NotADirectoryError):
                return None
            return data

    def lines(self, name: str) -> Iterator[bytes]:
        yield from (self.read(name) or b"").splitlines(keepends=True)

    def names(self, folder: str = "") -> Iterator[str]:
        path = self._path(folder).rstrip("/")
        with _told(self.address(folder)):
            try:
                found = self.fs.ls(path, detail=True, refresh=True)
            except (FileNotFoundError, NotADirectoryError):
                return
            except TypeError:  # a system that keeps no listings
                found = self.fs.ls(path, detail=True)
        for each in found:
            name = each["name"].rstrip("/").rpartition("/")[2]
            if name and each["name"].rstrip("/") != path:
                yield f"{name}/" if each["type"] == "directory" else name

    def remove(self, name: str) -> None:
        with _told(self.address(name)), suppress(FileNotFoundError):
            self.fs.rm_file(self._path(name))

    def address(self, name: str) -> str:
        between = "" if self.shown.endswith("/") else "/"
        return f"{self.shown}{between}{name}"

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"


def files_at(address: str | Path) -> Files:
    """Return the files below a path or an address.

    Raises:
        BadOptionError: there can be none.
    """
    text = in_words(address)
    if "\0" in text or not text.strip():
        raise BadOptionError(f"{text!r} is no place to save in; give a folder.")
    if is_address(text):
        return FsspecFiles(text)
    for start in LOCAL:
        text = text.removeprefix(start)
    return LocalFiles(Path(text).expanduser())


def _appears_whole(fs: Any) -> bool:
    return bool(OF_OBJECTS.intersection(_protocols(fs)))


def _protocols(fs: Any) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else {*fs.protocol}


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Turn what a file system raises into a sentence."""
    try:
        yield
    except (BadOptionError, CannotSaveError):
        raise
    except Exception as error:
        raise CannotSaveError(
            f"'{address}' could not be written or read ({said_by(error)})."
        ) from (error if isinstance(error, OSError) else None)
