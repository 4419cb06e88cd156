"""Commands run with a watch on all that they must not do."""

import io
import os
import re
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMANDING = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
PROGRESS = re.compile(r"\r[^\r\n]*(?=[\r\n]|$)")
"""What progress bars draw, which is ours."""
STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn",
            "os.fork", "os.forkpty", "pty.spawn", "os.startfile")  # fmt: skip
CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")
CHANGING = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.link",
            "os.symlink", "os.chmod", "os.chown", "os.utime", "tempfile.mkstemp",
            "tempfile.mkdtemp")  # fmt: skip
LONGEST_LINE = 2500
MOST_MEMORY = 12 << 30
"""Bytes after which a run is refused more, so that no other program suffers."""
MOST_SECONDS = 120
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Ran:
    """What a run said and did."""

    words: Sequence[str]
    code: int
    """Its exit code; negative where a signal ended it."""
    seconds: float
    """Of work."""
    waited: float
    megabytes: float
    """Of memory, at its peak."""
    stdout: str
    stderr: str
    events: list[str] = field(default_factory=list)
    """What it must not do and did."""

    def faults(self, seconds: float, megabytes: float) -> list[str]:
        """Say what is wrong with it."""
        said = PROGRESS.sub("", self.stdout + self.stderr)
        found = list(self.events)
        if self.code not in (0, 1, 2):
            found.append(f"exit code {self.code}")
        if "Traceback (most" in said:
            found.append("a traceback: " + said.strip().splitlines()[-1][:200])
        if sign := COMMANDING.search(said):
            found.append(f"writes {sign[0]!r}")
        if self.code and not self._ends_in_a_sentence(said):
            found.append(f"no sentence: {said.strip().splitlines()[-1:]}")
        if any(len(line) > LONGEST_LINE for line in self.stderr.splitlines()):
            found.append(f"a line of {max(map(len, self.stderr.splitlines()))} letters")
        if self.seconds > seconds:
            found.append(f"{self.seconds:.1f} s of work")
        if self.waited > self.seconds + 60:
            found.append(f"waited {self.waited:.0f} s")
        if self.megabytes > megabytes:
            found.append(f"{self.megabytes:.0f} MB")
        return found

    def _ends_in_a_sentence(self, said: str) -> bool:
        lines = [line.rstrip() for line in said.splitlines()]
        if self.code == 1 and "again" in self.words:  # it only turned out otherwise
            return any(line.endswith(".") for line in lines)
        errors = [line for line in lines if line.startswith("Error: ")]
        ends = errors and (errors[-1].endswith(".") or ": hf download " in errors[-1])
        return bool(ends)


def watched(
    command: Callable[[], Any],
    words: Sequence[str],
    folder: Path,
    *,
    stdin: Path | None = None,
    environment: Mapping[str, str] | None = None,
    may_connect: Sequence[str] = (),
) -> Ran:
    """Run a command in a process of its own, which stands in a folder.

    Args:
        command: what to call there.
        stdin: the file that it may read from; nothing by default.
        may_connect: the addresses that it may ask.
    """
    papers = folder.with_name(folder.name + ".said")
    papers.mkdir(exist_ok=True)
    began = time.monotonic()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _become(command, folder, papers, stdin, environment or {}, may_connect)
    guard = threading.Timer(MOST_SECONDS, os.kill, (child, signal.SIGKILL))
    guard.start()
    _, status, usage = os.wait4(child, 0)
    guard.cancel()
    events = (papers / "events").read_text(errors="replace").splitlines()
    return Ran(
        words,
        os.waitstatus_to_exitcode(status),
        usage.ru_utime + usage.ru_stime,
        time.monotonic() - began,
        usage.ru_maxrss * 1024 / 1e6,
        (papers / "stdout").read_text(errors="replace"),
        (papers / "stderr").read_text(errors="replace"),
        list(dict.fromkeys(events)),
    )


def _become(
    command: Callable[[], Any],
    folder: Path,
    papers: Path,
    stdin: Path | None,
    environment: Mapping[str, str],
    may_connect: Sequence[str],
) -> None:
    """Run the command and end this process."""
    code = 70
    try:
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND
        for number, place in enumerate((stdin or Path(os.devnull), "stdout", "stderr")):
            mode = os.O_RDONLY if number == 0 else flags
            os.dup2(os.open(papers / place, mode, 0o600), number)
        os.chdir(folder)
        os.environ.update(environment)
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.stdin = io.TextIOWrapper(io.FileIO(0))
        sys.stdout = io.TextIOWrapper(
            io.FileIO(1, "w"), "utf-8", "replace", line_buffering=True
        )
        sys.stderr = io.TextIOWrapper(
            io.FileIO(2, "w"), "utf-8", "backslashreplace", line_buffering=True
        )
        sys.argv = ["aimg"]
        notes = os.open(papers / "events", flags, 0o600)
        _watch(notes, folder, may_connect)
        try:
            command()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _watch(notes: int, folder: Path, may_connect: Sequence[str]) -> None:
    """Note what a process must not do."""
    own = tuple(str(Path(os.environ[name]).resolve()) for name in ("HOME", "TMPDIR"))
    allowed = (str(folder.resolve()), *own, os.devnull)

    def note(text: str) -> None:
        os.write(notes, f"{text!a}\n".encode())

    def hook(event: str, details: tuple[Any, ...]) -> None:
        if event in STARTING:
            note(f"starts {details[:2]}"[:200])
        elif event in CONNECTING:
            where = details[1]
            host = where[0] if isinstance(where, tuple) else where
            if host not in may_connect:
                note(f"connects to {where}")
        elif event == "open":
            path, mode, flags = details
            if isinstance(path, str | bytes) and (
                flags & WRITES or any(sign in str(mode or "") for sign in "wax+")
            ):
                _judge(os.fsdecode(path))
        elif event in CHANGING and isinstance(details[0], str | bytes):
            _judge(os.fsdecode(details[0]))

    def _judge(path: str) -> None:
        whole = os.path.realpath(path)
        if not whole.startswith(allowed):
            note(f"writes to {whole}")

    sys.addaudithook(hook)
