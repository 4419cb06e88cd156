"""Servers that answer oddly, slowly or without end: each is one sentence."""

import socket
import threading
import time

import pytest

from imaginairy import addresses
from imaginairy.addresses import fetched
from imaginairy.errors import DownloadError
from tests.support.odd_server import WHOLE, OddServer


def headers(*lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *lines, b"", b""))


ODD = {
    "nothing": (b"", "Remote end closed connection without response"),
    "no http": (b"hello, here is a picture\r\n\r\n", "hello, here is a picture"),
    "HTTP/0.9": (b"<html>hello</html>", "<html>hello</html>"),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0"),
    "status of letters": (b"HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 abc OK"),
    "status of 999999": (b"HTTP/1.1 999999 OK\r\n\r\n", "HTTP/1.1 999999 OK"),
    "long status line": (b"HTTP/1.1 200 " + b"x" * 99_999 + b"\r\n\r\n", "65536 bytes"),
    "unknown version": (b"HTTP/7.7 200 OK\r\n\r\n", "HTTP/7.7"),
    "many headers": (headers(*[b"a: b"] * 9999), "more than 100 headers"),
    "long header": (headers(b"a: " + b"x" * 99_999), "65536 bytes"),
    "cut short": (headers(b"Content-Length: 9") + b"hello", "5 bytes read, 4 more"),
    "two lengths": (headers(b"Content-Length: 5, 6") + b"hello", "Content-Length"),
    "bad chunk": (
        headers(b"Transfer-Encoding: chunked") + b"zz\r\nhello\r\n",
        "IncompleteRead",
    ),
    "long chunk size": (
        headers(b"Transfer-Encoding: chunked") + b"0" * 99_999 + b"\r\n",
        "65536 bytes",
    ),
    "cut chunks": (
        headers(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n5\r\nhe",
        "IncompleteRead",
    ),
    "error": (b"HTTP/1.1 500 Oh\x1b[31m no\r\n\r\n", "the server answered 500 Oh"),
    "no words": (b"HTTP/1.1 418\r\n\r\n", "the server answered 418)"),
    "leads nowhere": (b"HTTP/1.1 302 On\r\n\r\n", "the server answered 302 On"),
    "unchanged": (b"HTTP/1.1 304 Not Modified\r\n\r\n", "answered 304 Not Modified"),
    "announces much": (headers(b"Content-Length: 200000001"), "larger than 200 MB."),
    "announces more": (headers(b"Content-Length: " + b"9" * 5000), "than 200 MB."),
}


@pytest.mark.usefixtures("private_urls")
@pytest.mark.parametrize("name", ODD)
def test_odd_servers_are_one_sentence(name: str) -> None:
    answer, words = ODD[name]
    with OddServer(answer) as server, pytest.raises(DownloadError) as failed:
        fetched(f"{server.url}/a.png")
    said = str(failed.value)
    assert said.startswith(f"The picture '{server.url}/a.png' ")
    assert words in said and len(said) < 350
    assert "\n" not in said and "HTTPConnection" not in said


USABLE = {
    "to its end": headers() + b"hello",
    "as HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "in chunks": headers(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
    "of an odd length": headers(b"Content-Length: five") + b"hello",
    "behind others": b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + WHOLE,
    "packed, as it is": headers(b"Content-Encoding: gzip") + b"hello",
}


@pytest.mark.usefixtures("private_urls")
@pytest.mark.parametrize("name", USABLE)
def test_what_is_usable_is_used(name: str) -> None:
    with OddServer(USABLE[name]) as server:
        assert fetched(server.url) == b"hello"


def test_the_limits_are_those_on_the_page() -> None:
    limits = (addresses.MAX_BYTES, addresses.ANSWER_S, addresses.TOTAL_S)
    assert limits == (200_000_000, 30, 300)
    assert (addresses.LEAST_RATE, addresses.MAX_REDIRECTS) == (10_000, 5)


@pytest.mark.usefixtures("private_urls")
def test_no_more_is_kept_than_a_picture_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with OddServer(headers() + b"x" * 3_000_000) as server:
        monkeypatch.setattr(addresses, "MAX_BYTES", 3_000_000)
        assert len(fetched(server.url)) == 3_000_000
        monkeypatch.setattr(addresses, "MAX_BYTES", 2_999_999)
        with pytest.raises(DownloadError, match="is larger than 2 MB"):
            fetched(server.url)


def drip(at: socket.socket, start: bytes, over: threading.Event) -> None:
    """Say something, and go on as slowly as can be without seeming to be gone."""
    at.sendall(start)
    while not over.wait(0.005):
        at.sendall(b"a")


DRIPPING = {
    "nothing": None,
    "a status line": b"HTTP/1.1 200 ",
    "a header": b"HTTP/1.1 200 OK\r\na: ",
    "a body": headers(),
    "a body of a length": headers(b"Content-Length: 100000"),
    "a chunk": headers(b"Transfer-Encoding: chunked") + b"ffff\r\n",
}


@pytest.mark.usefixtures("private_urls")
@pytest.mark.parametrize("name", DRIPPING)
def test_a_server_that_drips_is_given_up(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "ANSWER_S", 0.1)
    monkeypatch.setattr(addresses, "TOTAL_S", 0.3)
    start = DRIPPING[name]

    def talk(at: socket.socket, _: str) -> None:
        if start is None:
            server.is_over.wait(20)
        else:
            drip(at, start, server.is_over)

    with OddServer(talk) as server:
        began = time.monotonic()
        with pytest.raises(DownloadError) as failed:
            fetched(server.url)
        assert time.monotonic() - began < 15, "which a server may wait for ever"
    said = str(failed.value)
    late = ("less than 10,000 bytes arrive a second", "not there after 0.3 seconds")
    in_body = "body" in name or "chunk" in name
    assert "timed out" in said or (in_body and any(each in said for each in late))


@pytest.mark.usefixtures("private_urls")
def test_answers_that_never_come_to_the_point_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "ANSWER_S", 0.1)

    def talk(at: socket.socket, _: str) -> None:
        while not server.is_over.is_set():
            at.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 99)

    with (
        OddServer(talk) as server,
        pytest.raises(DownloadError, match=r"could not be fetched \(timed out"),
    ):
        fetched(server.url)


@pytest.mark.usefixtures("private_urls")
def test_a_silent_partner_of_tls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "ANSWER_S", 0.1)
    with (
        OddServer(lambda *_: server.is_over.wait(20) and None) as server,
        pytest.raises(DownloadError, match="timed out"),
    ):
        fetched(server.url.replace("http:", "https:"))


def test_a_name_that_is_looked_up_for_ever_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(addresses, "ANSWER_S", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20))
    with pytest.raises(DownloadError, match="timed out"):
        fetched("http://slow.example/a.png")
    over.set()
