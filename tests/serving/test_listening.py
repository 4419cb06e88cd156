"""Where a server listens: to this machine only, unless a key is needed."""

from contextlib import closing

import pytest

from imaginairy.errors import BadOptionError
from imaginairy.fleet.surroundings import KEY_VARIABLE
from imaginairy.serving.guard import LOCAL_NAMES
from imaginairy.serving.listening import (
    Listening,
    bound,
    keys_given,
    names_of,
    require_key,
    web_address,
)


@pytest.mark.parametrize(
    ("said", "keys"),
    [("", []), ("one", ["one"]), ("one,two", ["one", "two"]), (" a  b,\tc ", [*"abc"])],
)
def test_the_environment_names_the_keys(
    monkeypatch: pytest.MonkeyPatch, said: str, keys: list[str]
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, said)
    assert keys_given() == keys


def test_a_key_that_no_header_can_have_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sécret")
    with pytest.raises(BadOptionError, match="no request can send") as raised:
        keys_given()
    assert "sécret" not in str(raised.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_needs_no_key(host: str) -> None:
    require_key(host, [], no_key=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5"])
def test_others_need_one_unless_that_is_said(host: str) -> None:
    with pytest.raises(BadOptionError, match=f"Other machines reach '{host}'"):
        require_key(host, [], no_key=False)
    require_key(host, [], no_key=True)
    require_key(host, ["key"], no_key=False)


@pytest.mark.parametrize("host", ["example.org", "", "1.2.3", "999.1.1.1", "::x", "\0"])
def test_only_addresses_are_listened_at(host: str) -> None:
    with pytest.raises(BadOptionError, match="is no address to listen at"):
        bound(host, 0)


def test_names_that_it_goes_by() -> None:
    assert names_of("127.0.0.1", []) == LOCAL_NAMES
    assert names_of("127.8.9.1", ["My.Example "]) == LOCAL_NAMES | {
        "127.8.9.1",
        "my.example",
    }
    assert names_of("0.0.0.0", []) is None
    assert names_of("0.0.0.0", ["my.example"]) == {"my.example"}


def test_a_place_is_taken_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "one,two")
    with closing(Listening.asked("localhost", 0, ["a.example"], ["http://b"])) as at:
        port = at.socket.getsockname()[1]
        assert at.told() == {
            "address": f"http://127.0.0.1:{port}",
            "keys": 2,
            "names": ["127.0.0.1", "::1", "a.example", "localhost"],
            "origins": ["http://b"],
        }
        with pytest.raises(BadOptionError, match=f"port {port} cannot be listened at"):
            bound("127.0.0.1", port)
        with closing(Listening.asked("0.0.0.0", 0, no_key=True)) as other:
            assert other.names is None and not other.keys
    assert at.socket.fileno() == -1


def test_an_address_is_written_as_browsers_read_it() -> None:
    assert web_address("127.0.0.1", 80) == "http://127.0.0.1:80"
    assert web_address("::1", 8000) == "http://[::1]:8000"
