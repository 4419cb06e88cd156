"""The server itself: it listens, and ends in order when it is told to."""

import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from imaginairy.errors import BadOptionError, ImaginairyError
from imaginairy.serving.app import application
from imaginairy.serving.engine import Engine
from imaginairy.serving.guard import LOCAL_NAMES

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_S = 5
"""Seconds that answers have to get out once the engine has given up what is left."""
CONNECTIONS_A_REQUEST = 2
SPARE_CONNECTIONS = 64
"""How many connections there may be for each request that waits, and besides."""
LOCALHOST, LOOPBACK = "localhost", "127.0.0.1"
KEY_VARIABLE = "IMAGINAIRY_API_KEY"


def keys_given() -> list[str]:
    """Return the keys that the environment names, apart by commas or blanks."""
    return os.environ.get(KEY_VARIABLE, "").replace(",", " ").split()


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address that is listened at."""
    if host.lower() == LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_key(host: str, keys: Collection[str], *, no_key: bool) -> None:
    """Refuse to listen to other machines without a key, unless that is asked for.

    Raises:
        BadOptionError: there is none.
    """
    if not (keys or no_key or is_loopback(host)):
        raise BadOptionError(
            f"Other machines reach '{host}', so a key is needed: set {KEY_VARIABLE} to "
            "one or several, or say --no-key so that everybody may ask."
        )


def names_of(host: str, also: Collection[str]) -> Collection[str] | None:
    """Return the names that a server goes by; None where that is not known.

    Args:
        host: where it listens.
        also: names that its owner adds.
    """
    if is_loopback(host):
        return LOCAL_NAMES | {host.lower(), *also}
    return frozenset(also) or None


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that is bound.

    Raises:
        BadOptionError: there is no such address here, or the port is taken.
    """
    try:
        at = ipaddress.ip_address(LOOPBACK if host.lower() == LOCALHOST else host)
    except ValueError as error:
        raise BadOptionError(
            f"'{host}' is no address to listen at; give {LOCALHOST}, an address of "
            "this machine, or 0.0.0.0 for all of them."
        ) from error
    bound = socket.socket(socket.AF_INET if at.version == 4 else socket.AF_INET6)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((str(at), port))
    except OSError as error:
        bound.close()
        raise BadOptionError(
            f"'{host}' port {port} cannot be listened at ({error.strerror}); give "
            "another --port, or 0 for any that is free."
        ) from error
    return bound


class Server(uvicorn.Server):
    """Listens until a signal; then ends what was accepted, or all at once at a second.

    Args:
        engine: draws.
        options: see `imaginairy.serving.app.application`.
    """

    def __init__(self, engine: Engine, **options: Any) -> None:
        self.engine = engine
        app = application(engine, when_loaded=self._loaded, **options)
        waiting = engine.limits.waiting
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                log_config=None,
                lifespan="on",
                server_header=False,
                ws="none",
                limit_concurrency=CONNECTIONS_A_REQUEST * waiting + SPARE_CONNECTIONS,
                timeout_graceful_shutdown=int(engine.limits.stop_seconds) + GRACE_S,
            )
        )

    def _loaded(self) -> None:
        if self.engine.failure is not None:
            self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals as long as the server runs; they end nothing else."""
        before = {each: signal.signal(each, self.handle_exit) for each in SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take no more work at a first signal, and end at once at a second."""
        self.force_exit = self.should_exit
        self.engine.close()
        self.should_exit = True


def serve(
    engine: Engine,
    bound: socket.socket,
    when_listening: Callable[[], None] = lambda: None,
    **options: Any,
) -> None:
    """Serve until a signal.

    Args:
        bound: see `listening`.
        when_listening: called once somebody may connect.
        options: see `imaginairy.serving.app.application`.

    Raises:
        ImaginairyError: the model could not be loaded, or not all was ended.
    """
    server = Server(engine, **options)
    when_listening()
    server.run(sockets=[bound])
    if engine.failure is not None:
        raise engine.failure
    if server.force_exit:
        engine.give_up()
        raise ImaginairyError("Stopped at once; what was asked for last is not drawn.")
