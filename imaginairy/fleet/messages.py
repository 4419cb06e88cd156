"""What the processes of a run tell each other: whole messages, through pipes."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

    from imaginairy.fleet.drawer import Drawer
    from imaginairy.outcomes import Outcome

LENGTH = Struct(">Q")


@dataclass(frozen=True)
class Settings:
    """The first that a worker is told: how it draws and what it tells."""

    drawer: "Drawer"
    share: int = 1
    """How many workers there are for the memory of its device."""
    level: int = 0
    """From which level on it tells what the library says."""
    keeps_steps: bool = False
    """Whether the image at each step is decoded and sent along."""


@dataclass(frozen=True)
class Task:
    """Prompts to draw."""

    number: int
    indices: Sequence[int]
    """Which of the task's prompts these are, by which is told what comes of each."""
    prompts: bytes
    """They, pickled: what cannot be read is no more than these."""
    batch_size: int | None
    """How many of them are generated together; None for as many as pay."""


@dataclass(frozen=True)
class Ready:
    """A worker waits for tasks."""

    free: int | None
    """Bytes of its device's memory that can be taken; None where nobody says."""


@dataclass(frozen=True)
class Unfit:
    """A worker cannot draw anything, whatever it is asked for."""

    error: Exception


@dataclass(frozen=True)
class Said:
    """The library said something."""

    level: int
    text: str


@dataclass(frozen=True)
class Told:
    """An observer would be told something."""

    task: int
    name: str
    """Of the observer's method."""
    args: tuple[Any, ...]


@dataclass(frozen=True)
class Came:
    """Something came of a prompt."""

    task: int
    index: int
    outcome: "Outcome"
    steps: "Sequence[Image]" = ()
    trace: str = ""
    """Where a failure of the program itself arose."""


@dataclass(frozen=True)
class Done:
    """A task is done with, whatever came of it."""

    task: int


@dataclass(frozen=True)
class Stop:
    """There is nothing more to draw."""


class Pipe:
    """One end of a pipe, through which messages go in one direction.

    Threads may share the end that sends.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._lock = Lock()

    def send(self, message: object) -> None:
        """Send a message, which is whole or does not arrive.

        Raises:
            Exception: it cannot be pickled; nothing of it was sent.
            OSError: nobody listens.
        """
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self.file.write(LENGTH.pack(len(data)) + data)
            self.file.flush()

    def receive(self) -> Any:
        """Wait for the next message and return it; None where there will be none."""
        head = self.file.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack(head)
        data = self.file.read(length)
        return pickle.loads(data) if len(data) == length else None

    def close(self) -> None:
        """Let the other end know that there is no more."""
        self.file.close()
