"""Downloads by the real client, each test in fresh processes, from a hub on localhost.

Fresh, since the client reads its environment once, when it is imported.
"""

import hashlib
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from imaginairy.models.catalog import HubFile
from tests.hub_server import HubServer, Repo

ROOT = Path(__file__).parents[2]
HANG_GUARD_S = 120

WEIGHTS = bytes(range(256)) * 400
REPO = "someone/some-model"
FILES = {
    "model_index.json": b"{}",
    "unet/config.json": b'{"sample_size": 8}',
    "unet/model.safetensors": WEIGHTS,
}
WEIGHTS_FILE = HubFile(
    repo=REPO,
    path="unet/model.safetensors",
    size=len(WEIGHTS),
    sha256=hashlib.sha256(WEIGHTS).hexdigest(),
)

CHILD = """
import json, sys
from imaginairy.errors import ImaginairyError
from imaginairy.models import hub
from imaginairy.models.catalog import HubFile

def client_cached(file):
    from huggingface_hub import try_to_load_from_cache
    return try_to_load_from_cache(file.repo, file.path, revision=file.revision)

def answer(name, *values):
    function = client_cached if name == "client_cached" else getattr(hub, name)
    args = [HubFile(**v) if isinstance(v, dict) else v for v in values]
    try:
        return {"value": function(*args)}
    except (ImaginairyError, KeyboardInterrupt) as error:
        cause = type(error.__cause__).__name__
        return {"error": type(error).__name__, "message": str(error), "cause": cause}

try:
    raise FileNotFoundError(2, "unrelated, and no part of any message")
except FileNotFoundError:
    answers = [answer(*call) for call in json.load(sys.stdin)]
print(json.dumps(answers, default=str))
"""


@dataclass
class Client:
    """Calls functions of `imaginairy.models.hub` in a fresh process."""

    home: Path
    endpoint: str

    def call(
        self,
        *calls: tuple[Any, ...],
        env: dict[str, str] | None = None,
        first: str = "",
    ) -> list[dict[str, Any]]:
        """Return the value or error of each call; `first` is run before the import."""
        foreign = ("HF_", "HUGGING", "TRANSFORMERS_")
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(foreign) and not name.lower().endswith("_proxy")
        }
        own |= {"HF_HOME": str(self.home), "HF_ENDPOINT": self.endpoint}
        own |= {"HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", first + CHILD],
            input=json.dumps(calls, default=asdict),
            env=own | (env or {}),
            capture_output=True,
            text=True,
            timeout=HANG_GUARD_S,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    def value(self, name: str, *args: Any, env: dict[str, str] | None = None) -> Any:
        """Return what one call returns."""
        (answer,) = self.call((name, *args), env=env)
        return answer["value"]

    def error(self, kind: str, name: str, *args: Any, **options: Any) -> str:
        """Return the message of the error that one call raises, of this kind."""
        (answer,) = self.call((name, *args), **options)
        assert answer["error"] == kind, answer
        message: str = answer["message"]
        assert message.endswith(".") and ". " not in message and "\n" not in message
        assert "unrelated" not in message
        return message

    def left_over(self) -> list[Path]:
        """Return all content that the cache holds, whole or partial."""
        found = self.home.glob("hub/models--*/*/**/*")
        return [path for path in found if path.is_file() and "refs" not in path.parts]


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer({REPO: Repo(dict(FILES))}) as server:
        yield server


@pytest.fixture
def client(server: HubServer, tmp_path: Path) -> Client:
    return Client(tmp_path / "home", server.url)


@pytest.fixture
def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


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
    assert client.value("fetch", WEIGHTS_FILE) == str(path)
    assert server.requests == []


def test_a_commit_can_be_asked_for(server: HubServer, client: Client) -> None:
    pinned = replace(WEIGHTS_FILE, revision=server.repos[REPO].commit)
    assert Path(client.value("fetch", pinned)).read_bytes() == WEIGHTS
    assert client.value("cached", WEIGHTS_FILE) is None  # nobody said what `main` is


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
        "import sys, imaginairy.models.hub; sys.exit('huggingface_hub' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# -- whole repositories


