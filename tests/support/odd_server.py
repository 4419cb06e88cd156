"""A server that says whatever it is told to, byte by byte."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
"""An answer like any other."""

Talk = Callable[[socket.socket, str], None]
"""Answers a request, given the connection and the path that is asked for."""


class OddServer:
    """Answers each connection by a function; use it as a context manager.

    Args:
        talk: what it says; it may say nothing, or never stop.
    """

    def __init__(self, talk: Talk | bytes) -> None:
        self.talk: Talk = talk if callable(talk) else lambda at, _: at.sendall(talk)
        self.asked: list[str] = []
        """The first lines of all requests, and their headers."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.is_over = threading.Event()

    def __enter__(self) -> "OddServer":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                at, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(at,), daemon=True).start()

    def _answer(self, at: socket.socket) -> None:
        with at, contextlib.suppress(OSError):
            request = at.recv(65_536).decode("latin-1")
            self.asked.append(request)
            self.talk(at, request.split(" ")[1])
            at.shutdown(socket.SHUT_WR)
            at.settimeout(5)
            while at.recv(65_536):
                pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.is_over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
