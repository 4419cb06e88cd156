"""The server itself: it listens, and ends in order when it is told to."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from imaginairy.errors import ImaginairyError
from imaginairy.serving.app import application
from imaginairy.serving.connections import connections
from imaginairy.serving.engine import LAST_STEP_S, Engine
from imaginairy.serving.listening import Listening
from imaginairy.serving.said import said

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_S = 20
"""Seconds that answers have to get out once the engine has given up what is left."""
AT_ONCE_S = 1.0
"""Seconds that a step has that is under way at a second signal."""
CONNECTIONS_A_REQUEST = 2
SPARE_CONNECTIONS = 64
"""How many connections there may be for each request that waits, and besides."""


class Server(uvicorn.Server):
    """Listens until a signal; then ends what was accepted, or all at once at a second.

    Args:
        engine: draws.
        when_loaded: called in another thread once the engine is ready, or cannot be.
        options: see `imaginairy.serving.app.application`.
    """

    def __init__(
        self, engine: Engine, when_loaded: Callable[[], None], **options: Any
    ) -> None:
        self.engine, self.when_loaded = engine, when_loaded
        app = application(engine, when_loaded=self._loaded, **options)
        waiting = engine.limits.waiting
        super().__init__(
            uvicorn.Config(
                app,
                http=connections(engine.limits),
                access_log=False,
                log_config=None,
                log_level="critical",  # what goes wrong is said by the guard
                lifespan="on",
                server_header=False,
                proxy_headers=False,
                ws="none",
                limit_concurrency=CONNECTIONS_A_REQUEST * waiting + SPARE_CONNECTIONS,
                timeout_graceful_shutdown=int(engine.limits.stop_seconds) + GRACE_S,
            )
        )

    def _loaded(self) -> None:
        if self.engine.failure is not None:
            self.should_exit = True
        else:
            said.info("ready: %s", ", ".join(self.engine.offer.models))
        self.when_loaded()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals as long as the server runs; they end nothing else.

        Only the main thread of a program can take any.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what was accepted within the time that it has."""
        said.info("Stopping once all is answered; a second signal stops at once.")
        loop = asyncio.get_running_loop()
        loop.call_later(self.engine.limits.stop_seconds, self.engine.give_up)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take no more work at a first signal, and end at once at a second."""
        self.force_exit = self.should_exit
        self.engine.close()
        self.should_exit = True


def serve(
    engine: Engine, at: Listening, when_loaded: Callable[[], None] = lambda: None
) -> None:
    """Serve until a signal.

    Args:
        when_loaded: called in another thread once the engine is ready, or cannot be.

    Raises:
        ImaginairyError: the model could not be loaded, or not all was ended.
    """
    server = Server(
        engine, when_loaded, keys=at.keys, names=at.names, origins=at.origins
    )
    serve_until_told(server, at)


def serve_until_told(server: Server, at: Listening) -> None:
    """Run a server until it is told to end; see `serve`."""
    engine = server.engine
    said.info("Listening at %s; Ctrl-C stops it.", at.address)
    server.run(sockets=[at.socket])
    if engine.failure is not None:
        raise engine.failure
    if server.force_exit:
        engine.give_up()
    has_ended = engine.joined(AT_ONCE_S if server.force_exit else LAST_STEP_S)
    if server.force_exit or not has_ended:
        raise ImaginairyError("Stopped at once; what was asked for last is not drawn.")
    said.info("Stopped.")
