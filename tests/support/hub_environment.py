"""The hub's client as a fresh process has it, without the process."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

FOREIGN = ("HF_", "HUGGING", "TRANSFORMERS_")
"""How the variables begin that the client heeds."""


def without_hub(environment: dict[str, str]) -> dict[str, str]:
    """Return variables without those that the client heeds, proxies included."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(FOREIGN) and not name.lower().endswith("_proxy")
    }


@contextmanager
def hub_environment(**variables: str) -> Iterator[None]:
    """Let the client read these variables, and none else of its own, for a while.

    It reads most of them when it is imported, and proxies when it opens its session.
    """
    before = dict(os.environ)
    mine = without_hub(before) | {"HF_HUB_DISABLE_TELEMETRY": "1"} | variables
    _become(mine)
    try:
        yield
    finally:
        _become(before)


def _become(environment: dict[str, str]) -> None:
    from huggingface_hub import close_session, constants

    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
    close_session()
    importlib.reload(constants)
