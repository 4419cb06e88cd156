"""How every command ends: with a message and a code, never with a traceback."""

import functools
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from imaginairy.errors import (
    BadImageError,
    BadOptionError,
    ImaginairyError,
    NotEnoughMemoryError,
    UnknownModelError,
    clipped,
    is_short_of_memory,
)
from imaginairy.printable import printable

Command = TypeVar("Command", bound=Callable[..., Any])

BAD_USE = (BadOptionError, BadImageError, UnknownModelError)
INTERRUPTED = 130
"""The exit code that shells know for Ctrl-C."""


def reporting_errors(command: Command) -> Command:
    """Show an error as one line: exit code 2 for bad use, 1 for what went wrong."""

    @functools.wraps(command)
    def reported(*args: Any, **kwargs: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd tags
                return command(*args, **kwargs)
        except KeyboardInterrupt:
            _stop("Stopped; what was saved stays.", INTERRUPTED)
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            _stop(failure.message, failure.code)

    return reported  # type: ignore[return-value]


class Failure(NamedTuple):
    """What went wrong, for people and for programs."""

    message: str
    code: int


def code_of(error: ImaginairyError) -> int:
    """Return the exit code that an error of ours means."""
    return 2 if isinstance(error, BAD_USE) else 1


def failure_of(error: Exception) -> Failure | None:
    """Say what an error means to a user; None where it is a fault of the program."""
    match error:
        case ImaginairyError():
            return Failure(in_a_line(error), code_of(error))
        case BrokenPipeError():
            return None
        case OSError():
            name = f" '{error.filename}'" if error.filename else ""
            what = error.strerror or error
            return Failure(in_a_line(f"The file system refused{name}: {what}."), 1)
    if is_short_of_memory(error):
        return Failure(str(NotEnoughMemoryError()), 1)
    return None


def in_a_line(error: object) -> str:
    """Return what an error says, whatever ends of lines are in the names in it."""
    return str(error).replace("\n", "\N{REPLACEMENT CHARACTER}")


def say(text: str, *, err: bool = False) -> None:
    """Print a text, whatever names in it come from; all commands speak through this."""
    click.echo(printable(text), err=err)


def _stop(message: str, code: int) -> None:
    message = clipped(message)
    say(f"Error: {message}" if code != INTERRUPTED else message, err=True)
    sys.exit(code)


def show_log(level: str = "info", *, quiet: bool = False) -> None:
    """Show this library's own log from a level on, as plain lines.

    Args:
        quiet: show nothing but errors.
    """
    from imaginairy.cli.log_lines import LogLines
    from imaginairy.log import log

    log.handlers = [LogLines()]
    log.setLevel("ERROR" if quiet else level.upper())
    log.propagate = False
