"""Downloads by the real client, from a hub on localhost."""

import errno
import hashlib
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants

from imaginairy.sources import hub
from imaginairy.sources.rows import HubFile
from tests.support.hub_client import (
    FILES,
    REPO,
    ROOT,
    WEIGHTS,
    WEIGHTS_FILE,
    Client,
    said_in,
)
from tests.support.hub_server import HubServer, Repo

# -- what is there, arrives, once


def test_content_lands_in_the_cache_and_is_asked_for_once(
    server: HubServer, client: Client
) -> None:
    before, fetched, cached, again, by_client = client.call(
        ("cached", WEIGHTS_FILE),
        ("fetch", WEIGHTS_FILE),
        ("cached", WEIGHTS_FILE),
        ("fetch", WEIGHTS_FILE),
        ("client_cached", WEIGHTS_FILE),
    )
    assert before["value"] is None
    path = Path(fetched["value"])
    assert path.read_bytes() == WEIGHTS
    assert path.is_relative_to(client.home)
    assert cached == again == by_client == fetched
    assert server.downloads() == [WEIGHTS_FILE.path]

    server.requests.clear()
    in_a_process = client.call_in_process(
        ("fetch", WEIGHTS_FILE), ("cached", WEIGHTS_FILE)
    )
    assert in_a_process == [{"value": str(path)}] * 2
    assert server.requests == []


def test_a_commit_can_be_asked_for(server: HubServer, client: Client) -> None:
    pinned = replace(WEIGHTS_FILE, revision=server.repos[REPO].commit)
    assert Path(client.value("fetch", pinned)).read_bytes() == WEIGHTS
    assert client.value("cached", pinned) is not None
    assert client.value("cached", WEIGHTS_FILE) is None  # nobody said what `main` is


def test_a_revision_is_its_own_files(server: HubServer, client: Client) -> None:
    """Listed, fetched and found in the cache by its name, and by no other."""
    other, path = b'{"sample_size": 64}', "unet/config.json"
    server.repos[REPO].branches["v2"] = Repo({path: other, "new.bin": b"new"})
    listed, fetched, cached, folder, snapshot, of_main = client.call(
        ("repo_files", REPO, "v2"),
        ("fetch", HubFile(REPO, path, "v2")),
        ("cached", HubFile(REPO, path, "v2")),
        ("fetch_many", REPO, ["new.bin", path], "v2"),
        ("cached_snapshot", REPO, "v2"),
        ("cached_snapshot", REPO),
    )
    assert listed["value"] == ["new.bin", path]
    assert Path(fetched["value"]).read_bytes() == other
    assert cached == fetched
    assert (Path(folder["value"]) / "new.bin").read_bytes() == b"new"
    assert snapshot == folder
    assert of_main["value"] is None
    assert Path(client.value("fetch", HubFile(REPO, path))).read_bytes() == FILES[path]

    server.requests.clear()
    assert client.value("fetch_many", REPO, [path], "v2") == folder["value"]
    assert server.requests == []


def test_a_cached_file_is_not_hashed_again(server: HubServer, client: Client) -> None:
    Path(client.value("fetch", WEIGHTS_FILE)).write_bytes(b"changed by the user")
    fetched = Path(client.value("fetch", WEIGHTS_FILE))
    assert fetched.read_bytes() == b"changed by the user"


def test_proxy_is_used(server: HubServer, client: Client) -> None:
    client.endpoint = "http://hub.invalid"
    fetched = client.value("fetch", WEIGHTS_FILE, env={"http_proxy": server.url})
    assert Path(fetched).read_bytes() == WEIGHTS
    assert {request.headers["host"] for request in server.requests} == {"hub.invalid"}


