"""One process that draws, as the one that started it sees it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import Any

from imaginairy.fleet.messages import Pipe, Settings, Stop, Task

STOPPING_S = 20.0
"""How long a process may take to end by itself that has nothing more to do."""
PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from imaginairy.fleet.worker import main; main()"
)


class Lost:
    """A process ended.

    Args:
        code: what it returned, or the number of a signal below 0.
    """

    def __init__(self, code: int) -> None:
        self.code = code

    def __str__(self) -> str:
        if self.code >= 0:
            return f"the last with the exit code {self.code}"
        try:
            name = signal.Signals(-self.code).name
        except ValueError:
            name = str(-self.code)
        return f"the last by the signal {name}"


class Process:
    """A process that draws.

    It is a new one, no copy of this: of what is here it has the environment and the
    places that modules are imported from, and nothing of what was changed since. Where
    this process ends, however that is, it ends too.

    Args:
        settings: what it is told first.
        environment: its variables.
        hear: told of each message that comes, and at last that it is `Lost`, in a
            thread of its own.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        hear: Callable[["Process", Any], None],
    ) -> None:
        self.is_ready = False
        self._hear = hear
        self._popen = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps([*sys.path])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the one that started it
        )
        assert self._popen.stdin is not None and self._popen.stdout is not None
        self._to, self._from = Pipe(self._popen.stdin), Pipe(self._popen.stdout)
        self._send(settings)
        self._thread = Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def number(self) -> int:
        """What the system calls it."""
        return self._popen.pid

    def give(self, task: Task) -> None:
        """Let it draw; where it has ended already, that is heard of anyway."""
        self._send(task)

    def _send(self, message: object) -> None:
        with suppress(OSError, ValueError):
            self._to.send(message)

    def _listen(self) -> None:
        try:
            while message := self._from.receive():
                self._hear(self, message)
        except Exception:  # what cannot be read is as good as nothing
            self._popen.kill()
        code = self._popen.wait()
        for pipe in (self._to, self._from):
            with suppress(OSError):
                pipe.close()
        self._hear(self, Lost(code))

    def stop(self) -> None:
        """Let it end when it has drawn what it was given."""
        self._send(Stop())

    def kill(self) -> None:
        """End it at once."""
        self._popen.kill()

    def leave(self) -> None:
        """Wait until it ended, and leave nothing of it."""
        try:
            self._popen.wait(STOPPING_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        self._popen.wait()
        self._thread.join()
