"""The application behind a real server on this machine, in a thread of the tests."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import uvicorn

from imaginairy import ModelStore
from imaginairy.serving.app import application
from imaginairy.serving.engine import Engine
from imaginairy.serving.limits import Limits

KEY = "key-of-the-tests"


class Served(NamedTuple):
    """A server that runs."""

    engine: Engine
    app: Any
    port: int

    @property
    def address(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"

    def said(self, request: bytes) -> bytes:
        """Send bytes as they are, and return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as to:
            to.sendall(request)
            return b"".join(iter(lambda: to.recv(1 << 16), b""))

    def status(self, request: bytes) -> int:
        """Return the status of what comes back."""
        return int(self.said(request).split(b" ", 2)[1])


@contextmanager
def served(
    store: ModelStore, limits: Limits | None = None, keys: Sequence[str] = (KEY,)
) -> Iterator[Served]:
    """Run a server within, with the bundled model and a key."""
    engine = Engine(store, ["storybook"], limits)
    loaded = threading.Event()
    app = application(engine, keys=keys, when_loaded=loaded.set)
    config = uvicorn.Config(app, log_config=None, lifespan="on", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        try:
            assert loaded.wait(120)
            yield Served(engine, app, bound.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(120)
    assert not thread.is_alive()
