"""What click says of bad use, printed as all else is: it repeats what was typed."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from imaginairy.cli.run import say
from imaginairy.errors import clipped


class Refusal(click.ClickException):
    """An error of click's, which is shown through `say`."""

    def __init__(self, error: click.ClickException) -> None:
        super().__init__(error.format_message())
        self.error = error
        self.exit_code = error.exit_code  # type: ignore[misc]

    def show(self, file: Any = None) -> None:
        """Print what click would, with nothing in it that a terminal would obey."""
        whole = io.StringIO()
        self.error.show(whole)
        say(clipped(whole.getvalue().rstrip("\n")), err=True)


class PlainCommand(click.Command):
    """A command that starts a program; of it and of those below it click says so."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """Read what was typed."""
        with _refusing():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was typed."""
        with _refusing():
            return super().invoke(ctx)


class PlainGroup(PlainCommand, click.Group):
    """The same with commands below it."""


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except Refusal:
        raise
    except click.ClickException as error:
        raise Refusal(error) from error
