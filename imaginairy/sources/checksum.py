"""The sums of weight files, computed once and remembered."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from platformdirs import user_cache_path

from imaginairy.whole_files import clear_abandoned, whole_file

BLOCK = 2**24
SHA256 = re.compile(r"[0-9a-f]{64}")


def checksum(files: Sequence[Path]) -> str:
    """Return the SHA-256 of a weight file, or of the sums of several, one a line.

    A sum once made is remembered with the file's path, size and time of change. What a
    file is called says nothing of what is in it.
    """
    sums = [_sum_of(file.resolve()) for file in files]
    if len(sums) == 1:
        return sums[0]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


@dataclass(frozen=True)
class Checksum:
    """Gives the SHA-256 of weight files, which is summed up when it is first asked for.

    It may be sent to another process, which has the files too.
    """

    files: tuple[Path, ...]

    def __call__(self) -> str:
        """Return it; see `checksum`."""
        return self._sum

    @cached_property
    def _sum(self) -> str:
        return checksum(self.files)


@dataclass(frozen=True)
class AdapterChecksums:
    """Gives the SHA-256 of an adapter's file, and that of its tensors alone."""

    path: Path

    def __call__(self) -> tuple[str, str]:
        """Return both."""
        return checksum([self.path]), checksum_of_tensors(self.path)


def checksum_of_tensors(file: Path) -> str:
    """Return the SHA-256 of the tensors of safetensors alone, of other files of all.

    By it the web UIs know adapters: it stays the same where metadata change. It is
    remembered too.
    """
    return _sum_of(file.resolve(), tensors_at(file))


def tensors_at(file: Path) -> int:
    """Return where in a file of safetensors the tensors begin; 0 in any other file."""
    with file.open("rb") as opened:
        start = opened.read(9)
    length = int.from_bytes(start[:8], "little")
    is_safe = start[8:] == b"{" and length <= file.stat().st_size - 8
    return length + 8 if is_safe else 0


def summed(file: Path, begin: int = 0) -> str:
    """Read a file, from a place on, and return its SHA-256."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        opened.seek(begin)
        while block := opened.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def remember(file: Path, digest: str, begin: int = 0) -> None:
    """Keep the sum of a file, as it is now, in the user's cache."""
    memory = _memory_of(file.resolve(), begin)
    clear_abandoned(memory.parent)
    try:
        with whole_file(memory) as place:
            place.write_text(digest)
    except OSError:
        pass  # a cache that cannot be written to costs time, no more


def _sum_of(file: Path, begin: int = 0) -> str:
    try:
        if SHA256.fullmatch(known := _memory_of(file, begin).read_text()):
            return known
    except (OSError, ValueError):
        pass  # not kept, or not for us to read
    digest = summed(file, begin)
    remember(file, digest, begin)
    return digest


def _memory_of(file: Path, begin: int) -> Path:
    status = file.stat()
    key = f"{file}|{status.st_size}|{status.st_mtime_ns}" + f"|{begin}" * bool(begin)
    name = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
    return user_cache_path("imaginairy") / "sha256" / name
