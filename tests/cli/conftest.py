"""Commands that run in the process of the tests."""

from functools import partial
from pathlib import Path

import pytest

from imaginairy.cli.stores import Stores
from tests.support.commands import Run, run_here


@pytest.fixture(scope="module")
def stores() -> Stores:
    """Models stay loaded from one test of a module to the next, as in a shell."""
    return Stores()


@pytest.fixture
def run(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aimg` in a folder of its own: run("upscale", "a.png")."""
    monkeypatch.chdir(tmp_path)
    return partial(run_here, stores)
