"""A server in a process of its own: signals end it in order, and at once at a second.

What ends an answer is that its client leaves, or that it is told to stop.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from imaginairy import ModelStore
from imaginairy.cli.stores import Stores
from imaginairy.errors import ImaginairyError
from imaginairy.serving.engine import Engine
from imaginairy.serving.limits import Limits
from imaginairy.serving.listening import Listening
from imaginairy.serving.run import Server, serve_until_told
from tests.support.commands import run_here
from tests.support.engines import LITTLE
from tests.support.patience import HANG_GUARD_S, wait_until

AIMG = str(Path(sys.executable).with_name("aimg"))
LONG = 1000
"""Steps that take longer than what is done meanwhile."""


@contextmanager
def serving(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run `aimg serve`, and give it and its port once it is ready."""
    said = folder / "said.txt"
    words = ("--port", "0", "--model", "storybook", "--max-steps", str(LONG))
    command = [AIMG, "serve", *words, "--max-stop-seconds", str(HANG_GUARD_S)]
    with (
        said.open("w") as err,
        subprocess.Popen(
            command, cwd=folder, stderr=err, text=True, env={**os.environ}
        ) as running,
    ):
        try:
            wait_until(lambda: "ready: storybook" in said.read_text(), running)
            found = re.search(
                r"Listening at http://127\.0\.0\.1:(\d+)", said.read_text()
            )
            assert found
            yield running, int(found[1])
        finally:
            running.kill()


def ask(port: int, **fields: Any) -> HTTPConnection:
    """Ask for a picture, as a stream."""
    asking = HTTPConnection("127.0.0.1", port, timeout=HANG_GUARD_S)
    body = {**LITTLE, "prompt": "a fox", "stream": True, **fields}
    asking.request(
        "POST", "/v1/prompts", json.dumps(body), {"Content-Type": "application/json"}
    )
    return asking


def figure(port: int, name: str) -> float:
    asking = HTTPConnection("127.0.0.1", port, timeout=HANG_GUARD_S)
    asking.request("GET", "/metrics")
    lines = asking.getresponse().read().decode().splitlines()
    asking.close()
    return float(next(each for each in lines if each.startswith(name)).split()[-1])


def test_it_ends_in_order_once_all_left_or_are_answered(tmp_path: Path) -> None:
    with serving(tmp_path) as (running, port):
        leaving = ask(port, steps=LONG)
        assert leaving.getresponse().readline() == b"event: step\n"
        leaving.close()
        assert leaving.sock is None
        wait_until(lambda: figure(port, "imaginairy_requests_given_up_total") == 1)
        wait_until(lambda: figure(port, "imaginairy_pictures_drawing") == 0)
        assert figure(port, "imaginairy_pictures_total") == 0

        staying = ask(port, steps=20)
        answer = staying.getresponse()
        assert answer.readline() == b"event: step\n"
        running.send_signal(signal.SIGTERM)
        rest = answer.read().decode()
        staying.close()
        assert rest.endswith("event: done\ndata: {}\n\n") and "event: picture" in rest
        assert running.wait(HANG_GUARD_S) == 0
        with (
            pytest.raises(ConnectionRefusedError),
            socket.create_connection(("127.0.0.1", port)),
        ):
            pass
    said = (tmp_path / "said.txt").read_text()
    assert "Traceback" not in said and "fox" not in said
    assert "POST /v1/prompts 200" in said


@pytest.mark.parametrize("signals", [1, 2])
def test_what_does_not_end_is_given_up(store: ModelStore, signals: int) -> None:
    """After the time that it has, or at once at a second signal."""
    limits = Limits(steps=LONG, stop_seconds=600 if signals == 2 else 0.1)
    engine, loaded = Engine(store, ["storybook"], limits), threading.Event()
    failed: list[Exception] = []
    with closing(Listening.asked("127.0.0.1", 0)) as at:
        server = Server(engine, loaded.set, keys=(), names=None, origins=())

        def run() -> None:
            try:
                serve_until_told(server, at)
            except ImaginairyError as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        loaded.wait()
        asking = ask(at.socket.getsockname()[1], steps=LONG)
        answer = asking.getresponse()
        assert answer.readline() == b"event: step\n"
        for _ in range(signals):
            server.handle_exit(signal.SIGTERM, None)
        thread.join()
        rest = answer.read() if signals == 1 else b""
        asking.close()
    wait_until(lambda: not engine.is_alive)
    assert engine.counts.pictures == 0
    if signals == 1:
        assert b"event: error" in rest and b"is stopping" in rest and not failed
    else:
        assert "Stopped at once" in str(failed[0])


def test_a_connection_on_which_nobody_asks_is_ended(store: ModelStore) -> None:
    engine = Engine(store, ["storybook"], Limits(body_seconds=0.1))
    with closing(Listening.asked("127.0.0.1", 0)) as at:
        server = Server(engine, lambda: None, keys=(), names=None, origins=())
        thread = threading.Thread(target=serve_until_told, args=(server, at))
        thread.start()
        with socket.create_connection(at.place, timeout=HANG_GUARD_S) as silent:
            assert silent.recv(1) == b""
        server.handle_exit(signal.SIGTERM, None)
        thread.join()


def test_a_model_that_cannot_be_loaded_ends_it_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no weights at all")
    monkeypatch.chdir(tmp_path)
    words = ("--port", "0", "--model", "broken.safetensors")
    ran = run_here(Stores(), "serve", *words)
    assert ran.exit_code == 1 and "Traceback" not in ran.stderr
    assert "Error: " in ran.stderr and "broken.safetensors" in ran.stderr
