"""Everything that can go wrong, as one tree.

ImaginairyError
├── BadOptionError (ValueError)     a prompt or option has a value it cannot have
│   ├── BadPromptError              a prompt's text cannot be read
│   ├── InvalidUrlError             an image's address is not a web address
│   ├── ForeignPictureError         no model at hand knows what the image shows
│   └── MissingFileError            a file is not there (a FileNotFoundError too)
├── BadImageError (ValueError)      a file is not an image we can read
├── UnknownModelError (ValueError)  no row, file, folder or repository of that name
├── CheckpointError                 a weight file is broken, unsafe or of another design
├── DeviceError                     a device cannot be used by this process
├── CannotSaveError (OSError)       a picture cannot be saved in its place
├── NotEnoughMemoryError (MemoryError)  a picture needs more than there is
├── WorkerLostError                 a process that drew ended before it was done
├── NotFiniteError                  a network computed NaN or infinity
└── DownloadError                   weights could not be fetched
    └── HubUnreachableError         the hub, or another server, did not answer at all

Each message is one sentence or two: what was given, what is allowed, what to do.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = (
    "out of memory|can't allocate memory|alloc_cpu|bad_alloc|STATUS_ALLOC_FAILED"
    "|could not create a primitive"  # of oneDNN, which computes convolutions on a CPU
)
"""What torch says when there is no more of it."""


LONGEST_WORD = 300
"""Characters without a space that are shown of a name or a number in a message."""
WORD_WITHOUT_END = rf"(\S{{{LONGEST_WORD}}})\S+?(['\"]?[.,;:)]?)(?=\s|$)"
LONGEST_MESSAGE = 2000
CLOSING = "'\")]}>"


class ImaginairyError(Exception):
    """Anything that imaginairy reports on purpose; shown without a traceback."""

    def __str__(self) -> str:
        return clipped(super().__str__())


class BadOptionError(ImaginairyError, ValueError):
    """A prompt or option has a value it cannot have."""


class BadPromptError(BadOptionError):
    """A prompt's text cannot be read."""


class InvalidUrlError(BadOptionError):
    """An image's address is not a web address."""


class ForeignPictureError(BadOptionError):
    """An image is not of the one world that the only model at hand knows."""


class MissingFileError(BadOptionError, FileNotFoundError):
    """A file that was named is not there."""


class BadImageError(ImaginairyError, ValueError):
    """A file is not an image that can be read."""


class UnknownModelError(ImaginairyError, ValueError):
    """No catalog row, file, folder or repository goes by the name given."""


class CannotSaveError(ImaginairyError, OSError):
    """A picture cannot be saved in its place; nothing that was made is lost by that."""

    path: Path | None = None
    """Where it was saved instead."""


class CheckpointError(ImaginairyError):
    """A weight file is broken, unsafe or of another design."""


class DeviceError(ImaginairyError):
    """A device is there, but this process cannot use it."""


class NotEnoughMemoryError(ImaginairyError, MemoryError):
    """A picture needs more memory than there is, on the device or beside it."""

    def __init__(
        self, message: str = "There is not enough memory; try a smaller picture."
    ) -> None:
        super().__init__(message)

    @classmethod
    def on(
        cls, device: object, what: str = "", fits: str = "try a smaller picture"
    ) -> "NotEnoughMemoryError":
        """Say where there is not enough, and what to do.

        Args:
            what: what it is not enough for.
            fits: what can be done about it.
        """
        elsewhere = "" if str(device) == "cpu" else ", or the device 'cpu'"
        lacking = f" for {what}" if what else ""
        return cls(
            f"There is not enough memory on {device}{lacking}; {fits}{elsewhere}."
        )


class NotFiniteError(ImaginairyError):
    """A network computed numbers that are not finite, of which no image can come."""


class WorkerLostError(ImaginairyError):
    """A process that was to draw ended before it was done."""


class DownloadError(ImaginairyError):
    """Weights could not be fetched, or are not what was announced."""


class HubUnreachableError(DownloadError):
    """A server of weights did not answer at all: no network, or it is switched off."""


def is_short_of_memory(error: Exception) -> bool:
    """Tell whether Python or torch ran out of memory."""
    told = isinstance(error, RuntimeError) and re.search(MEMORY, str(error))
    return bool(told) or isinstance(error, MemoryError)


def clipped(message: str) -> str:
    """Return a message without most of whatever in it has no end.

    Of a word its beginning stays, and of all of it the beginning and the end.
    """
    message = re.sub(WORD_WITHOUT_END, r"\1…\2", message)
    half = LONGEST_MESSAGE // 2
    if len(message) <= LONGEST_MESSAGE:
        return message
    return f"{message[:half]} … {message[-half:]}"


@contextmanager
def memory_told(say: Callable[[], NotEnoughMemoryError]) -> Iterator[None]:
    """Turn what Python or torch raises where memory is short into what is said."""
    try:
        yield
    except NotEnoughMemoryError:
        raise  # that says more
    except (MemoryError, RuntimeError) as error:
        if not is_short_of_memory(error):
            raise
        raise say() from error


def shown(value: object, most: int = 200) -> str:
    """Write a value in a message as Python does, in so many characters at most."""
    try:
        written = repr(value)
    except ValueError:  # a whole number that is too long for Python
        return "one of thousands of digits"
    except Exception:  # a list that goes too deep, or an object with faults of its own
        return f"a {type(value).__name__} that cannot be shown"
    if len(written) <= most:
        return written
    end = written[-1] if written[-1] in CLOSING else ""
    return f"{written[: most - 1 - len(end)]}…{end}"


def in_words(value: object) -> str:
    """Return any value as text, also one that Python does not write."""
    try:
        return str(value)
    except Exception:
        return shown(value)


def near_miss(given: str, allowed: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the closest allowed word, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(in_words(given).lower(), list(allowed), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
