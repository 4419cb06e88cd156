"""Single files from a web server on localhost."""

import hashlib
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import get_session

from imaginairy.errors import ImaginairyError
from imaginairy.sources import web
from imaginairy.sources.rows import WebFile
from tests.support.hub_client import ROOT
from tests.support.hub_environment import hub_environment, without_hub
from tests.support.hub_server import HubServer, Repo
from tests.support.patience import HANG_GUARD_S, wait_until

WEIGHTS = bytes(range(256)) * 4000
PLACE = "/some/upscalers/resolve/main/large.pth"
CHILD = """
import json, logging, sys
from imaginairy.sources import web
from imaginairy.sources.rows import WebFile

logging.basicConfig(filename=sys.argv[2], level="DEBUG")
print(web.fetch(WebFile(**json.loads(sys.argv[1]))))
"""


@dataclass
class Client:
    """Calls functions of `imaginairy.sources.web` as a fresh process would."""

    home: Path
    file: WebFile
    begun: list[subprocess.Popen[str]] = field(default_factory=list)

    def begin(self, log: Path) -> subprocess.Popen[str]:
        """Fetch the file in a process of its own, which logs every step."""
        own = {"XDG_CACHE_HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        log.touch()
        running = subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps(asdict(self.file)), str(log)],
            env=without_hub(dict(os.environ)) | own,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.begun.append(running)
        return running

    def call(self, name: str, **environment: str) -> str:
        """Return what a function returns, or the error, as text."""
        own = {"XDG_CACHE_HOME": str(self.home)} | environment
        with hub_environment(**own):
            try:
                return str(getattr(web, name)(self.file))
            except ImaginairyError as error:
                return f"{type(error).__name__}: {error}"

    def files(self) -> dict[str, int]:
        """Return the names and sizes of the weights in the cache, but for locks."""
        return {
            path.name: path.stat().st_size
            for path in (self.home / "imaginairy" / "weights").rglob("*")
            if path.is_file() and path.suffix != ".lock"
        }


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer({"some/upscalers": Repo({"large.pth": WEIGHTS})}) as server:
        yield server


@pytest.fixture
def client(server: HubServer, tmp_path: Path) -> Iterator[Client]:
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    file = WebFile(server.url + PLACE, len(WEIGHTS), digest)
    client = Client(tmp_path / "home", file)
    yield client
    for running in client.begun:
        running.kill()
        running.communicate()


def asked_for(server: HubServer) -> list[str]:
    """Return the range of each download that the server was asked for."""
    downloads = [request for request in server.requests if request.method == "GET"]
    assert all(request.path == PLACE for request in downloads)
    return [request.headers.get("range", "all") for request in downloads]


