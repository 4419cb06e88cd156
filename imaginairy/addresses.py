"""What lies at a web address: fetched from public hosts only, within a time and a size.

A host's name is looked up once, and the connection goes to the address that was looked
at, so that no name can answer otherwise in between. Each redirect is looked at anew.
"""

import ipaddress
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from math import inf
from typing import Any
from urllib.parse import unquote, urljoin
from urllib.request import getproxies, proxy_bypass

from imaginairy.errors import DownloadError, InvalidUrlError
from imaginairy.urls import ALLOW_PRIVATE, SCHEMES, without_secrets

NO = ("", "0", "no", "false", "off")
MAX_BYTES = 200_000_000
ANSWER_S = 30.0
"""How long an answer may take to begin, with all its headers, and each part of it."""
TOTAL_S = 300.0
"""How long all of it may take, redirects included."""
MAX_BYTES_OF_WEIGHTS, TOTAL_S_OF_WEIGHTS = 8_000_000_000, 3 * 3600.0
"""The same of weights."""
LEAST_RATE = 10_000
"""Bytes a second that arrive on average, once `ANSWER_S` are over."""
MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
PART = 1 << 16
NETWORKS_IN_6 = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
"""Where an address of 128 bits stands for one of 32, and how many bits stand behind."""
LOCAL_TRANSLATION = ipaddress.IPv6Network("64:ff9b:1::/48")


@dataclass(frozen=True)
class _Wanted:
    """What is asked for, and how much of it and how long."""

    url: str
    noun: str
    most_bytes: int
    total_s: float

    @property
    def shown(self) -> str:
        """What messages say of the address."""
        return without_secrets(self.url)

    def failed(self, reason: str) -> DownloadError:
        reason = reason.replace(self.url, self.shown)
        return DownloadError(
            f"The {self.noun} '{self.shown}' could not be fetched ({reason})."
        )

    def too_large(self) -> DownloadError:
        return DownloadError(
            f"The {self.noun} '{self.shown}' is larger than "
            f"{self.most_bytes // 1_000_000} MB."
        )


def fetched(url: str, noun: str = "picture") -> bytes:
    """Return the picture that lies at an address.

    Args:
        noun: what messages call it, where it is something else.

    Raises:
        InvalidUrlError: it is no address of the web, or leads to none of a public host.
        DownloadError: it could not be fetched.
    """
    data = bytearray()
    _receive(_Wanted(url, noun, MAX_BYTES, TOTAL_S), data.extend)
    return bytes(data)


def receive_weights(url: str, take: Callable[[bytes], Any]) -> str:
    """Hand on the weights that lie at an address, part by part.

    Returns:
        What the server calls the file; nothing where it does not say.

    Raises what `fetched` does.
    """
    wanted = _Wanted(url, "adapter", MAX_BYTES_OF_WEIGHTS, TOTAL_S_OF_WEIGHTS)
    return _receive(wanted, take)


def _receive(wanted: _Wanted, take: Callable[[bytes], Any]) -> str:
    import urllib3

    clock = _Clock(wanted.total_s)
    try:
        return _followed(wanted, clock, take)
    except (DownloadError, InvalidUrlError):
        raise
    except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
        reason = "timed out" if clock.is_over else _reason_of(error)
        raise wanted.failed(reason) from error
    finally:
        clock.hang_up()


def allows_private() -> bool:
    """Tell whether the user lets addresses lead into networks that are not public."""
    return os.environ.get(ALLOW_PRIVATE, "").strip().lower() not in NO


def is_public(address: str) -> bool:
    """Tell whether an address of the internet, in digits, is one that anybody has."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        for network, behind in NETWORKS_IN_6:
            if found in network:
                within = ipaddress.IPv4Address(int(found) >> behind & 0xFFFFFFFF)
                return is_public(str(within))
        if found.is_site_local or found in LOCAL_TRANSLATION:
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved)


class _Clock:
    """Ends connections when their time is over, whatever they wait for."""

    def __init__(self, total_s: float) -> None:
        self.began, self.total_s = time.monotonic(), total_s
        self.is_over = False
        self.socket: socket.socket | None = None
        self._timer: threading.Timer | None = None

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.began

    def left(self, most: float = inf) -> float:
        """Return how many seconds are left, and at most so many."""
        return max(0.001, min(most, self.total_s - self.seconds))

    def ring_in(self, seconds: float) -> None:
        """End what is connected, or will be, after that time."""
        self.stop()
        self._timer = threading.Timer(seconds, self._ring)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """End nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def hang_up(self) -> None:
        """Close what is connected, whoever still thinks to read from it."""
        self.stop()
        if self.socket is not None and self.socket.fileno() >= 0:
            socket.close(self.socket.detach())

    def _ring(self) -> None:
        self.is_over = True
        if self.socket is not None:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has ended by itself
                pass


def _followed(wanted: _Wanted, clock: _Clock, take: Callable[[bytes], Any]) -> str:
    """Ask an address, and those that it leads on to."""
    at = wanted.url
    for _ in range(MAX_REDIRECTS + 1):
        with _answer(at, wanted, clock) as answer:
            place = answer.headers.get("Location")
            if answer.status not in REDIRECTS or not place:
                _content(answer, wanted, clock, take)
                return str(answer.headers.get("Content-Disposition", ""))
        at = urljoin(at, place)
    raise wanted.failed(f"it leads on more than {MAX_REDIRECTS} times")


