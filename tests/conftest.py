"""Surroundings of every test: no network but this machine, nothing left behind."""

import os
import socket
import tempfile
from pathlib import Path

_HOME = tempfile.mkdtemp(prefix="imaginairy-tests-")
os.environ |= {
    "HF_HOME": f"{_HOME}/hub",
    "XDG_CACHE_HOME": f"{_HOME}/cache",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
for _name in ("HF_TOKEN", "HF_ENDPOINT", "HUGGING_FACE_HUB_TOKEN"):
    os.environ.pop(_name, None)

import pytest  # noqa: E402

from tests.tiny import save_tiny_pipeline  # noqa: E402

LOCAL = ("127.", "::1", "localhost", "/", "\0")


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else str(address)
        if not str(host).startswith(LOCAL):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion of tiny size and random weights, saved by diffusers."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_pipeline(folder)
    return folder
