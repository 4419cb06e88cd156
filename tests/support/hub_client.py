"""Calls of the hub's functions as in fresh processes, against a hub of the tests."""

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imaginairy.errors import ImaginairyError
from imaginairy.sources import hub
from imaginairy.sources.rows import HubFile
from tests.support.hub_environment import hub_environment, without_hub
from tests.support.patience import HANG_GUARD_S

ROOT = Path(__file__).parents[2]

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
CHILD = "from tests.support.hub_client import serve; print(serve())"

Answer = dict[str, Any]


def client_cached(file: HubFile) -> Any:
    """Ask the real client where a file lies."""
    from huggingface_hub import try_to_load_from_cache

    return try_to_load_from_cache(file.repo, file.path, revision=file.revision)


def answered(name: str, *args: Any) -> Answer:
    """Call a function of the hub's; return its value, or what it raised."""
    function: Callable[..., Any] = (
        client_cached if name == "client_cached" else getattr(hub, name)
    )
    try:
        raise FileNotFoundError(2, "unrelated, and no part of any message")
    except FileNotFoundError:
        try:
            return {"value": function(*args)}
        except (ImaginairyError, KeyboardInterrupt) as error:
            cause = type(error.__cause__).__name__
            return {
                "error": type(error).__name__,
                "message": f"{error}",
                "cause": cause,
            }


def serve() -> str:
    """Return the answers to the calls that stand at the standard input."""
    for_file = [
        [name, *(HubFile(**v) if isinstance(v, dict) else v for v in values)]
        for name, *values in json.load(sys.stdin)
    ]
    return json.dumps([answered(*call) for call in for_file], default=str)


def closed_port() -> str:
    """Return an address of this machine where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@dataclass
class Client:
    """Calls functions of `imaginairy.sources.hub` as a fresh process would."""

    home: Path
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        return {"HF_HOME": str(self.home), "HF_ENDPOINT": self.endpoint}

    def here(self, **more: str) -> AbstractContextManager[None]:
        """Let this process be such a one for a while."""
        return hub_environment(**(self.environment | more))

    def call(
        self, *calls: tuple[Any, ...], env: dict[str, str] | None = None
    ) -> list[Answer]:
        """Return the value or error of each call."""
        with self.here(**(env or {})):
            answers = [answered(*call) for call in calls]
        plain: list[Answer] = json.loads(json.dumps(answers, default=str))
        return plain

    def call_in_process(self, *calls: tuple[Any, ...], first: str = "") -> list[Answer]:
        """Do the same in a process of its own; `first` is run before all else."""
        own = without_hub(dict(os.environ)) | self.environment
        done = subprocess.run(
            [sys.executable, "-c", f"{first}\n{CHILD}"],
            input=json.dumps(calls, default=asdict),
            env=own | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=HANG_GUARD_S,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        answers: list[Answer] = json.loads(done.stdout)
        return answers

    def value(self, name: str, *args: Any, env: dict[str, str] | None = None) -> Any:
        """Return what one call returns."""
        (answer,) = self.call((name, *args), env=env)
        return answer["value"]

    def error(self, kind: str, name: str, *args: Any, **options: Any) -> str:
        """Return the message of the error that one call raises, of this kind."""
        (answer,) = self.call((name, *args), **options)
        return said_in(answer, kind)

    def left_over(self) -> list[Path]:
        """Return all content that the cache holds, whole or partial."""
        found = self.home.glob("hub/models--*/*/**/*")
        return [path for path in found if path.is_file() and "refs" not in path.parts]


def said_in(answer: Answer, kind: str) -> str:
    """Return the message of an error of this kind, which is one sentence."""
    assert answer["error"] == kind, answer
    message: str = answer["message"]
    assert message.endswith(".") and ". " not in message and "\n" not in message
    assert "unrelated" not in message
    return message