@contextmanager
def _answer(at: str, wanted: _Wanted, clock: _Clock) -> Iterator[Any]:
    """Open the answer of one address; its headers are there."""
    from urllib3.util import make_headers, parse_url

    parts = parse_url(at)
    if parts.scheme not in SCHEMES or not parts.host:
        raise InvalidUrlError(
            f"'{wanted.shown}' leads to '{without_secrets(at)}', which is not a web "
            "address; those start with http:// or https://."
        )
    headers = {"User-Agent": "imaginairy", "Accept-Encoding": "identity"}
    if parts.auth:
        headers |= make_headers(basic_auth=unquote(parts.auth))
    host = parts.host.strip("[]")
    options = {
        "headers": headers, "redirect": False, "retries": False,
        "preload_content": False, "decode_content": False,
        "timeout": clock.left(ANSWER_S),
    }  # fmt: skip
    proxy = None if proxy_bypass(str(parts.netloc)) else getproxies().get(parts.scheme)
    _require_public(wanted.shown, host, _in_digits(host))
    answer = None
    clock.ring_in(clock.left(ANSWER_S))
    try:
        if proxy:
            whole = parts._replace(auth=None, fragment=None).url
            answer = _through(proxy, clock).urlopen("GET", whole, **options)
        else:
            answer = _direct(parts, host, wanted, clock, options)
        if clock.is_over:  # and so the rest of its headers did not come
            raise TimeoutError("timed out")
        yield answer
    finally:
        if answer is not None:
            answer.close()
        clock.hang_up()


def _direct(
    parts: Any, host: str, wanted: _Wanted, clock: _Clock, options: dict[str, Any]
) -> Any:
    """Ask one host at the first of its addresses that can be connected to."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    is_tls = parts.scheme == "https"
    addresses = _looked_up(host, parts.port or (443 if is_tls else 80), clock)
    for address in addresses:
        _require_public(wanted.shown, host, address)
    headers = {"Host": parts.netloc, **options["headers"]}
    for address in addresses:
        pool = _pool_of(parts.scheme, clock)(
            address,
            parts.port,
            maxsize=1,
            **({"server_hostname": host, "ssl_context": _tls()} if is_tls else {}),
        )
        try:
            return pool.urlopen(
                "GET", parts.request_uri, **{**options, "headers": headers}
            )
        except (ConnectTimeoutError, NewConnectionError):
            if address == addresses[-1] or clock.is_over:
                raise
    raise wanted.failed(f"{host} has no address")


def _through(proxy: str, clock: _Clock) -> Any:
    """Return the manager that asks through a proxy, as the environment names it."""
    import urllib3
    from urllib3.util import make_headers, parse_url

    proxy = proxy if "://" in proxy else f"http://{proxy}"
    auth = parse_url(proxy).auth
    known = make_headers(proxy_basic_auth=unquote(auth)) if auth else None
    manager = urllib3.ProxyManager(proxy, proxy_headers=known, ssl_context=_tls())
    manager.pool_classes_by_scheme = {
        scheme: _pool_of(scheme, clock) for scheme in SCHEMES
    }
    return manager


def _pool_of(scheme: str, clock: _Clock) -> Any:
    """Return the kind of pool whose connections a clock can end."""
    import urllib3

    kind: Any = urllib3.HTTPConnectionPool
    if scheme == "https":
        kind = urllib3.HTTPSConnectionPool

    class Timed(kind.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            clock.socket = self.sock
            if clock.is_over:
                raise TimeoutError("timed out")

    return type("TimedPool", (kind,), {"ConnectionCls": Timed})


def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _looked_up(host: str, port: int, clock: _Clock) -> list[str]:
    """Return the addresses of a host; looking them up has no time limit of its own."""
    found: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # such as a name that cannot be one
            found.put(error)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        answer = found.get(timeout=clock.left(ANSWER_S))
    except queue.Empty:
        raise TimeoutError(f"looking up {host} timed out") from None
    if isinstance(answer, Exception):
        raise answer
    return list(dict.fromkeys(str(each[4][0]) for each in answer))


def _in_digits(host: str) -> str | None:
    """Return the address that a host's name is already, in any form; else None."""
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def _require_public(url: str, host: str, address: str | None) -> None:
    if address is None or is_public(address) or allows_private():
        return
    at = host if host == address else f"{host} ({address})"
    raise InvalidUrlError(
        f"'{url}' leads to {at}, which is not a public address; where that is meant, "
        f"allow it with --allow-private-urls or {ALLOW_PRIVATE}=1."
    )


def _content(
    answer: Any, wanted: _Wanted, clock: _Clock, take: Callable[[bytes], Any]
) -> None:
    """Read an answer to its end."""
    if not 200 <= answer.status < 300:
        said = " ".join(str(answer.reason or "").split())[:80]
        raise wanted.failed(f"the server answered {answer.status} {said}".rstrip())
    announced, most = answer.headers.get("Content-Length", ""), wanted.most_bytes
    if announced.isdecimal() and (len(announced) > 12 or int(announced) > most):
        raise wanted.too_large()
    clock.ring_in(clock.left())
    began, arrived = time.monotonic(), 0
    while part := answer.read1(PART, decode_content=False):
        arrived += len(part)
        if arrived > most:
            raise wanted.too_large()
        take(part)
        late = time.monotonic() - began - ANSWER_S
        if late > 0 and arrived < LEAST_RATE * late:
            raise wanted.failed(f"less than {LEAST_RATE:,} bytes arrive a second")
    if clock.is_over:  # and so the connection was ended
        raise wanted.failed(f"it was not there after {wanted.total_s:g} seconds")


def _reason_of(error: BaseException) -> str:
    """Say what is behind an error of the client, in its own words."""
    while True:
        below = getattr(error, "reason", None) or error.__cause__
        if not isinstance(below, BaseException):
            break
        error = below
    inner = error.args[-1] if len(error.args) > 1 else None
    if isinstance(inner, BaseException):
        return _reason_of(inner)
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    words = " ".join(str(error).split())[:200].rstrip(".")
    return words or type(error).__name__
