"""Which pictures of a folder were asked for how, so that a run can be resumed.

`manifest.jsonl` grows by two lines for a picture: that it is begun, right before its
file appears, and that it is saved. So a run that is killed between the two knows its
own picture, and a line that was cut off says nothing that is needed.
"""

import errno
import hashlib
import json
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from imaginairy.errors import BadImageError, BadOptionError, ImaginairyError
from imaginairy.kinds import what_stands_at
from imaginairy.pictures import read_picture
from imaginairy.schema import ImaginePrompt
from imaginairy.whole_files import is_at, lock

NAME = "manifest.jsonl"
VERSION = 1
HEAD = b'{"manifest": '
MAX_LINE_BYTES = 1 << 16
NOT_SYNCED = {errno.EINVAL, errno.ENOTSUP}
"""What file systems say that cannot be told to write at once."""
DEFAULTS = {each.name: each.default for each in fields(ImaginePrompt)}


def identity(prompt: ImaginePrompt, **besides: object) -> str:
    """Return what tells a picture from all that are asked for otherwise.

    Fields at their defaults do not count, so that those of later versions change
    nothing.

    Args:
        besides: what else is asked for of the picture.
    """
    said = prompt.to_dict()
    asked = {
        name: value
        for name, value in said.items()
        if value not in (None, [], DEFAULTS[name])
    }
    asked |= {name: value for name, value in besides.items() if value}
    whole = json.dumps(asked, sort_keys=True, default=str)
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


class Manifest:
    """The pictures of a folder by their identities, for one run at a time.

    Raises:
        BadOptionError: what lies there is no manifest of ours.
        ImaginairyError: another run uses it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME
        self.chance = random.getrandbits(63)
        """What seeds are made of that nobody gave, the same for all runs."""
        self.is_new = True
        self._names: dict[str, str] = {}
        self._identities: dict[str, str] = {}
        self._unsure: set[str] = set()
        self._open()

    def picture(self, identity: str) -> Path | None:
        """Return where a picture is, unless it is still to be drawn."""
        name = self._names.get(identity)
        if name is None or not (self.folder / name).is_file():
            return None
        path = self.folder / name
        if identity in self._unsure:
            try:
                read_picture(path)
            except BadImageError:  # of a machine that went off meanwhile
                return None
            self.saved(identity, path)
        return path

    def begun(self, identity: str, path: Path) -> None:
        """Note under which name a picture is about to appear."""
        self._append({"id": identity, "begun": path.name})
        self._note(identity, path.name, is_saved=False)

    def saved(self, identity: str, path: Path) -> None:
        """Note that a picture is there, once it stays whatever happens."""
        for place in (path, self.folder):
            with suppress(OSError):  # folders cannot be opened everywhere
                opened = os.open(place, os.O_RDONLY)
                try:
                    _sync(opened)
                finally:
                    os.close(opened)
        self._append({"id": identity, "saved": path.name})
        self._note(identity, path.name, is_saved=True)

    def close(self) -> None:
        """Let other runs use it."""
        self._file.close()

    def _note(self, identity: str, name: str, *, is_saved: bool) -> None:
        other = self._identities.get(name, identity)
        if other != identity and self._names.get(other) == name:
            del self._names[other]  # whose picture is no longer there
        self._names[identity], self._identities[name] = name, identity
        (self._unsure.discard if is_saved else self._unsure.add)(identity)

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and (other := what_stands_at(self.path)):
            raise BadOptionError(
                f"'{self.path}' is {other}, not a manifest; move it away, or save in "
                "another folder."
            )
        while True:
            self._file = self.path.open("ab", buffering=0)
            try:
                lock(self._file)
            except BlockingIOError:
                self._file.close()
                raise ImaginairyError(
                    f"Another run with --resume saves in '{self.folder}'; wait for it, "
                    "or save in another folder."
                ) from None
            except OSError:  # a file system without locks
                break
            if is_at(self._file, self.path):
                break
            self._file.close()
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> None:
        """Take in what the file says, and begin it where it says nothing."""
        lines = _lines(self.path)
        first = next(lines, b"")
        if not first.endswith(b"\n") and HEAD.startswith(first[: len(HEAD)]):
            self._file.truncate(0)  # not a line was written
            self._append({"manifest": VERSION, "chance": self.chance})
            return
        match _parsed(first):
            case {"manifest": version, "chance": int(chance)} if version == VERSION:
                self.chance = chance
                self.is_new = False
            case _:
                raise BadOptionError(
                    f"'{self.path}' is no manifest of this version of imaginairy; move "
                    "it away, or save in another folder."
                )
        last = first
        for last in lines:
            match _parsed(last):
                case {"id": str(identity), "begun": str(name)} if is_plain(name):
                    self._note(identity, name, is_saved=False)
                case {"id": str(identity), "saved": str(name)} if is_plain(name):
                    self._note(identity, name, is_saved=True)
        if not last.endswith(b"\n"):
            self._write(b"\n")

    def _append(self, said: dict[str, Any]) -> None:
        """Write a line that stays whatever happens; all of them where the file went."""
        if not is_at(self._file, self.path):
            self._file.close()
            self.is_new = True
            self._open()
            for identity, name in self._names.items():
                if (self.folder / name).is_file():
                    self._append({"id": identity, "saved": name})
        self._write(json.dumps(said).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[self._file.write(data) or 0 :]
            _sync(self._file.fileno())
        except OSError as error:
            error.filename = str(self.path)
            raise


def is_plain(name: str) -> bool:
    """Tell whether something is the name of a file and leads nowhere else."""
    return name == Path(name).name and name != ".." and "\0" not in name


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.readline(MAX_LINE_BYTES), b"")


def _parsed(line: bytes) -> Any:
    """Return what a line says; None where it was cut off."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _sync(file: int) -> None:
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in NOT_SYNCED:
            raise
