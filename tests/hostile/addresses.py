"""Web addresses that are made to do harm, and servers that are."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaginairy import addresses
from tests.hostile.cases import Case
from tests.hostile.pictures import DRAWINGS, FILLING
from tests.support.hostile import saved
from tests.support.odd_server import OddServer, Talk

DOORS = (
    "describe {} --caption-model storybook-blip",
    "upscale {} --model lanczos --scale 1",
    "imagine fruit --model storybook --steps 1 --init-image {}",
)
OTHER_SCHEMES = (
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "ftp://a.example/a.png",
    "gopher://a/_x",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "jar:http://a!/b",
    "dict://a:1/",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "//127.0.0.1/a",
    "https:/a",
    "http:",
    "http://",
    "http:///a.png",
    "http:\\\\127.0.0.1\\a",
    "HtTpS:127.0.0.1",
)
HOSTS = (
    "127.0.0.1", "localhost", "LocalHost.", "a.localhost", "127.1", "127.0.1", "0", "0.0.0.0",
    "2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "127.000.000.001",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]",
    "[fe80::1%lo]", "[fc00::1]", "[fec0::1]", "[ff02::1]", "[::1]:99999", "169.254.169.254",
    "0251.0376.0251.0376", "2852039166", "10.0.0.1", "172.16.0.1", "192.168.1.1",
    "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "user:pass@127.0.0.1",
    "a.example@127.0.0.1", "127.0.0.1#@a.example", "127.0.0.1\\@a.example", "①②⑦.⓪.⓪.①",
    "\uff11\uff12\uff17.0.0.1", "127。0。0。1", "%31%32%37.0.0.1", "127.0.0.1%00.a.example",
    "127.0.0.1%2f.a.example", "xn--", "xn--" + "a" * 99, "a" * 300 + ".example", "a..b", ".",
    "-", "a b", "a\tb", "a\r\nX: y", "\x1b]0;owned\x07", "\u202e1.0.0.721", "é.example",
    "private.example", "both.example", "mapped.example", "turning.example", "127.0.0.1:0",
    "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:99999999999", "127.0.0.1:x", "[", "[]",
    "[::1", "[v1.a]", "999.999.999.999", "1.2.3.4.5", "0x", "08.8.8.8",
)  # fmt: skip
"""What may stand for this machine or its networks, or for nothing."""
NAMES = {
    "private.example": ["10.0.0.1"],
    "both.example": ["1.1.1.1", "127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
}


def names_known(command: Callable[[], Any]) -> Any:
    """Run a command where some names are known; nothing else is asked."""
    asked = 0

    def looked_up(host: str, port: int, *_: Any, **__: Any) -> Any:
        nonlocal asked
        asked += 1
        name = str(host).rstrip(".").lower()
        if name == "turning.example":
            found = ["127.0.0.1" if asked > 1 else "10.0.0.1"]
        elif name in NAMES:
            found = NAMES[name]
        else:
            socket.inet_pton(socket.AF_INET, name)
            found = [name]
        kinds = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in found]
        stream = (socket.SOCK_STREAM, 6, "")
        return [
            (kind, *stream, (each, port))
            for kind, each in zip(kinds, found, strict=True)
        ]

    socket.getaddrinfo = looked_up
    return command()


def one_public(command: Callable[[], Any]) -> Any:
    """Run a command to which the server's address is a public one, in a hurry."""
    first = addresses.is_public
    addresses.is_public = lambda each: each == "127.0.0.1" or first(each)
    addresses.ANSWER_S, addresses.TOTAL_S = 2.0, 4.0
    return command()


def head(*lines: str | bytes, status: str = "200 OK") -> bytes:
    said = [each.encode("latin-1") if isinstance(each, str) else each for each in lines]
    return b"\r\n".join([f"HTTP/1.1 {status}".encode(), *said, b"", b""])


def redirect(to: str) -> bytes:
    return head(f"Location: {to}", "Content-Length: 0", status="302 On")


def dripping(start: bytes) -> Talk:
    """Return what says something, and then goes on as slowly as can be."""

    def talk(at: socket.socket, _: str) -> None:
        at.sendall(start)
        for _ in range(400):
            if threading.Event().wait(0.1):
                return
            at.sendall(b"a")

    return talk


def endless(start: bytes, part: bytes) -> Talk:
    """Return what says something and then the same again, for ever."""

    def talk(at: socket.socket, _: str) -> None:
        at.sendall(start)
        while True:
            at.sendall(part)

    return talk


def going_on(at: socket.socket, path: str) -> None:
    """Lead on for ever."""
    at.sendall(redirect(f"/{len(path)}{path[:99]}"))


