"""What lies at web addresses: whose, how much of it, and for how long."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imaginairy import addresses
from imaginairy.addresses import (
    ALLOW_PRIVATE,
    allows_private,
    fetched,
    is_public,
)
from imaginairy.errors import DownloadError, ImaginairyError, InvalidUrlError
from imaginairy.urls import without_secrets
from tests.support.odd_server import WHOLE, OddServer
from tests.support.web import Web

PUBLIC = (
    "1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1",
    "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::",
)  # fmt: skip
PRIVATE = (
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1",
    "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
    "ff0e::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1", "::127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::",
)  # fmt: skip
WRITTEN_OTHERWISE = (
    "127.0.0.1", "localhost", "LOCALHOST", "a.localhost", "127.1", "0", "2130706433",
    "0x7f000001", "0177.0.0.1", "0x7f.1", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "0.0.0.0", "user@127.0.0.1",
    "1.1.1.1@127.0.0.1", "169.254.169.254", "%31%32%37.0.0.1", "①②⑦.0.0.1",
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every connection that is tried."""
    tried: list[Any] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        tried.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return tried


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_that_anybody_has(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_this_machine_and_its_networks(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("proxied", [False, True], ids=["itself", "by a proxy"])
@pytest.mark.parametrize("host", WRITTEN_OTHERWISE)
def test_this_machine_is_not_asked_however_it_is_written(
    host: str, proxied: bool, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if proxied:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    for scheme in ("http", "https"):
        with pytest.raises(ImaginairyError) as refused:
            fetched(f"{scheme}://{host}:9/a.png")
        assert not [each for each in asked if proxied is False or each[1] != 9]
        said = str(refused.value)
        if host[0] not in "%①":  # which are no names at all
            shown = without_secrets(f"{scheme}://{host}:9/a.png")
            assert said.startswith(f"'{shown}' leads to ")
            assert "--allow-private-urls or IMAGINAIRY_ALLOW_PRIVATE_URLS=1." in said


@pytest.mark.parametrize(
    ("said", "allowed"),
    [("1", True), ("yes", True), ("", False), ("0", False), ("No", False)],
)
def test_a_variable_allows_it(
    said: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, said)
    assert allows_private() is allowed
    with OddServer(WHOLE) as server:
        if allowed:
            assert fetched(f"{server.url}/a%20b?c#d") == b"hello"
            assert server.asked[0].startswith("GET /a%20b?c HTTP/1.1\r\n")
            assert f"Host: 127.0.0.1:{server.port}\r\n" in server.asked[0]
            assert "Accept-Encoding: identity\r\n" in server.asked[0]
        else:
            with pytest.raises(InvalidUrlError, match="leads to 127"):
                fetched(server.url)
            assert not server.asked


def test_a_name_that_answers_otherwise_later_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, asked: list[Any]
) -> None:
    """What is connected to is what was looked at: the name is looked up once."""
    answers = ["127.0.0.3", "127.0.0.2"]
    looked_up: list[str] = []
    look_up = socket.getaddrinfo

    def changing(host: str, port: int, *more: Any, **most: Any) -> Any:
        if host != "changing.example":
            return look_up(host, port, *more, **most)
        looked_up.append(host)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (answers[len(looked_up) - 1], port))]

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    monkeypatch.setattr(addresses, "is_public", lambda each: each == "127.0.0.3")
    with pytest.raises(DownloadError, match="Connection refused"):
        fetched("http://changing.example:9/a.png")
    assert looked_up == ["changing.example"]
    assert asked == [("127.0.0.3", 9)]


