"""Lines that fit the terminal; what programs read keeps one line for each row."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence


def columns() -> int | None:
    """Return how many columns there are; None where nobody looks at a terminal.

    `COLUMNS` says so everywhere.
    """
    if os.environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty():
        return shutil.get_terminal_size().columns or None
    return None


def wrapped(start: str, text: str, width: int | None, *, whole: bool = False) -> str:
    """Return a text after a start, its other lines below its first.

    Args:
        whole: keep words whole, such as those of a command, even if they are too long.
    """
    if width is None or len(start) + len(text) <= width:
        return start + text
    indent = " " * len(start) if len(start) <= width // 2 else "    "
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=" " * len(start),
        subsequent_indent=indent,
        break_long_words=not whole,
        break_on_hyphens=False,
    )
    return start + "\n".join(lines)[len(start) :]


def table(rows: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    """Yield the lines of a table whose first row is its head.

    Where it is too wide, each row becomes a block: its first cell, and below that the
    others behind the head of their column.
    """
    head, *body = rows
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    if width is None or sum(widths) + 2 * (len(widths) - 1) <= width:
        for row in rows:
            cells = (cell.ljust(size) for cell, size in zip(row, widths, strict=True))
            yield "  ".join(cells).rstrip()
        return
    label = max(len(name) for name in head[1:])
    for number, (first, *others) in enumerate(body):
        if number:
            yield ""
        yield first
        for name, cell in zip(head[1:], others, strict=True):
            yield wrapped(f"  {name.lower():<{label}}  ", cell, width)


def readable(size: int) -> str:
    """Return a number of bytes as people read it."""
    if size < 1e6:
        return f"{size / 1e3:,.0f} kB"
    return f"{size / 1e6:,.0f} MB" if size < 1e9 else f"{size / 1e9:,.2f} GB"
