"""Hubs and repositories that refuse, and no hub at all: one sentence each."""

import socket
import threading
from pathlib import Path

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from imaginairy.sources.rows import HubFile
from tests.support.hub_client import FILES, REPO, WEIGHTS, WEIGHTS_FILE, Client
from tests.support.hub_server import HubServer

# -- refusals


def test_gated_repository_opens_to_its_token(server: HubServer, client: Client) -> None:
    server.repos[REPO].token = "hf_good"
    for env in ({}, {"HF_TOKEN": "hf_other"}):
        for call in (("fetch", WEIGHTS_FILE), ("repo_files", REPO)):
            message = client.error("DownloadError", *call, env=env)
            assert f"accept its licence on {server.url}/{REPO} " in message
            assert "HF_TOKEN" in message
            code = 403 if env else 401
            assert message.endswith(f" (the hub answered {code}, Refused: GatedRepo).")
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


@pytest.mark.parametrize(
    ("text", "reason"), [("It broke.\nAnd more.", "It broke"), ("", "ValueError")]
)
def test_anything_else_is_said_by_its_first_line(
    client: Client, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise ValueError(text)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", broken)
    assert client.error("DownloadError", "fetch", WEIGHTS_FILE) == (
        f"'{WEIGHTS_FILE.path}' of '{REPO}' could not be downloaded: {reason}."
    )


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
    many = ("fetch_many", REPO, [WEIGHTS_FILE.path])
    assert client.error("HubUnreachableError", *many) == (
        f"'{REPO}' cannot be downloaded: connection refused ({closed_port})."
    )


def test_a_hub_that_falls_silent_is_unreachable(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*args: object, **options: object) -> None:
        raise LocalEntryNotFoundError("not here") from TimeoutError("timed out.")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", silent)
    assert client.error("HubUnreachableError", "fetch", WEIGHTS_FILE) == (
        f"'{WEIGHTS_FILE.path}' of '{REPO}' could not be downloaded: timed out."
    )


def test_silent_hub(server: HubServer, client: Client) -> None:
    server.silent = True
    silence = f"no answer from {server.url} within "
    assert client.value("unreachable_reason", 0.3) == f"{silence}0.3 seconds"
    assert client.value("unreachable_reason") == f"{silence}3 seconds"
    message = client.error(
        "HubUnreachableError", "fetch", WEIGHTS_FILE, env={"HF_HUB_ETAG_TIMEOUT": "1"}
    )
    assert message.endswith(f" cannot be downloaded: {silence}1 seconds.")


def test_name_that_cannot_be_resolved(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_address(*args: object, **options: object) -> None:
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    client.endpoint = "http://hub.invalid"
    direct, proxied, spared = (
        client.value("unreachable_reason", env=env)
        for env in (
            {},
            {"http_proxy": "http://proxy.invalid:8080"},
            {"http_proxy": "http://proxy.invalid:8080", "no_proxy": "hub.invalid"},
        )
    )
    reason = "hub.invalid (http://hub.invalid)"
    assert direct == spared == f"cannot resolve {reason}"
    assert proxied == f"cannot resolve the proxy for {reason}"


def test_name_server_that_hangs(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def hang(*args: object, **options: object) -> None:
        over.wait()
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    client.endpoint = "http://hub.invalid"
    reason = client.value("unreachable_reason", 0.3)
    over.set()
    assert reason == "no answer from http://hub.invalid within 0.3 seconds"


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
