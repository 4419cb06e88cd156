"""Tags in picture files: everything that made a picture, and back."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Return `read_written` for programs that import it from here; see `read`."""
    if name != "read_written":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from imaginairy.metadata.read import read_written

    return read_written
