"""How much memory there is, how much of it is free, and whether little is to be taken.

Nothing here needs torch.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from imaginairy.errors import BadOptionError, in_words

VARIABLE = "IMAGINAIRY_LOW_MEMORY"
SAID = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("", "0", "false", "f", "no", "n", "off"), False),
}
"""What the environment may say, as the commands read it."""
MEMINFO = Path("/proc/meminfo")
"""Where Linux tells how much memory is free."""
CGROUP = Path("/sys/fs/cgroup")
LIMITS = (CGROUP / "memory.max", CGROUP / "memory" / "memory.limit_in_bytes")
"""Where it tells how much a container may take, in the second and the first version."""


def wants_low_memory(asked: object = None) -> bool:
    """Tell whether little memory is to be taken.

    Args:
        asked: whether it is; None does what the environment asks for.

    Raises:
        BadOptionError: that is neither yes nor no.
    """
    if isinstance(asked, bool):
        return asked
    if asked is not None:
        raise BadOptionError(f"low_memory is True or False, not {in_words(asked)}.")
    given = os.environ.get(VARIABLE, "")
    said = SAID.get(given.strip().lower())
    if said is None:
        raise BadOptionError(
            f"The environment variable {VARIABLE} '{in_words(given)}' is neither 1 nor "
            "0; set one of them, or nothing."
        )
    return said


def memory() -> tuple[int | None, int | None]:
    """Return how many bytes of memory are free, and how many there are.

    In a container there are no more than that may take.
    """
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None, None
    total = min([total, *_limits()])
    try:
        text = MEMINFO.read_text()
    except OSError:
        return total, total
    available = re.search(r"MemAvailable:\s+(\d+) kB", text)
    return min(int(available[1]) * 1024 if available else total, total), total


def _limits() -> Iterator[int]:
    for file in LIMITS:
        try:
            yield int(file.read_text())
        except (OSError, ValueError):  # none, or `max`
            pass
