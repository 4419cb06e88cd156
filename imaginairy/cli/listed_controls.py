"""What `aimg models` lists of controls: the catalog's, and those in the folders."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imaginairy.cli.columns import grouped, readable, table, wrapped
from imaginairy.cli.model_page import size_and_place
from imaginairy.families.table import FAMILIES
from imaginairy.sources.control_rows import CONTROL_ROWS
from imaginairy.sources.rows import ControlRow

if TYPE_CHECKING:
    from imaginairy.models.known_adapters import KnownAdapter

TITLE = "Controls, for --control NAME or, the first that takes it, --control HINT:"
FOUND = "Controls in your folders:"


def controls_by_family() -> dict[str, list[ControlRow]]:
    """Return the controls of the catalog by the title of the family they are for."""
    families = sorted(FAMILIES, key=lambda family: family.name)
    found = {
        family.title: [row for row in CONTROL_ROWS if row.family == family.name]
        for family in families
    }
    return {title: rows for title, rows in found.items() if rows}


def controls_found() -> "list[KnownAdapter]":
    """Return the controls in the user's folders, and beside the default model."""
    from imaginairy.models.known_adapters import known_adapters
    from imaginairy.sources.locate import existing
    from imaginairy.sources.own_default import own_default
    from imaginairy.sources.shelves import CONTROLS

    own = own_default()
    return [*known_adapters(existing(own.name) if own else None, CONTROLS)]


def lines_of_controls(width: int | None) -> Iterator[str]:
    """Yield the lines about controls."""
    head = ("NAME", "SIZE", "ON DISK", "HINT", "WHAT IT IS", "LICENCE")
    rows = {
        title: [
            (
                row.name,
                *size_and_place(row),
                row.hint or f"{len(row.hints)} kinds",
                row.summary,
                row.licence,
            )
            for row in rows
        ]
        for title, rows in controls_by_family().items()
    }
    yield wrapped("", TITLE, width)
    yield from grouped(head, rows, width)
    if found := controls_found():
        yield ""
        yield wrapped("", FOUND, width)
        facts = [
            (
                each.name,
                readable(each.size),
                each.kind or "not said",
                each.family or "not said",
            )
            for each in found
        ]
        yield from table([("NAME", "SIZE", "KIND", "FOR"), *facts], width)