def test_a_file_arrives_once_and_is_used_offline(
    server: HubServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert client.call("cached") == "None"
    path = Path(client.call("fetch"))
    assert path.read_bytes() == WEIGHTS
    assert path.is_relative_to(client.home) and path.name == "large.pth"
    assert path.parent.name == client.file.sha256[:16]
    said = [r.message for r in caplog.records if r.name == "imaginairy"]
    assert said == [f"fetching large.pth from {client.file.url}"]
    assert client.call("fetch", HF_HUB_OFFLINE="1") == str(path)
    assert client.call("cached") == str(path)
    assert asked_for(server) == ["all"]
    assert client.files() == {"large.pth": len(WEIGHTS)}


def test_small_files_are_fetched_without_a_word(
    server: HubServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for size, words in ((999_999, []), (1_000_000, ["fetching large.pth from"])):
        content = WEIGHTS[:size]
        server.repos["some/upscalers"].files["large.pth"] = content
        digest = hashlib.sha256(content).hexdigest()
        client.file = replace(client.file, size=size, sha256=digest)
        caplog.clear()
        assert Path(client.call("fetch")).read_bytes() == content
        said = [r.message for r in caplog.records if r.name == "imaginairy"]
        assert [line.rpartition(" ")[0] for line in said] == words


def test_a_dropped_connection_is_gone_on_with(
    server: HubServer, client: Client
) -> None:
    """As often as it brings something, be that a byte."""
    server.drops["large.pth"] = 18
    assert Path(client.call("fetch")).read_bytes() == WEIGHTS
    size = len(WEIGHTS)
    starts = [size // 2, size // 2 + size // 4]
    asked = asked_for(server)
    assert asked[:3] == ["all", *(f"bytes={start}-" for start in starts)]
    assert len(asked) == 19
    assert all(
        request.headers["accept-encoding"] == "identity"
        for request in server.requests
        if request.method == "GET"
    )


def test_an_answer_that_brings_nothing_is_asked_for_five_times(
    server: HubServer, client: Client
) -> None:
    content = b"x"  # half of which is nothing
    server.repos["some/upscalers"].files["large.pth"] = content
    digest = hashlib.sha256(content).hexdigest()
    client.file = replace(client.file, size=1, sha256=digest)
    server.drops["large.pth"] = 5
    error = client.call("fetch")
    assert error.startswith(
        f"DownloadError: 'large.pth' could not be downloaded from {client.file.url}: "
        "peer closed connection"
    )
    assert error.endswith("; what has arrived is kept, try again.")
    assert len(asked_for(server)) == 5
    server.drops["large.pth"] = 4
    assert Path(client.call("fetch")).read_bytes() == content


def test_what_a_killed_run_received_is_kept(
    server: HubServer, client: Client, tmp_path: Path
) -> None:
    server.holds = True
    running = client.begin(tmp_path / "log")
    wait_until(lambda: client.files().get("large.pth.part"), running)
    running.kill()
    running.wait()
    received = client.files()["large.pth.part"]
    assert 0 < received <= len(WEIGHTS) // 2
    server.go_on()
    assert Path(client.call("fetch")).read_bytes() == WEIGHTS
    assert asked_for(server) == ["all", f"bytes={received}-"]
    assert client.files() == {"large.pth": len(WEIGHTS)}


class Screen(io.StringIO):
    """Takes what is written, as a terminal."""

    def isatty(self) -> bool:
        return True


def test_how_far_it_is_shows_at_a_terminal(
    server: HubServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Screen())
    client.call("fetch")
    (path,) = client.home.rglob("large.pth")
    for sends_parts in (True, False):
        path.unlink()
        path.with_name("large.pth.part").write_bytes(WEIGHTS[: len(WEIGHTS) // 2])
        server.ranges = sends_parts
        screen.truncate(screen.seek(0))
        client.call("fetch")
        begun, *_, ended = screen.getvalue().strip().split("\r")
        assert re.match(r"large\.pth:  50%\|.* 512k/1\.02M \[", begun), begun
        assert re.match(r"large\.pth: 100%\|.* 1\.02M/1\.02M \[.*B/s\]", ended), ended
    path.unlink()
    screen.truncate(screen.seek(0))
    client.call("fetch", HF_HUB_DISABLE_PROGRESS_BARS="1")
    assert screen.getvalue() == ""


def test_a_server_that_sends_only_wholes_is_put_up_with(
    server: HubServer, client: Client
) -> None:
    server.ranges, server.drops["large.pth"] = False, 1
    assert Path(client.call("fetch")).read_bytes() == WEIGHTS
    assert len(asked_for(server)) == 2


def test_a_slow_server_is_waited_for_as_long_as_the_client_says(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    session = type(get_session())
    stream = session.stream

    def recorded(*args: Any, timeout: float, **options: Any) -> Any:
        asked.append(timeout)  # for each piece that is read
        return stream(*args, timeout=timeout, **options)

    monkeypatch.setattr(session, "stream", recorded)
    path = client.call("fetch", HF_HUB_DOWNLOAD_TIMEOUT="77")
    assert Path(path).read_bytes() == WEIGHTS
    assert asked == [77]


def test_two_processes_share_one_download(
    server: HubServer, client: Client, tmp_path: Path
) -> None:
    server.holds = True
    first = client.begin(tmp_path / "first")
    wait_until(lambda: asked_for(server), first)
    second = client.begin(tmp_path / "second")
    wait_until(lambda: "not acquired" in (tmp_path / "second").read_text(), second)
    server.go_on()
    paths = {
        running.communicate(timeout=HANG_GUARD_S)[0] for running in (first, second)
    }
    assert len(paths) == 1
    assert Path(paths.pop().strip()).read_bytes() == WEIGHTS
    assert asked_for(server) == ["all"]


@pytest.mark.parametrize("left_over", [b"", WEIGHTS[:1000], b"other bytes" * 90])
def test_other_content_is_refused_and_removed(
    server: HubServer, client: Client, left_over: bytes
) -> None:
    if left_over:
        client.call("fetch")
        (path,) = client.home.rglob("large.pth")
        path.unlink()
        path.with_name("large.pth.part").write_bytes(left_over)
    server.forged.add("large.pth")
    error = client.call("fetch")
    assert error.startswith("DownloadError: 'large.pth' arrived from http://127.0.0.1")
    assert client.file.sha256 in error and error.endswith("was removed; try again.")
    assert client.files() == {}
    server.forged.clear()
    assert Path(client.call("fetch")).read_bytes() == WEIGHTS


@pytest.mark.parametrize("content", [WEIGHTS[:-1000], WEIGHTS + b"more" * 100_000])
@pytest.mark.parametrize("left_over", [0, len(WEIGHTS) - 500])
def test_a_file_of_another_length_is_refused_and_removed(
    server: HubServer, client: Client, content: bytes, left_over: int
) -> None:
    if left_over:
        client.call("fetch")
        (path,) = client.home.rglob("large.pth")
        path.rename(path.with_name("large.pth.part"))
        os.truncate(path.with_name("large.pth.part"), left_over)
    server.repos["some/upscalers"].files["large.pth"] = content
    assert "arrived from http://127.0.0.1" in client.call("fetch")
    assert client.files() == {}


def test_what_is_longer_than_announced_is_received_no_further(
    server: HubServer, client: Client
) -> None:
    server.repos["some/upscalers"].files["large.pth"] = WEIGHTS * 4
    size = int(client.call("fetch").partition(" with size ")[2].split()[0])
    assert len(WEIGHTS) < size < 2 * len(WEIGHTS)


def test_what_was_received_whole_is_checked_and_not_asked_for_again(
    server: HubServer, client: Client
) -> None:
    client.call("fetch")
    (path,) = client.home.rglob("large.pth")
    path.rename(path.with_name("large.pth.part"))
    assert client.call("fetch") == str(path)
    assert asked_for(server) == ["all"]


def test_what_was_left_of_a_longer_file_is_not_gone_on_with(
    server: HubServer, client: Client
) -> None:
    client.call("fetch")
    (path,) = client.home.rglob("large.pth")
    path.unlink()
    path.with_name("large.pth.part").write_bytes(WEIGHTS + b"more")
    assert Path(client.call("fetch")).read_bytes() == WEIGHTS
    assert asked_for(server) == ["all", "all"]


def test_a_refusal_is_said_in_one_sentence(server: HubServer, client: Client) -> None:
    client.file = replace(client.file, url=f"{client.file.url}.old")
    error = client.call("fetch")
    assert error == (
        f"DownloadError: 'large.pth.old' could not be downloaded: {server.url} "
        f"answered 404 to {client.file.url}."
    )


def test_without_network_it_fails_at_once(
    server: HubServer, client: Client, closed_port: str
) -> None:
    for switch in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        assert client.call("fetch", **{switch: "1"}) == (
            f"HubUnreachableError: 'large.pth' cannot be downloaded: {switch} is set."
        )
    client.file = replace(client.file, url=f"{closed_port}/large.pth")
    assert client.call("fetch") == (
        "HubUnreachableError: 'large.pth' cannot be downloaded: connection refused "
        f"({closed_port})."
    )
    client.file = replace(client.file, url=server.url + PLACE)
    server.silent = True
    assert client.call("fetch", HF_HUB_ETAG_TIMEOUT="1") == (
        "HubUnreachableError: 'large.pth' cannot be downloaded: no answer from "
        f"{server.url} within 1 seconds."
    )


def test_a_proxy_is_asked(server: HubServer, client: Client) -> None:
    client.file = replace(client.file, url=f"http://far.example{PLACE}")
    path = client.call("fetch", http_proxy=server.url)
    assert Path(path).read_bytes() == WEIGHTS


def test_a_folder_that_cannot_be_made_is_named(client: Client) -> None:
    client.home.write_text("a file in its place")
    with pytest.raises(NotADirectoryError, match=str(client.home)):
        client.call("fetch")


def test_no_room_is_one_sentence(client: Client) -> None:
    client.call("fetch")
    (path,) = client.home.rglob("large.pth")
    path.unlink()
    path.with_name("large.pth.part").symlink_to("/dev/full")
    assert client.call("fetch") == (
        f"DownloadError: There is no room for 'large.pth' in {path.parent}; make some, "
        "or set XDG_CACHE_HOME to a folder on another disk."
    )