def test_files_of_a_repository_are_listed(client: Client) -> None:
    assert client.value("repo_files", REPO) == sorted(FILES)


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
    server: HubServer, client: Client, closed_port: str, trouble: str
) -> None:
    client.value("fetch_many", REPO, ["unet/config.json", "model_index.json"])
    env = {}
    if trouble == "offline":
        env["HF_HUB_OFFLINE"] = "1"
    elif trouble == "closed port":
        client.endpoint = closed_port
    else:
        server.status = 503
    listed, unknown = client.call(
        ("repo_files", REPO), ("repo_files", "someone/unknown"), env=env
    )
    assert listed["value"] == ["model_index.json", "unet/config.json"]
    assert unknown["error"] in ("HubUnreachableError", "DownloadError")
    assert "The list of files of 'someone/unknown'" in unknown["message"]


# -- broken connections and wrong content


def test_a_dropped_connection_is_resumed(server: HubServer, client: Client) -> None:
    content = random.Random(0).randbytes(21 << 20)  # the client keeps steps of 10 MiB
    server.repos[REPO].files["large.bin"] = content
    server.drops = {"large.bin": 1}
    assert (
        Path(client.value("fetch", HubFile(REPO, "large.bin"))).read_bytes() == content
    )
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
        "def sha256(*args): raise KeyboardInterrupt\n"
        "hashlib.sha256 = sha256\n"
    )
    (answer,) = client.call(("fetch", WEIGHTS_FILE), first=interrupt)
    assert answer["error"] == "KeyboardInterrupt"
    assert client.value("cached", WEIGHTS_FILE) is None
    assert Path(client.value("fetch", WEIGHTS_FILE)).read_bytes() == WEIGHTS
    assert server.downloads() == [WEIGHTS_FILE.path]


def test_no_room_is_one_sentence(server: HubServer, client: Client) -> None:
    limit = (
        f"import resource as r\nr.setrlimit(r.RLIMIT_FSIZE, ({len(WEIGHTS) // 2},)*2)"
    )
    message = client.error("DownloadError", "fetch", WEIGHTS_FILE, first=limit)
    assert f"There is no room for '{WEIGHTS_FILE.path}' of '{REPO}' in " in message
    assert str(client.home) in message
    assert "HF_HOME" in message
    assert client.left_over() == []


# -- refusals


def test_gated_repository_opens_to_its_token(server: HubServer, client: Client) -> None:
    server.repos[REPO].token = "hf_good"
    for env in ({}, {"HF_TOKEN": "hf_other"}):
        for call in (("fetch", WEIGHTS_FILE), ("repo_files", REPO)):
            message = client.error("DownloadError", *call, env=env)
            assert f"accept its licence on {server.url}/{REPO} " in message
            assert "HF_TOKEN" in message
    fetched, listed = client.call(
        ("fetch", WEIGHTS_FILE), ("repo_files", REPO), env={"HF_TOKEN": "hf_good"}
    )
    assert Path(fetched["value"]).read_bytes() == WEIGHTS
    assert listed["value"] == sorted(FILES)


@pytest.mark.parametrize("status", [401, 403])
def test_plain_refusals_count_as_gated(
    server: HubServer, client: Client, status: int
) -> None:
    server.status = status
    message = client.error("DownloadError", "fetch", WEIGHTS_FILE)
    assert f"accept its licence on {server.url}/{REPO} " in message


@pytest.mark.parametrize("env", [{}, {"HF_TOKEN": "hf_some"}])
def test_unknown_repository(
    server: HubServer, client: Client, env: dict[str, str]
) -> None:
    for call in (
        ("fetch", HubFile("someone/unknown", "a.bin")),
        ("fetch_many", "someone/unknown", ["a.bin"]),
        ("repo_files", "someone/unknown"),
    ):
        message = client.error("UnknownModelError", *call, env=env)
        assert f"There is no repository 'someone/unknown' on {server.url};" in message


def test_impossible_name_of_a_repository(client: Client) -> None:
    message = client.error("UnknownModelError", "fetch", HubFile("a/b/c", "a.bin"))
    assert message == "'a/b/c' cannot be a repository's owner/name."


