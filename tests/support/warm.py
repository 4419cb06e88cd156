"""Commands in this process, for shells: a real bash, and no start of each command.

In `WarmCommands` the names `imagine` and `aimg` mean tiny scripts that hand on what
they were called with, their streams too, and end as the command here ended. One store
of models serves them all.
"""

import contextlib
import json
import os
import select
import shlex
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from imaginairy.cli.aimg import aimg
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.stores import Stores

COMMANDS: dict[str, click.Command] = {"imagine": imagine_cmd, "aimg": aimg}
CLIENT = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect(sys.argv[1])
    socket.send_fds(asked, [b"."], [0, 1, 2])
    asked.sendall(json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode())
    asked.shutdown(socket.SHUT_WR)
    sys.exit(int(asked.recv(9)))
"""


class WarmCommands:
    """Runs shell code whose commands of ours run here; use it as a context manager.

    One of them runs at a time, so that two cannot stand in the same pipeline.
    """

    def __init__(self) -> None:
        self.stores = Stores()
        self._folder = tempfile.TemporaryDirectory()
        self._socket = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> "WarmCommands":
        folder = Path(self._folder.name)
        address = str(folder / "socket")
        self._socket.bind(address)
        self._socket.listen()
        client = folder / "client.py"
        client.write_text(CLIENT)
        for name in COMMANDS:
            start = shlex.join([sys.executable, "-IS", str(client), address, name])
            (folder / name).write_text(f'#!/bin/sh\nexec {start} "$@"\n')
            (folder / name).chmod(0o755)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._folder.cleanup()
        self.stores.clear()

    def bash(self, code: str) -> int:
        """Run code in the current folder; return the shell's exit code."""
        path = f"{self._folder.name}{os.pathsep}{os.environ['PATH']}"
        ended, held = os.pipe()
        shell = subprocess.Popen(
            ["bash", "-euc", code], env=os.environ | {"PATH": path}, pass_fds=[held]
        )
        os.close(held)  # the shell and what it starts hold the other, until they end
        while ended not in select.select([ended, self._socket], [], [])[0]:
            self._serve()
        os.close(ended)
        return shell.wait()

    def _serve(self) -> None:
        """Run one command that a script asks for."""
        asked, _ = self._socket.accept()
        with asked:
            _, streams, *_ = socket.recv_fds(asked, 1, 3)
            words, folder, environment = json.loads(asked.makefile("rb").read())
            with inside(Path(folder), environment), standard_streams(*streams):
                for stream in streams:
                    os.close(stream)
                code = self._run(*words)
            asked.sendall(str(code).encode())

    def _run(self, name: str, *arguments: str) -> int:
        try:
            COMMANDS[name].main(list(arguments), prog_name=name, obj=self.stores)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:
            traceback.print_exc()
            return 1
        return 0


@contextlib.contextmanager
def inside(folder: Path, environment: Any) -> Iterator[None]:
    """Be in another folder, with other variables, for a while."""
    before, variables = Path.cwd(), dict(os.environ)
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        yield
    finally:
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(before)


@contextlib.contextmanager
def standard_streams(*numbers: int) -> Iterator[None]:
    """Make file descriptors the standard streams for a while: for Python, for what is
    written in C and for other processes that are started.
    """
    names = ("stdin", "stdout", "stderr")
    streams = [getattr(sys, name) for name in names]
    kept = [os.dup(number) for number in range(3)]
    try:
        for number, name in enumerate(names):
            os.dup2(numbers[number], number)
            mode = "w" if number else "r"
            stream = open(number, mode, closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        yield
    finally:
        for number, name in enumerate(names):
            getattr(sys, name).close()
            setattr(sys, name, streams[number])
            os.dup2(kept[number], number)
            os.close(kept[number])
