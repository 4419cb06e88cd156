"""What a request goes through before anything is done for it."""

import asyncio
from typing import Any

import pytest

from imaginairy.serving.guard import (
    LOCAL_NAMES,
    Arriving,
    Keys,
    host_of,
    require_host,
    require_origin,
)
from imaginairy.serving.limits import Limits
from imaginairy.serving.refusals import (
    BusyError,
    ForeignOriginError,
    KeyMissingError,
    TooLargeError,
    TooSlowError,
)


def test_a_key_is_told_by_its_number() -> None:
    keys = Keys(["first", "sécond"])
    assert keys and not Keys([])
    assert keys.client("Bearer first") == "key 1"
    assert keys.client("bearer  sécond ") == "key 2"


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer firs", "Bearer firsts", "first", "Basic first",
     "Bearer FIRST", "Bearer first second", "\udcff"],
)  # fmt: skip
def test_without_one_of_the_keys_nobody_comes_in(given: str) -> None:
    with pytest.raises(KeyMissingError, match="wants a key") as raised:
        Keys(["first", "second"]).client(given)
    assert raised.value.headers == {"WWW-Authenticate": "Bearer"}
    assert "FIRST" not in str(raised.value)


def test_keys_are_kept_as_hashes_only() -> None:
    keys = Keys(["a-secret-key"])
    assert "a-secret-key" not in repr(vars(keys))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8000", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::1]:8000", "::1"),
        (" a.example:1 ", "a.example"),
        ("a.example:x", "a.example:x"),
        ("", ""),
    ],
)
def test_the_name_in_a_host_header(header: str, name: str) -> None:
    assert host_of(header) == name


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:1"])
def test_a_server_answers_to_its_own_names(host: str) -> None:
    require_host(host, LOCAL_NAMES)
    require_host("anything", None)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""]
)
def test_and_to_no_others(host: str) -> None:
    with pytest.raises(ForeignOriginError, match="does not go by the name"):
        require_host(host, LOCAL_NAMES)


@pytest.mark.parametrize(
    ("origin", "host"),
    [("", "localhost:8000"), ("http://localhost:8000", "localhost:8000"),
     ("https://Ours.example", "ours.example"), ("https://page.example", "x")],
)  # fmt: skip
def test_pages_of_its_own_may_ask_and_those_that_are_allowed(
    origin: str, host: str
) -> None:
    require_origin(origin, host, ["https://page.example"])


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:9000", "http://localhost",
     "https://page.example.evil.example", "http://[", "localhost:8000"],
)  # fmt: skip
def test_pages_of_elsewhere_may_not(origin: str) -> None:
    with pytest.raises(ForeignOriginError, match="may not ask this server"):
        require_origin(origin, "localhost:8000", ["https://page.example"])


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def received(arriving: Arriving, *parts: dict[str, Any], held: list[int]) -> bytes:
    """Receive a request of some parts, after which nothing more comes."""

    async def run() -> bytes:
        left = iter(parts)

        async def receive() -> dict[str, Any]:
            if (message := next(left, None)) is None:
                await asyncio.Event().wait()
            return message or {}

        bounded, whole, more = arriving.bounded(receive, held), b"", True
        while more:
            message = await bounded()
            whole, more = whole + message["body"], message["more_body"]
        return whole

    return asyncio.run(run())


def test_a_request_arrives_whole_and_is_counted_until_it_is_answered() -> None:
    arriving, held = Arriving(Limits()), list[int]()
    assert received(arriving, part(b"ab", True), part(b"c"), held=held) == b"abc"
    assert arriving.held == sum(held) == 3
    arriving.let_go(held)
    assert arriving.held == 0


def test_what_comes_behind_it_is_waited_for_without_end() -> None:
    """That is that the client leaves."""

    async def run() -> Any:
        messages = iter([part(b""), {"type": "http.disconnect"}])

        async def receive() -> Any:
            return next(messages)

        bounded = Arriving(Limits(body_seconds=0.1)).bounded(receive, [])
        return [await bounded(), await bounded()]

    assert asyncio.run(run())[1] == {"type": "http.disconnect"}


def test_a_request_that_is_too_large_is_read_no_further() -> None:
    arriving = Arriving(Limits(body_bytes=4))
    received(arriving, part(b"1234"), held=[])
    with pytest.raises(TooLargeError, match="larger than the 4 bytes"):
        received(arriving, part(b"12", True), part(b"345", True), held=[])
    arriving.require_little("4")
    for length in ("5", "9" * 5000):
        with pytest.raises(TooLargeError):
            arriving.require_little(length)
    for nonsense in ("", "-5", "five", "\u0665"):
        arriving.require_little(nonsense)


def test_a_request_that_does_not_arrive_is_given_up() -> None:
    with pytest.raises(TooSlowError, match=r"within 0\.1 seconds"):
        received(Arriving(Limits(body_seconds=0.1)), part(b"1", True), held=[])


def test_all_requests_together_have_a_bound() -> None:
    arriving, first, second = Arriving(Limits(held_bytes=5)), list[int](), list[int]()
    received(arriving, part(b"123"), held=first)
    with pytest.raises(BusyError, match="More than 5 bytes"):
        received(arriving, part(b"456"), held=second)
    arriving.let_go(second)
    arriving.let_go(first)
    assert received(arriving, part(b"12345"), held=[]) == b"12345"
