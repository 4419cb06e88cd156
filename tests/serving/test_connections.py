"""Nobody holds a connection for longer than a request and its answer may take."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from uvicorn.server import ServerState

from imaginairy.serving.connections import connections
from imaginairy.serving.limits import Limits
from tests.support.patience import HANG_GUARD_S

LATE = HANG_GUARD_S
ASKING = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
MUCH = 8 << 20
"""More bytes than a system takes that nobody reads."""


async def answer(send: Callable[..., Awaitable[None]], body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def held(limits: Limits, sent: bytes, body: bytes, *, is_read: bool = True) -> bytes:
    """Hold a connection until the server ends it; return what came until then."""

    async def app(
        _scope: object, _receive: object, send: Callable[..., object]
    ) -> None:
        await answer(send, body)  # type: ignore[arg-type]

    async def run() -> bytes:
        loop, is_over = asyncio.get_running_loop(), asyncio.Event()

        class Seen(connections(limits)):  # type: ignore[misc]
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                is_over.set()

        config = uvicorn.Config(app, log_config=None, timeout_keep_alive=int(LATE))
        state = ServerState()
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.setblocking(False)
            await loop.connect_accepted_socket(lambda: Seen(config, state, {}), ours)
            await loop.sock_sendall(theirs, sent)
            came = bytearray()
            while is_read and (part := await loop.sock_recv(theirs, 1 << 16)):
                came += part
            await asyncio.wait_for(is_over.wait(), HANG_GUARD_S)
            assert not state.connections
            return bytes(came)

    return asyncio.run(run())


@pytest.mark.parametrize("sent", [b"", b"GET / HT", ASKING[:-2]])
def test_one_on_which_no_request_comes_is_ended(sent: bytes) -> None:
    assert held(Limits(body_seconds=0.1, seconds=LATE), sent, b"well") == b""


@pytest.mark.parametrize("more", [b"", b"GET / HT"])
def test_so_is_one_on_which_no_further_request_comes(more: bytes) -> None:
    came = held(Limits(body_seconds=0.1, seconds=LATE), ASKING + more, b"well")
    assert came.startswith(b"HTTP/1.1 200") and came.endswith(b"well")


def test_so_is_one_whose_answer_is_not_read() -> None:
    limits = Limits(body_seconds=LATE, seconds=0.1)
    assert held(limits, ASKING, bytes(MUCH), is_read=False) == b""


def test_an_answer_that_is_read_comes_whole() -> None:
    came = held(Limits(body_seconds=0.1, seconds=LATE), ASKING, bytes(MUCH))
    assert came.endswith(b"\r\n\r\n" + bytes(MUCH))
