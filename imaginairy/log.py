"""What the library says in words while it works."""

import logging
import re

COMMANDING = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that command a terminal or turn the order of others round, and those that
are none; only tabs and ends of lines are let through."""


def printable(text: str) -> str:
    """Return a text with nothing in it that a terminal would obey."""
    return COMMANDING.sub("\N{REPLACEMENT CHARACTER}", text)


class Printable(logging.Filter):
    """Lets everything that is said through, as `printable` has it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the words that are shown in place of those that were given."""
        record.msg, record.args = printable(record.getMessage()), None
        return True


log = logging.getLogger("imaginairy")
"""What the library says in words; a program decides how much of it is shown."""
log.addFilter(Printable())


def shortened(text: str, most: int = 80) -> str:
    """Return a text as one line of so many characters at most, for a log."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