def test_importing_the_module_leaves_the_client_alone() -> None:
    code = (
        "import sys, imaginairy.sources.hub; sys.exit('huggingface_hub' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# -- whole repositories


def test_files_of_a_repository_are_listed(server: HubServer, client: Client) -> None:
    assert client.value("repo_files", REPO) == sorted(FILES)
    server.lists = False
    assert client.value("repo_files", REPO) == []


def test_many_files_land_in_one_folder_in_order(
    server: HubServer, client: Client
) -> None:
    paths = ["unet/model.safetensors", "unet/config.json", "model_index.json"]
    folder = Path(client.value("fetch_many", REPO, paths))
    assert {path: (folder / path).read_bytes() for path in paths} == FILES
    assert server.downloads() == paths
    asked = [r.path for r in server.requests if r.path.endswith(tuple(paths[1:]))]
    assert all(f"/resolve/{server.repos[REPO].commit}/" in path for path in asked)
    assert client.value("cached_snapshot", REPO) == str(folder)

    server.requests.clear()
    again, some = client.call(
        ("fetch_many", REPO, paths), ("fetch_many", REPO, ["unet/config.json"])
    )
    assert again == some == {"value": str(folder)}
    assert server.requests == []


def test_last_of_many_files_is_there_only_if_all_are(
    server: HubServer, client: Client
) -> None:
    paths = ["unet/config.json", "unet/nothing.safetensors", "model_index.json"]
    assert "'unet/nothing.safetensors'" in client.error(
        "DownloadError", "fetch_many", REPO, paths
    )
    assert server.downloads() == ["unet/config.json"]


def test_a_newer_commit_is_fetched_whole(server: HubServer, client: Client) -> None:
    old = client.value("fetch_many", REPO, ["unet/config.json"])
    server.repos[REPO] = Repo(FILES | {"unet/config.json": b'{"sample_size": 16}'})
    new = client.value("fetch_many", REPO, ["model_index.json", "unet/config.json"])
    assert new != old
    assert (Path(new) / "unet/config.json").read_bytes() == b'{"sample_size": 16}'


@pytest.mark.parametrize("trouble", ["offline", "closed port", "broken hub"])
def test_cached_files_are_listed_where_the_hub_cannot_be_asked(
    server: HubServer,
    client: Client,
    closed_port: str,
    trouble: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.repos[REPO].branches["v2"] = Repo({"new.bin": b"new"})
    client.call(
        ("fetch_many", REPO, ["unet/config.json", "model_index.json"]),
        ("fetch_many", REPO, ["new.bin"], "v2"),
    )
    env = {}
    if trouble == "offline":
        env["HF_HUB_OFFLINE"] = "1"
    elif trouble == "closed port":
        client.endpoint = closed_port
    else:
        server.status = 503
    listed, of_v2, unknown = client.call(
        ("repo_files", REPO),
        ("repo_files", REPO, "v2"),
        ("repo_files", "someone/unknown"),
        env=env,
    )
    assert listed["value"] == ["model_index.json", "unet/config.json"]
    assert of_v2["value"] == ["new.bin"]
    assert caplog.text.count("Using the files in the cache.") == 2
    kind = "DownloadError" if trouble == "broken hub" else "HubUnreachableError"
    assert unknown["error"] == kind
    assert "The list of files of 'someone/unknown'" in unknown["message"]


# -- broken connections and wrong content


def test_a_dropped_connection_is_resumed(server: HubServer, client: Client) -> None:
    content = random.Random(0).randbytes(200_000)
    server.repos[REPO].files["large.bin"] = content
    server.drops = {"large.bin": 1}
    with client.here():
        constants.DOWNLOAD_CHUNK_SIZE = 10_000  # what the client keeps at a time
        fetched = hub.fetch(HubFile(REPO, "large.bin"))
    assert fetched.read_bytes() == content
    first, second = (r.headers for r in server.requests if r.method == "GET")
    assert "range" not in first
    start = int(second["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= len(content) // 2


def test_a_connection_that_always_breaks_is_one_sentence(
    server: HubServer, client: Client
) -> None:
    server.repos[REPO].files["small.bin"] = b"x"  # half of which is nothing
    server.drops = {"small.bin": 1000}
    small = HubFile(REPO, "small.bin")
    message = client.error("DownloadError", "fetch", small)
    start = f"'small.bin' of '{REPO}' could not be downloaded: peer closed connection"
    assert message.startswith(start)
    assert client.left_over() == []

    server.drops = {}
    assert Path(client.value("fetch", small)).read_bytes() == b"x"


@pytest.mark.parametrize("file", [WEIGHTS_FILE, HubFile(REPO, WEIGHTS_FILE.path)])
def test_wrong_content_is_refused_and_removed(
    server: HubServer, client: Client, file: HubFile
) -> None:
    server.forged = {file.path}
    message = client.error("DownloadError", "fetch", file)
    got = hashlib.sha256(bytes(byte ^ 1 for byte in WEIGHTS)).hexdigest()
    assert f"'{file.path}' of '{REPO}' arrived with sha256 {got}" in message
    assert f"instead of {WEIGHTS_FILE.sha256}" in message
    assert client.left_over() == []

    server.forged = set()
    assert Path(client.value("fetch", file)).read_bytes() == WEIGHTS


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_sum_of_each_of_many_files_is_compared(
    server: HubServer, client: Client, which: int
) -> None:
    paths = list(FILES)
    sums = {path: hashlib.sha256(FILES[path]).hexdigest() for path in paths}
    wrong = sums | {paths[which]: "0" * 64}
    message = client.error("DownloadError", "fetch_many", REPO, paths, "main", wrong)
    assert message == (
        f"'{paths[which]}' of '{REPO}' arrived with sha256 {sums[paths[which]]} "
        f"instead of {'0' * 64} and was removed; try again."
    )
    assert server.downloads() == paths[: which + 1]
    assert client.value("cached", HubFile(REPO, paths[which])) is None
    folder = Path(client.value("fetch_many", REPO, paths, "main", sums))
    assert (folder / paths[which]).read_bytes() == FILES[paths[which]]


def test_wrong_size_is_refused_and_removed(server: HubServer, client: Client) -> None:
    longer = replace(WEIGHTS_FILE, size=len(WEIGHTS) + 1)
    message = client.error("DownloadError", "fetch", longer)
    assert f"size {len(WEIGHTS)} instead of {len(WEIGHTS) + 1}" in message
    assert client.left_over() == []


def test_interrupted_check_is_made_up_for_without_a_second_download(
    server: HubServer, client: Client
) -> None:
    interrupt = (
        "import hashlib\n"
        "from imaginairy.sources import catalog\n"
        "import tests.support.hub_client\n"
        "def sha256(*args): raise KeyboardInterrupt\n"
        "hashlib.sha256 = sha256"
    )
    (answer,) = client.call_in_process(("fetch", WEIGHTS_FILE), first=interrupt)
    assert answer["error"] == "KeyboardInterrupt"
    assert client.value("cached", WEIGHTS_FILE) is None
    assert Path(client.value("fetch", WEIGHTS_FILE)).read_bytes() == WEIGHTS
    assert server.downloads() == [WEIGHTS_FILE.path]


def test_no_room_is_one_sentence(server: HubServer, client: Client) -> None:
    limit = (
        f"import resource as r\nr.setrlimit(r.RLIMIT_FSIZE, ({len(WEIGHTS) // 2},)*2)"
    )
    (answer,) = client.call_in_process(("fetch", WEIGHTS_FILE), first=limit)
    message = said_in(answer, "DownloadError")
    assert f"There is no room for '{WEIGHTS_FILE.path}' of '{REPO}' in " in message
    assert str(client.home) in message
    assert "HF_HOME" in message
    assert client.left_over() == []


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_of_any_kind_is_no_room(
    client: Client, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr("huggingface_hub.hf_hub_download", full)
    message = client.error("DownloadError", "fetch", WEIGHTS_FILE)
    assert "There is no room for" in message
    assert f"({os.strerror(reason).lower()})" in message


def test_processes_that_want_the_same_files_fetch_each_of_them_once(
    server: HubServer, client: Client
) -> None:
    """As the workers of a machine do that begin together."""
    paths = sorted(FILES)
    with ThreadPoolExecutor(3) as pool:
        wanted = [("fetch_many", REPO, paths)] * 3
        answers = list(pool.map(client.call_in_process, wanted))
    assert {answer["value"] for (answer,) in answers} == {
        str(client.home / "hub" / f"models--{REPO.replace('/', '--')}" / "snapshots")
        + f"/{server.repos[REPO].commit}"
    }
    assert sorted(server.downloads()) == paths
