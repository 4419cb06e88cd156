"""Single files from a web server on localhost, each test in fresh processes."""

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from imaginairy.models.catalog import WebFile
from tests.support.hub_server import HubServer, Repo

ROOT = Path(__file__).parents[2]
HANG_GUARD_S = 120

WEIGHTS = bytes(range(256)) * 8000
PLACE = "/some/upscalers/resolve/main/large.pth"
CHILD = """
import json, sys
from imaginairy.errors import ImaginairyError
from imaginairy.cli.run import show_log
from imaginairy.models import web
from imaginairy.models.catalog import WebFile

show_log("info")
try:
    print(getattr(web, sys.argv[1])(WebFile(**json.loads(sys.argv[2]))))
except ImaginairyError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@dataclass
class Client:
    """Calls functions of `imaginairy.models.web` in a fresh process."""

    home: Path
    file: WebFile

    def environment(self, **more: str) -> dict[str, str]:
        foreign = ("HF_", "HUGGING", "TRANSFORMERS_")
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(foreign) and not name.lower().endswith("_proxy")
        }
        return own | {"XDG_CACHE_HOME": str(self.home), "PYTHONPATH": str(ROOT)} | more

    def begin(self, name: str, **environment: str) -> subprocess.Popen[str]:
        file = self.file
        said = (
            f'{{"url": "{file.url}", "size": {file.size}, "sha256": "{file.sha256}"}}'
        )
        return subprocess.Popen(
            [sys.executable, "-c", CHILD, name, said],
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, name: str, **environment: str) -> str:
        """Return what is printed, or the error."""
        ran = self.begin(name, **environment)
        out, err = ran.communicate(timeout=HANG_GUARD_S)
        assert "Traceback" not in err, err
        self.said = err
        return out.strip() if ran.returncode == 0 else err.strip().splitlines()[-1]

    def files(self) -> dict[str, int]:
        """Return the names and sizes of what lies in the cache, but for locks."""
        return {
            path.name: path.stat().st_size
            for path in self.home.rglob("*")
            if path.is_file() and path.suffix != ".lock"
        }


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer({"some/upscalers": Repo({"large.pth": WEIGHTS})}) as server:
        yield server


@pytest.fixture
def client(server: HubServer, tmp_path: Path) -> Client:
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    file = WebFile(server.url + PLACE, len(WEIGHTS), digest)
    return Client(tmp_path / "home", file)


def asked_for(server: HubServer) -> list[str]:
    """Return the range of each download that the server was asked for."""
    downloads = [request for request in server.requests if request.method == "GET"]
    assert all(request.path == PLACE for request in downloads)
    return [request.headers.get("range", "all") for request in downloads]


def test_a_file_arrives_once_and_is_used_offline(
    server: HubServer, client: Client
) -> None:
    assert client.call("cached") == "None"
    path = Path(client.call("fetch"))
    assert path.read_bytes() == WEIGHTS
    assert path.is_relative_to(client.home) and path.name == "large.pth"
    assert client.said == f"fetching large.pth from {client.file.url}\n"
    assert client.call("fetch", HF_HUB_OFFLINE="1") == str(path)
    assert client.call("cached") == str(path)
    assert asked_for(server) == ["all"]
    assert client.files() == {"large.pth": len(WEIGHTS)}


def test_a_dropped_connection_is_gone_on_with(
    server: HubServer, client: Client
) -> None:
    server.drops["large.pth"] = 2
    assert Path(client.call("fetch")).read_bytes() == WEIGHTS
    size = len(WEIGHTS)
    starts = [size // 2, size // 2 + size // 4]
    assert asked_for(server) == ["all", *(f"bytes={start}-" for start in starts)]


def test_what_a_killed_run_received_is_kept(server: HubServer, client: Client) -> None:
    server.pieces = 20
    running = client.begin("fetch")
    while client.files().get("large.pth.part", 0) == 0:
        assert running.poll() is None
    running.kill()
    running.communicate()
    received = client.files()["large.pth.part"]
    assert 0 < received < len(WEIGHTS)
    server.pieces = 1
    assert Path(client.call("fetch")).read_bytes() == WEIGHTS
    assert asked_for(server) == ["all", f"bytes={received}-"]
    assert client.files() == {"large.pth": len(WEIGHTS)}


def test_a_server_that_sends_only_wholes_is_put_up_with(
    server: HubServer, client: Client
) -> None:
    server.ranges, server.drops["large.pth"] = False, 1
    assert Path(client.call("fetch")).read_bytes() == WEIGHTS
    assert len(asked_for(server)) == 2


def test_a_slow_server_is_waited_for(server: HubServer, client: Client) -> None:
    server.pieces = 10
    path = client.call("fetch", HF_HUB_DOWNLOAD_TIMEOUT="1")  # for each piece
    assert Path(path).read_bytes() == WEIGHTS


def test_two_processes_share_one_download(server: HubServer, client: Client) -> None:
    server.pieces = 4
    both = [client.begin("fetch") for _ in range(2)]
    paths = {running.communicate(timeout=HANG_GUARD_S)[0] for running in both}
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


def test_a_refusal_is_said_in_one_sentence(server: HubServer, client: Client) -> None:
    client.file = replace(client.file, url=f"{client.file.url}.old")
    error = client.call("fetch")
    assert error == (
        f"DownloadError: 'large.pth.old' could not be downloaded: {server.url} "
        f"answered 404 to {client.file.url}."
    )


def test_without_network_it_fails_at_once(server: HubServer, client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for switch in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        assert client.call("fetch", **{switch: "1"}) == (
            f"HubUnreachableError: 'large.pth' cannot be downloaded: {switch} is set."
        )
    client.file = replace(client.file, url=f"{closed}/large.pth")
    assert client.call("fetch") == (
        "HubUnreachableError: 'large.pth' cannot be downloaded: connection refused "
        f"({closed})."
    )
    client.file = replace(client.file, url=server.url + PLACE)
    server.silent = True
    assert "no answer from" in client.call("fetch", HF_HUB_ETAG_TIMEOUT="1")


def test_a_proxy_is_asked(server: HubServer, client: Client) -> None:
    client.file = replace(client.file, url=f"http://far.example{PLACE}")
    path = client.call("fetch", http_proxy=server.url)
    assert Path(path).read_bytes() == WEIGHTS


def test_a_folder_that_cannot_be_made_is_named(client: Client) -> None:
    client.home.write_text("a file in its place")
    ran = client.begin("fetch")
    assert "Not a directory" in ran.communicate()[1]