PICTURE = saved("PNG", 64)
ANSWERS: dict[str, Talk | bytes] = {
    **{f"to {to}": redirect(to) for to in (
        "file:///etc/passwd", "ftp://a/b", "data:image/png;base64,AAAA", "gopher://a/",
        "http://127.0.0.2/", "http://10.0.0.1/", "http://169.254.169.254/latest", "//[::1]/",
        "http://[::ffff:10.0.0.1]/", "http://0/", "http://2130706434/", "http://a b/", "http:",
        "http://user:word@127.0.0.3/", "\x1b]0;owned\x07", "", "http://[", "x" * 9000,
        "/a\0b", "http://127.0.0.2:99999/", "http://localhost/", "//127.0.0.2\\@a.example/",
    )},
    "to itself": redirect("/"), "on and on": going_on,
    "to a split": head("Location: /a\r\nSet-Cookie: x\r\n\r\n<html>", status="302 On"),
    "two places": head("Location: /a", "Location: http://10.0.0.1/", status="302 On"),
    "nothing": b"", "no http": b"hello\r\n\r\n", "HTTP/0.9": b"<html>hello</html>",
    "no status": b"HTTP/1.1 abc OK\r\n\r\n", "status 999999": b"HTTP/1.1 999999 \r\n\r\n",
    "status -1": b"HTTP/1.1 -1 OK\r\n\r\n", "SSH": b"SSH-2.0-x\r\n", "TLS": b"\x15\3\1\0\2\2F",
    "nul": b"HTTP/1.1 200 O\0K\r\na\0: b\r\n\r\n", "escape": head(status="500 \x1b[31mno"),
    "headers": head(*["a: b"] * 10_000), "header": head("a: " + "x" * 999_999),
    "endless headers": endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 9),
    "endless status": endless(b"HTTP/1.1 200 ", b"x" * 9999),
    "endless header": endless(b"HTTP/1.1 200 OK\r\na: ", b"x" * 9999),
    "endless informing": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless body": endless(head(), bytes(65_536)),
    "endless chunks": endless(head("Transfer-Encoding: chunked"), b"5\r\nhello\r\n"),
    "endless chunk size": endless(head("Transfer-Encoding: chunked"), b"0" * 9999),
    "endless chunk note": endless(head("Transfer-Encoding: chunked") + b"5;", b"a" * 9999),
    "endless trailers": endless(head("Transfer-Encoding: chunked") + b"0\r\n", b"a: b\r\n"),
    "slow nothing": dripping(b""), "slow status": dripping(b"HTTP/1.1 "),
    "slow header": dripping(b"HTTP/1.1 200 OK\r\na: "), "slow body": dripping(head()),
    "slow chunk": dripping(head("Transfer-Encoding: chunked") + b"ffff\r\n"),
    "slow length": dripping(head("Content-Length: 99999")),
    "length": head("Content-Length: 9999") + PICTURE[:50], "minus": head("Content-Length: -1"),
    "two lengths": head("Content-Length: 5", "Content-Length: 9") + b"hello",
    "length of text": head("Content-Length: \x1b[31m") + PICTURE,
    "length of digits": head("Content-Length: " + "9" * 5000),
    "chunk of ff": head("Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\nx",
    "chunk of minus": head("Transfer-Encoding: chunked") + b"-5\r\nhello\r\n",
    "chunk of text": head("Transfer-Encoding: chunked") + b"\x1b[31m\r\n",
    "gzip": head("Content-Encoding: gzip") + gzip.compress(bytes(90_000_000)),
    "gzip chunked": head("Transfer-Encoding: gzip") + gzip.compress(bytes(9_000_000)),
    "page": head("Content-Type: image/png") + b"<html><title>\x1b]0;owned\x07</title>",
    "cookie": head("Set-Cookie: " + "x" * 60_000) + PICTURE,
    "drawing": head() + DRAWINGS["eps.png"](), "pdf": head() + DRAWINGS["doc.pdf"](),
    "vast": head() + FILLING["vast.jpg"](), "long": head() + FILLING["bomb-long.png"](),
    "itself": head() + PICTURE, "proxy": head(status="407 Proxy") + b"x",
    "upgrade": head("Upgrade: x", "Connection: upgrade", status="101 Switching"),
    "basic": head('WWW-Authenticate: Basic realm="\x1b[31m"', status="401 no"),
    "retry": head("Retry-After: 999999", status="503 later"),
}  # fmt: skip


@dataclass(frozen=True)
class Answered(Case):
    """A server, and the address where it is."""

    talk: Talk | bytes = b""

    @contextmanager
    def laid(self, folder: Path) -> Iterator[str]:
        """Start it; give its address."""
        with OddServer(self.talk) as server:
            yield f"{server.url}/a.png"


def urls() -> list[Case]:
    """Return addresses that lead nowhere, or to where none may lead."""
    whole = [*OTHER_SCHEMES, *(f"http://{host}/a.png" for host in HOSTS)]
    whole += [f"https://{host}:9/" for host in HOSTS[:8]]
    return [Case(url, DOORS, around=names_known) for url in whole]


def servers() -> list[Case]:
    """Return servers that answer oddly, to which the first connection is allowed."""
    return [
        Answered(
            name, DOORS[:2], talk=talk, around=one_public, may_connect=("127.0.0.1",)
        )
        for name, talk in ANSWERS.items()
    ]
