"""The hub's client as a fresh process has it, without the process."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.patience import HANG_GUARD_S

FOREIGN = ("HF_", "HUGGING", "TRANSFORMERS_")
"""How the variables begin that the client heeds."""
PATIENT = dict.fromkeys(
    ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"), f"{HANG_GUARD_S:.0f}"
)
"""A busy machine is no silent hub: a test that judges a limit sets its own."""


def without_hub(environment: dict[str, str]) -> dict[str, str]:
    """Return variables without those that the client heeds, proxies included.

    It waits for answers as long as they take.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(FOREIGN) and not name.lower().endswith("_proxy")
    }
    return kept | PATIENT


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
