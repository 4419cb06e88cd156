"""What is typed for a path, as a path."""

import os
from pathlib import Path
from typing import Any

import click


class NamedPath(click.Path):
    """A path that some file could have; click looks it up, where it is to be there."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Take a text as a path."""
        if not _can_be_a_name(value):
            self.fail(
                f"{str(value)!r} is no path: it holds a character that no file's name "
                "can have.", param, ctx,
            )  # fmt: skip
        return super().convert(value, param, ctx)


class PlaceName(NamedPath):
    """The same as a text, of which a / at its end is not lost."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Take a text as it is."""
        super().convert(value, param, ctx)
        return str(value)


class NamedFile(NamedPath):
    """A file that is there, or one at an address, looked up when it is read."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, allow_dash=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Take a text as a path, or as an address that it is."""
        from imaginairy.fleet.addresses import is_address

        if isinstance(value, str) and is_address(value):
            return value
        return super().convert(value, param, ctx)


def _can_be_a_name(path: str | os.PathLike[str]) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False
