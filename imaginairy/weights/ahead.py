"""Files of weights read into memory by the system, before anybody asks for them."""

import os
from collections.abc import Iterable
from pathlib import Path
from threading import Thread

LITTLE = 1 << 26
"""Bytes; files that are no larger are there in no time."""
AT_ONCE = 1 << 23
"""Bytes that the system is asked for at a time; of more, Linux reads only so many."""
SHARE = 0.5
"""Of the free memory, which is the most that is read ahead: more would drive out what
was read first."""


def read_ahead(files: Iterable[Path], free: int | None) -> Thread | None:
    """Ask the system to read files while something else is done.

    What it has in memory already costs nothing. Where it cannot be asked, nothing is
    done.

    Args:
        free: bytes of memory; None where nobody says.

    Returns:
        The thread that asks; None where there is none.
    """
    if not hasattr(os, "posix_fadvise"):
        return None
    sizes = {file: file.stat().st_size for file in files}
    large = [file for file, size in sizes.items() if size > LITTLE]
    if not large or (free is not None and sum(sizes.values()) > SHARE * free):
        return None
    asking = Thread(target=_ask_for, args=(large,), name="read ahead", daemon=True)
    asking.start()
    return asking


def _ask_for(files: Iterable[Path]) -> None:
    """Ask for all of some files; each question waits until the disk has time for it."""
    for file in files:
        try:
            with file.open("rb") as opened:
                for start in range(0, file.stat().st_size, AT_ONCE):
                    os.posix_fadvise(
                        opened.fileno(), start, AT_ONCE, os.POSIX_FADV_WILLNEED
                    )
        except OSError:
            return  # a file that is gone, or a place that cannot be asked
