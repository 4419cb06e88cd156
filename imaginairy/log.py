"""What the library says in words while it works."""

import logging

from imaginairy.printable import printable


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
