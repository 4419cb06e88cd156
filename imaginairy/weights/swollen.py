"""Checkpoints of PyTorch that would fill the memory, told before they are read."""

import io
import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.log import shortened
from imaginairy.printable import printable
from imaginairy.weights.nested import is_endless

LONGEST_PICKLE = 1_500_000
"""Bytes of what tells of the tensors in a file; 100 to 200 are usual for each. What
they become in memory may be 80 times as much."""
MOST = f"{LONGEST_PICKLE / 1e6:.1f} MB"
LONGEST_LIST = 2_500_000
"""Bytes of the list of what is in an archive; about 100 are usual for each tensor. What
they become in memory may be 10 times as much."""
PICKLES = 5
"""How many a file of before archives begins with: a number, a version, what the machine
was like, the tensors, and where their numbers lie."""
ROOM = re.compile(rb"c(__builtin__|builtins)\nbytearray\n")
"""The one function that pickles may call and that fills as much memory as they say."""
MAKES, MOST_MADE = b"R", 60_000
"""How a pickle makes a tensor, and how often at most; twice for each is usual."""
END, END_64, LINK_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
LEAST_END = 22
"""Bytes of an archive's end without a comment."""
NOT_HERE = 0xFFFFFFFF
"""What stands in place of a length that is written elsewhere."""
READ = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
MOST_BEHIND_END = 1 << 17
"""Bytes of a file in which an archive's end is looked for."""


def refuse_swollen(path: Path, *, is_archive: bool) -> None:
    """Refuse a pickle that would become far more in memory than it is on disk.

    Raises:
        CheckpointError: it would, or it is an archive that cannot be judged.
    """
    if _archive_asks(path) if is_archive else _pickles_ask(path):
        raise CheckpointError(
            f"'{path}' asks to load 'builtins.bytearray', which could fill the memory, "
            "and was refused; use a .safetensors version of it."
        )


def refuse_long_list(path: Path) -> None:
    """Refuse an archive of more entries than any model has, before they are listed.

    Raises:
        CheckpointError: it has.
    """
    size = _length_of_list(path)
    if size > LONGEST_LIST:
        raise CheckpointError(
            f"'{path}' lists what is in it in {size / 1e6:.1f} MB; up to "
            f"{LONGEST_LIST / 1e6:.1f} MB of that are read, more than any model needs; "
            "use a .safetensors version of it."
        )


def _length_of_list(path: Path) -> int:
    """Return how many bytes an archive's list of entries says it has."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MOST_BEHIND_END))
        ended = file.read()
        last = len(ended) - LEAST_END
        ends = ended.startswith(END, max(last, 0)) and ended.endswith(b"\0\0")
        at = last if ends else ended.rfind(END)
        if at < 0:
            return 0
        lengths = [_number(ended[at + 12 : at + 16])]
        link = ended[max(0, at - 20) : at]
        if link.startswith(LINK_64):
            before = size - len(ended) + at - 20 - 56
            for place in (before, _number(link[8:16])):
                file.seek(min(max(place, 0), size))
                record = file.read(56)
                if record.startswith(END_64):
                    lengths.append(_number(record[40:48]))
    return max((length for length in lengths if length != NOT_HERE), default=1)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _pickles_ask(path: Path) -> bool:
    """Tell whether the pickles that a file begins with ask for room.

    Raises:
        CheckpointError: they are longer than those of any model.
    """
    with path.open("rb") as file:
        start = io.BytesIO(file.read(LONGEST_PICKLE + 1))
    try:
        for _ in range(PICKLES):
            for _ in pickletools.genops(start):
                pass
    except Exception:  # of any kind, where it is cut short or broken
        size = len(start.getbuffer())
        if start.tell() == size > LONGEST_PICKLE:
            raise CheckpointError(
                _too_long(path, f"more than {LONGEST_PICKLE / 1e6:.1f} MB")
            ) from None
    end = start.tell()
    start.seek(0)
    for _ in range(PICKLES):
        _require_end(path, start)
    return _asks(path, start.getvalue()[:end])


def _archive_asks(path: Path) -> bool:
    """Tell whether the pickle in an archive asks for room, and is no longer than any.

    What is packed counts too, by the size that it says it has when it is unpacked.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            told = [entry for entry in opened.infolist() if _is_told(entry)]
            size = sum(entry.file_size for entry in told)
            if size > LONGEST_PICKLE:
                raise CheckpointError(_too_long(path, f"{size / 1e6:.1f} MB"))
            if not {entry.compress_type for entry in told} <= READ:
                raise ValueError("packed in a way that PyTorch does not read")
            for entry in told:
                if entry.filename.endswith(".pkl"):
                    _require_end(path, opened.read(entry))
            return any(_asks(path, opened.read(entry)) for entry in told)
    except CheckpointError:
        raise
    except Exception as error:  # of any kind, where it is broken
        if not _length_of_list(path):
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


def _too_long(path: Path, size: str) -> str:
    return (
        f"'{path}' tells of its tensors in {size}; up to {MOST} of that are read, more "
        "than any model needs; use a .safetensors version of it."
    )


def _asks(path: Path, pickled: bytes) -> bool:
    """Tell whether a pickle asks for room, and makes no more than any model does.

    Raises:
        CheckpointError: it makes more.
    """
    if pickled.count(MAKES) > MOST_MADE:
        raise CheckpointError(
            f"'{path}' makes more than {MOST_MADE} tensors and other things, which no "
            "model needs, and was refused; use a .safetensors version of it."
        )
    return ROOM.search(pickled) is not None


def _is_told(entry: zipfile.ZipInfo) -> bool:
    packed = entry.compress_type != zipfile.ZIP_STORED
    return packed or entry.filename.endswith(".pkl")


def require_laid_out(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Check that each tensor's numbers lie in the file, not one of them many times.

    Raises:
        CheckpointError: one has more of them than there is room for, or all together
            take more than the file has.
    """
    held: dict[int, int] = {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        there = storage.nbytes() // tensor.element_size()
        if tensor.numel() > there:
            raise CheckpointError(
                f"'{path}' holds the tensor '{printable(shortened(name, 60))}' of "
                f"{tensor.numel()} numbers in room for {there}, and was refused; use a "
                ".safetensors version of it."
            )
    size, whole = sum(held.values()), path.stat().st_size
    if size > whole + LONGEST_PICKLE:  # of which a little may be packed
        raise CheckpointError(
            f"'{path}' says that its tensors have {size / 1e6:.1f} MB and has "
            f"{whole / 1e6:.1f} MB, and was refused; use a .safetensors version of it."
        )
