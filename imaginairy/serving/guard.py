"""What every request goes through before anything is done for it.

Keys, the names that the server goes by, pages of elsewhere, and how much arrives in how
long; and behind it what is counted and logged.
"""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Iterable, MutableMapping
from time import monotonic
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imaginairy.errors import shown
from imaginairy.log import shortened
from imaginairy.serving.answers import error_answer
from imaginairy.serving.limits import Limits
from imaginairy.serving.metrics import Metrics
from imaginairy.serving.offer import Offer
from imaginairy.serving.refusals import (
    BusyError,
    ForeignOriginError,
    KeyMissingError,
    LeftError,
    TooLargeError,
    TooSlowError,
)
from imaginairy.serving.said import said

LATER_S = 5.0
"""When to ask again where too much is here."""
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names of a server that only its own machine reaches."""
CLIENT = "imaginairy.client"
"""Where a request says who asks."""
KEY_PATTERN = r"(?i)bearer\s+(\S+)\s*"


class Keys:
    """The keys that requests may come with; none where there are none.

    Args:
        keys: as they are given; of each only a hash is kept.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._hashes = tuple(_hash(key) for key in keys)

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def client(self, authorization: str) -> str:
        """Return which key a header has, by its number.

        All are compared, each in a time that does not tell how much of it is right.

        Raises:
            KeyMissingError: it has none of them.
        """
        given = re.fullmatch(KEY_PATTERN, authorization)
        hashed = _hash(given[1] if given else "")
        same = [hmac.compare_digest(hashed, each) for each in self._hashes]
        if given is None or True not in same:
            raise KeyMissingError(
                "This server wants a key: send one of its keys as 'Authorization: "
                "Bearer KEY'."
            )
        return f"key {same.index(True) + 1}"


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def require_host(host: str, names: Collection[str] | None) -> None:
    """Refuse a request under a name that is not the server's.

    A page of elsewhere whose name was made to lead to this machine (DNS rebinding) says
    that name.

    Args:
        host: the header, with or without a port.
        names: None where any will do.

    Raises:
        ForeignOriginError: it is none of the names.
    """
    if names is not None and host_of(host) not in names:
        raise ForeignOriginError(
            f"This server does not go by the name {shown(host, 100)}; it goes by "
            f"{', '.join(sorted(names))}."
        )


def require_origin(origin: str, host: str, origins: Collection[str]) -> None:
    """Refuse what a page of elsewhere asks for.

    Args:
        origin: the header that browsers send; nothing where it is missing.
        host: that of the request.
        origins: those that are allowed.

    Raises:
        ForeignOriginError: the page is none of the server's own.
    """
    is_own = origin.lower().partition(":")[2] == f"//{host.lower()}"
    if origin and not is_own and origin not in origins:
        raise ForeignOriginError(
            f"Pages of {shown(origin, 100)} may not ask this server; whoever runs it "
            "can allow them with --allow-origin."
        )


def host_of(host: str) -> str:
    """Return the name in a header, without its port."""
    return re.sub(r"\A\[(.*)\](:\d+)?\Z|:\d+\Z", r"\1", host.strip().lower())


class Arriving:
    """What arrives: each request up to so many bytes within so much time, and all that
    are there at once up to so many.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0
        """Bytes of the requests that are not answered yet."""

    def require_little(self, length: str) -> None:
        """Refuse a request that says itself that it is too large.

        Args:
            length: what it says; nothing where it does not.

        Raises:
            TooLargeError: it is.
        """
        said = int(length[:20]) if length.isascii() and length.isdecimal() else 0
        if said > self.limits.body_bytes:
            raise self._too_large()

    def bounded(self, receive: Receive, holds: list[int]) -> Receive:
        """Return what receives a request.

        Args:
            holds: gets the length of each part, to be let go with the request.

        Raises:
            TooLargeError: more comes than is read.
            TooSlowError: it is not there in time.
            BusyError: there is too much of others.
        """
        limits, until = self.limits, monotonic() + self.limits.body_seconds
        is_whole, arrived = False, 0

        async def received() -> Message:
            nonlocal is_whole, arrived
            if is_whole:  # what comes is that the client leaves, whenever that is
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0, until - monotonic()))
            except asyncio.TimeoutError as error:
                raise TooSlowError(
                    f"The request was not there within {limits.body_seconds:g} "
                    "seconds; send it faster, or less of it."
                ) from error
            length = len(message.get("body", b""))
            holds.append(length)
            self.held += length
            arrived += length
            if arrived > limits.body_bytes:
                raise self._too_large()
            if self.held > limits.held_bytes:
                raise BusyError(
                    f"More than {limits.held_bytes:,} bytes of requests are here, "
                    "which is all that this server takes at once; ask again later.",
                    LATER_S,
                )
            is_whole = not message.get("more_body", False)
            return message

        return received

    def let_go(self, holds: list[int]) -> None:
        """Count a request no more that is answered."""
        self.held -= sum(holds)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(
            f"The request is larger than the {self.limits.body_bytes:,} bytes that "
            "this server reads; send smaller pictures, or fewer."
        )


class Guard:
    """Lets requests through that may come in, and answers what goes wrong within.

    Args:
        app: what answers the others.
        offer: what must not be told by its path.
        keys: None of them means that everybody may ask.
        names: those that the server goes by; None where any will do.
        origins: whose pages may ask; `*` allows all.
        is_open: tells of a path whether no key is needed.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        offer: Offer,
        limits: Limits,
        metrics: Metrics,
        keys: Keys,
        names: Collection[str] | None,
        origins: Collection[str],
        is_open: Callable[[str], bool],
    ) -> None:
        self.app, self.offer, self.metrics = app, offer, metrics
        self.arriving = Arriving(limits)
        self.keys, self.names, self.origins = keys, names, origins
        self.is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = monotonic(), 0

        async def sent(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        holds: list[int] = []
        try:
            self._let_in(scope)
            await self.app(scope, self.arriving.bounded(receive, holds), sent)
        except (ClientDisconnect, LeftError):
            status = LeftError.status
        except Exception as error:
            if status:
                said.error("An answer broke off.", exc_info=error)
                raise
            answer = error_answer(error, self.offer)
            answer.headers["Connection"] = "close"  # the rest of it is not read
            await answer(scope, receive, sent)
        finally:
            self.arriving.let_go(holds)
            seconds, route = monotonic() - began, route_of(scope)
            self.metrics.request(route, status, seconds)
            asked = scope.get(CLIENT, "-"), shortened(scope["method"], 10), route
            said.info("%s %s %s %d %.3fs", *asked, status, seconds)

    def _let_in(self, scope: MutableMapping[str, Any]) -> None:
        headers = Headers(scope=scope)
        self.arriving.require_little(headers.get("content-length", ""))
        host = headers.get("host", "")
        require_host(host, self.names)
        if "*" not in self.origins:
            require_origin(headers.get("origin", ""), host, self.origins)
        address = (scope.get("client") or ("unknown",))[0]
        scope[CLIENT] = address
        is_asking = scope["method"] == "OPTIONS" and self.origins  # browsers, of CORS
        if self.keys and not is_asking and not self.is_open(scope["path"]):
            scope[CLIENT] = self.keys.client(headers.get("authorization", ""))


def route_of(scope: MutableMapping[str, Any]) -> str:
    """Return the route that answered, which tells nothing of what was asked."""
    route = scope.get("route")
    return getattr(route, "path", None) or "(none)"
