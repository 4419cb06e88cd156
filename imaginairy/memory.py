"""How much memory there is, and how much of it is free; nothing here needs torch."""

import os
import re
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
"""Where Linux tells how much memory is free."""


def memory() -> tuple[int | None, int | None]:
    """Return how many bytes of memory are free, and how many there are."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None, None
    try:
        text = MEMINFO.read_text()
    except OSError:
        return total, total
    available = re.search(r"MemAvailable:\s+(\d+) kB", text)
    return (int(available[1]) * 1024 if available else total), total
