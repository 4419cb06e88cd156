"""Checkpoints of PyTorch that would fill the memory, told before they are read."""

import mmap
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.log import printable, shortened
from imaginairy.weights.nested import is_endless

LONGEST_PICKLE = 2_500_000
"""Bytes of what tells of the tensors in an archive; 100 to 200 are usual for each. What
they become in memory may be 80 times as much."""
ROOM = re.compile(rb"c(__builtin__|builtins)\nbytearray\n")
"""The one function that pickles may call and that fills as much memory as they say."""
PICKLES = 5
"""How many a checkpoint of before 2020 has, the last of which names the storages."""
END = b"PK\x05\x06"
MOST_BEHIND_END = 1 << 17
"""Bytes of a file in which an archive's end is looked for."""


def refuse_swollen(path: Path, *, is_archive: bool) -> None:
    """Refuse a pickle that would become far more in memory than it is on disk.

    Raises:
        CheckpointError: it would, or it is an archive that cannot be judged.
    """
    if is_archive:
        asks = _archive_asks(path)
    else:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            asks = ROOM.search(mapped) is not None
            for _ in range(PICKLES):
                _require_end(path, mapped)
    if asks:
        raise CheckpointError(
            f"'{path}' asks to load 'builtins.bytearray', which could fill the memory, "
            "and was refused; use a .safetensors version of it."
        )


def _archive_asks(path: Path) -> bool:
    """Tell whether the pickle in an archive asks for room, and is no longer than any.

    What is packed counts too, by the size that it says it has when it is unpacked.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            told = [entry for entry in opened.infolist() if _is_told(entry)]
            size = sum(entry.file_size for entry in told)
            if size > LONGEST_PICKLE:
                raise CheckpointError(
                    f"'{path}' tells of its tensors in {size / 1e6:.1f} MB; up to "
                    f"{LONGEST_PICKLE / 1e6:.1f} MB of that are read, more than any "
                    "model needs; use a .safetensors version of it."
                )
            for entry in told:
                if entry.filename.endswith(".pkl"):
                    _require_end(path, opened.read(entry))
            return any(ROOM.search(opened.read(entry)) for entry in told)
    except CheckpointError:
        raise
    except Exception as error:  # of any kind, where it is broken
        if not _has_end(path):
            return False  # cut short, which torch says before it reads anything
        raise CheckpointError(
            f"'{path}' is a broken PyTorch checkpoint "
            f"({shortened(str(error) or type(error).__name__)}); download it again."
        ) from error


def _require_end(path: Path, pickled: Any) -> None:
    if is_endless(pickled):
        raise CheckpointError(
            f"'{path}' holds values in each other so often that reading them would "
            "never end, and was refused; use a .safetensors version of it."
        )


def _is_told(entry: zipfile.ZipInfo) -> bool:
    packed = entry.compress_type != zipfile.ZIP_STORED
    return packed or entry.filename.endswith(".pkl")


def _has_end(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MOST_BEHIND_END))
        return END in file.read()


def require_laid_out(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Check that each tensor's numbers lie in the file, not one of them many times.

    Raises:
        CheckpointError: one has more of them than there is room for.
    """
    for name, tensor in tensors.items():
        there = tensor.untyped_storage().nbytes() // tensor.element_size()
        if tensor.numel() > there:
            raise CheckpointError(
                f"'{path}' holds the tensor '{printable(shortened(name, 60))}' of "
                f"{tensor.numel()} numbers in room for {there}, and was refused; use a "
                ".safetensors version of it."
            )
