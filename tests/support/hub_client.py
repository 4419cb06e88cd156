"""Calls of the hub's functions in fresh processes, against a hub of the tests."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imaginairy.models.catalog import HubFile

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