def test_unknown_revision_and_file(client: Client) -> None:
    message = client.error("DownloadError", "fetch", HubFile(REPO, "a.bin", "v2"))
    assert message == f"'{REPO}' has no revision 'v2'."
    message = client.error("DownloadError", "repo_files", REPO, "v2")
    assert message == f"'{REPO}' has no revision 'v2'."
    message = client.error("DownloadError", "fetch", HubFile(REPO, "a.bin"))
    assert message == f"'{REPO}' has no file 'a.bin' in revision 'main'."


def test_original_error_is_the_cause(client: Client) -> None:
    (answer,) = client.call(("fetch", HubFile(REPO, "a.bin")))
    assert answer["cause"] == "RemoteEntryNotFoundError"


def test_hub_out_of_order(server: HubServer, client: Client) -> None:
    server.status = 503
    message = client.error("DownloadError", "fetch", WEIGHTS_FILE)
    assert message.endswith(" could not be downloaded: the hub answered 503.")


def test_web_server_that_is_no_hub(server: HubServer, client: Client) -> None:
    server.web_page = True
    for call in (("fetch", WEIGHTS_FILE), ("repo_files", REPO)):
        message = client.error("DownloadError", *call)
        assert f"What answers at {server.url} is not a model hub;" in message


# -- no hub at all


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500])
def test_any_answer_is_an_answer(
    server: HubServer, client: Client, status: int
) -> None:
    server.status = status
    assert client.value("unreachable_reason") is None


def test_closed_port(client: Client, closed_port: str) -> None:
    client.endpoint = closed_port
    assert client.value("unreachable_reason") == f"connection refused ({closed_port})"
    assert client.error("HubUnreachableError", "fetch", WEIGHTS_FILE) == (
        f"'{WEIGHTS_FILE.path}' of '{REPO}' cannot be downloaded: connection refused "
        f"({closed_port})."
    )


def test_silent_hub(server: HubServer, client: Client) -> None:
    server.silent = True
    silence = f"no answer from {server.url} within "
    assert client.value("unreachable_reason", 0.3) == f"{silence}0.3 seconds"
    message = client.error(
        "HubUnreachableError", "fetch", WEIGHTS_FILE, env={"HF_HUB_ETAG_TIMEOUT": "1"}
    )
    assert message.endswith(f" cannot be downloaded: {silence}1 seconds.")


def test_name_that_cannot_be_resolved(client: Client) -> None:
    client.endpoint = "http://hub.invalid"
    no_address = (
        "import socket\n"
        "def getaddrinfo(*args, **kwargs): raise socket.gaierror(-2, 'unknown')\n"
        "socket.getaddrinfo = getaddrinfo\n"
    )
    direct, proxied = (
        client.call(("unreachable_reason",), env=env, first=no_address)
        for env in ({}, {"http_proxy": "http://proxy.invalid:8080"})
    )
    reason = "hub.invalid (http://hub.invalid)"
    assert direct == [{"value": f"cannot resolve {reason}"}]
    assert proxied == [{"value": f"cannot resolve the proxy for {reason}"}]


def test_name_server_that_hangs(client: Client) -> None:
    client.endpoint = "http://hub.invalid"
    hang = (
        "import socket, threading\n"
        "def getaddrinfo(*args, **kwargs): threading.Event().wait()\n"
        "socket.getaddrinfo = getaddrinfo\n"
    )
    (answer,) = client.call(("unreachable_reason", 0.3), first=hang)
    reason = "no answer from http://hub.invalid within 0.3 seconds"
    assert answer == {"value": reason}


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_mode(server: HubServer, client: Client, variable: str) -> None:
    client.value("fetch", HubFile(REPO, "unet/config.json"))
    server.requests.clear()
    cached, reason, missing = client.call(
        ("fetch", HubFile(REPO, "unet/config.json")),
        ("unreachable_reason",),
        ("fetch", WEIGHTS_FILE),
        env={variable: "1"},
    )
    assert Path(cached["value"]).read_bytes() == FILES["unet/config.json"]
    assert reason["value"] == f"{variable} is set"
    assert missing["error"] == "HubUnreachableError"
    assert missing["message"] == (
        f"'{WEIGHTS_FILE.path}' of '{REPO}' cannot be downloaded: {variable} is set."
    )
    assert server.requests == []
