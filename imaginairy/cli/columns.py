"""Lines that fit the terminal; what programs read keeps one line for each row."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence


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
    yield from grouped(head, {"": body}, width)


def grouped(
    head: Sequence[str],
    groups: Mapping[str, Sequence[Sequence[str]]],
    width: int | None,
) -> Iterator[str]:
    """Yield the lines of a table whose rows stand in groups, each below its title."""
    every = [head, *(row for rows in groups.values() for row in rows)]
    widths = [max(len(row[column]) for row in every) for column in range(len(head))]
    fits = width is None or sum(widths) + 2 * (len(widths) - 1) <= width
    if fits:
        yield _line(head, widths)
    for number, (title, rows) in enumerate(groups.items()):
        if title and (number or fits):
            yield ""
        if title:
            yield f"{title}:"
        if fits:
            yield from (_line(row, widths) for row in rows)
        else:
            yield from _blocks(head, rows, width)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(size) for cell, size in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()


def _blocks(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None
) -> Iterator[str]:
    label = max(len(name) for name in head[1:])
    for number, (first, *others) in enumerate(rows):
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