def test_a_name_with_one_address_that_is_not_public_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, asked: list[Any]
) -> None:
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    both = [(*kind, (each, 80)) for each in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(InvalidUrlError, match=r"leads to both.example \(10.0.0.1\), "):
        fetched("http://both.example/a.png")
    assert not asked


@pytest.mark.usefixtures("private_urls")
def test_the_next_address_of_a_name_is_asked_where_one_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind, look_up = (socket.AF_INET, socket.SOCK_STREAM, 6, ""), socket.getaddrinfo

    def both(host: str, port: int, *more: Any, **most: Any) -> Any:
        if host != "both.example":
            return look_up(host, port, *more, **most)
        return [(*kind, (each, port)) for each in ("127.0.0.2", "127.0.0.1")]

    with OddServer(WHOLE) as server:
        monkeypatch.setattr(socket, "getaddrinfo", both)
        assert fetched(f"http://both.example:{server.port}/a.png") == b"hello"
        assert f"Host: both.example:{server.port}\r\n" in server.asked[0]


def redirect(to: str, status: int = 302) -> bytes:
    head = f"HTTP/1.1 {status} Go on\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
    return head.encode()


REFUSED = {
    "file:///etc/passwd": "leads to 'file:///etc/passwd', which is not a web address",
    "ftp://example.com/a": "leads to 'ftp://example.com/a', which is not a web address",
    "data:image/png;base64,AAAA": "which is not a web address",
    "gopher://127.0.0.1:70/": "which is not a web address",
    "http://169.254.169.254/latest": "leads to 169.254.169.254, which is not a public",
    "http://[::ffff:10.0.0.1]/": "leads to ::ffff:",
    "//192.168.0.1/a": "leads to 192.168.0.1, which is not a public address",
}


@pytest.mark.parametrize("to", REFUSED)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_each_redirect_is_looked_at(
    to: str, status: int, monkeypatch: pytest.MonkeyPatch, asked: list[Any]
) -> None:
    first = addresses.is_public
    monkeypatch.setattr(
        addresses, "is_public", lambda each: each == "127.0.0.1" or first(each)
    )
    with OddServer(redirect(to, status)) as server:
        with pytest.raises(ImaginairyError) as refused:
            fetched(server.url)
        assert REFUSED[to] in str(refused.value)
        assert asked == [("127.0.0.1", server.port)]


@pytest.mark.usefixtures("private_urls")
def test_redirects_are_followed_five_times() -> None:
    def talk(at: socket.socket, path: str) -> None:
        left = int(path[1:])
        at.sendall(redirect(f"/{left - 1}") if left else WHOLE)

    with OddServer(talk) as server:
        assert fetched(f"{server.url}/5") == b"hello"
        with pytest.raises(DownloadError, match="leads on more than 5 times"):
            fetched(f"{server.url}/6")


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A proxy that answers for all hosts, and whose certificates are trusted."""
    with Web(b"hello", tmp_path) as web:
        for name, value in web.environment.items():
            monkeypatch.setenv(name, value)
        yield web


def test_a_proxy_is_asked_wherever_it_stands(web: Web, asked: list[Any]) -> None:
    """It is the user's own; what it is asked for is looked at all the same."""
    for scheme in ("http", "https"):
        assert fetched(f"{scheme}://user:word@a.example/b.png") == b"hello"
        with pytest.raises(InvalidUrlError, match=r"leads to 10\.0\.0\.1, which"):
            fetched(f"{scheme}://10.0.0.1/b.png")
    assert web.asked == ["http://a.example/b.png", "a.example/b.png"]
    assert {each[0] for each in asked} == {"127.0.0.1"}


def test_a_proxy_is_passed_by_where_the_user_says(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    with OddServer(WHOLE) as server:
        assert fetched(server.url) == b"hello"
    assert not web.asked


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "nonsense://a", "http://["])
def test_a_proxy_that_cannot_be_one_is_one_sentence(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(DownloadError, match="could not be fetched"):
        fetched("http://a.example/b.png")


@pytest.mark.parametrize(
    "url",
    ["http://a b/c", "http://a..b/", "http://a:99999/", "http://a:x/", "http://" + "a" *
     300 + ".example/", "http://[::1/", "http://\0/", "http://a\r\nb/", "http://é:é@/"],
)  # fmt: skip
def test_addresses_that_can_be_none_are_one_sentence(url: str) -> None:
    with pytest.raises((DownloadError, InvalidUrlError)) as refused:
        fetched(url)
    assert str(refused.value).endswith((").", "/."))
