"""How every command ends: with a message and a code, never with a traceback."""

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from imaginairy.errors import (
    BadImageError,
    BadOptionError,
    ImaginairyError,
    UnknownModelError,
)

Command = TypeVar("Command", bound=Callable[..., Any])

BAD_USE = (BadOptionError, BadImageError, UnknownModelError)
INTERRUPTED = 130
"""The exit code that shells know for Ctrl-C."""


def reporting_errors(command: Command) -> Command:
    """Show an error as one line: exit code 2 for bad use, 1 for what went wrong."""

    @functools.wraps(command)
    def reported(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ImaginairyError as error:
            _stop(str(error), 2 if isinstance(error, BAD_USE) else 1)
        except BrokenPipeError:
            raise
        except OSError as error:
            name = f" '{error.filename}'" if error.filename else ""
            _stop(f"The file system refused{name}: {error.strerror or error}.", 1)
        except MemoryError:
            _stop("There is not enough memory; try a smaller picture.", 1)
        except RuntimeError as error:
            if "out of memory" not in str(error) and "alloc" not in str(error):
                raise
            _stop("There is not enough memory; try a smaller picture.", 1)
        except KeyboardInterrupt:
            _stop("Stopped; what was saved stays.", INTERRUPTED)

    return reported  # type: ignore[return-value]


def _stop(message: str, code: int) -> None:
    click.echo(f"Error: {message}" if code != INTERRUPTED else message, err=True)
    sys.exit(code)


class _Lines(logging.Handler):
    """Show log lines through click, past any progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stderr)


def show_log(level: str) -> None:
    """Show this library's own log from a level on, as plain lines."""
    log = logging.getLogger("imaginairy")
    log.handlers = [_Lines()]
    log.setLevel(level.upper())
    log.propagate = False
