"""What the library says in words while it works."""

import logging

log = logging.getLogger("imaginairy")
"""What the library says in words; a program decides how much of it is shown."""


def shortened(text: str, most: int = 80) -> str:
    """Return a text as one line of so many characters at most, for a log."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
