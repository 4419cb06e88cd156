"""A terminal for tests: a real pseudo-terminal with a program at the other end."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.support.patience import HANG_GUARD_S

ESCAPES = r"(?:\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>()][0AB]?))*"
"""What a terminal is told between the signs that it shows."""
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """Runs a command in a terminal of its own, whose keys and screen are ours.

    Args:
        command: the program's path and its arguments.
        environment: in addition to ours.
    """

    def __init__(
        self, command: Sequence[str | Path], *, cwd: Path, **environment: str
    ) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *map(str, command)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            cwd=cwd,
            env=os.environ
            | {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
            | {"PYTHONIOENCODING": "utf-8"}  # which is what we read, in any locale
            | environment,
        )
        os.close(slave)
        self.raw = ""
        self.seen = 0

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def send(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())

    def expect(self, text: str) -> str:
        """Wait for a text after what was expected before; return all up to it.

        Escape sequences between its signs, such as colours, do not count.
        """
        wanted = re.compile(ESCAPES.join(map(re.escape, text)))
        until = time.monotonic() + HANG_GUARD_S
        while (found := wanted.search(self.raw, self.seen)) is None:
            news = self.raw[self.seen :]
            assert time.monotonic() < until, f"no {text!r} in {news!r}"
            assert self._read(), f"ended without {text!r}: {news!r}"
        news, self.seen = self.raw[self.seen : found.end()], found.end()
        return news

    def ended(self) -> int:
        """Wait until the program ends; return its exit code."""
        until = time.monotonic() + HANG_GUARD_S
        while self._read():
            assert time.monotonic() < until, f"never ends: {self.raw[self.seen :]!r}"
        return self.process.wait(HANG_GUARD_S)

    def _read(self) -> bool:
        """Read what is there, or wait a little; tell whether there can be more."""
        if not select.select([self.master], [], [], 0.5)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)
