"""What a test may use of the machine."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = resource.getpagesize()


def pages() -> tuple[int, int]:
    """Return the pages that this process has asked for, and those that it has."""
    asked, held, *_ = Path("/proc/self/statm").read_text().split()
    return int(asked), int(held)


def resident_bytes() -> int:
    """Return how much memory this process holds now."""
    return pages()[1] * PAGE


@contextmanager
def little_memory(more: int) -> Iterator[None]:
    """Let this process ask for so many bytes more and no others."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages()[0] * PAGE + more, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
