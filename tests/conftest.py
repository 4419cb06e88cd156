"""Surroundings of every test: no network but this machine, nothing left behind."""

import gc
import logging
import shutil
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zlib import crc32

from tests.support import surroundings

if TYPE_CHECKING:
    import torch

    from imaginairy import ImagineResult, ModelStore
    from imaginairy.weighted_prompt import PromptText

surroundings.settle()
gc.disable()  # until all tests are found: what is imported for them stays

import pytest  # noqa: E402

from tests.support.examples import register_profiles  # noqa: E402

# Nothing large is imported here: what only hands tests out has no use for it.
register_profiles()

LONGEST = (
    "tests/pages/",
    "tests/test_notebook.py",
    "tests/fleet/test_on_a_cluster.py",
    "storybook/tests/test_rehearsal.py",
)
LOCAL = ("127.", "0.0.0.0", "::1", "localhost", "/", "\0")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, for which all would else wait at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Let nothing that is there for all tests be looked through for garbage in each."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    surroundings.leave()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how the tests are run in this order again."""
    seed = config.getoption("randomly_seed", None)
    if terminalreporter.stats.keys() & {"failed", "error"} and seed is not None:
        terminalreporter.write_line(f"This order again: --randomly-seed={seed}")


@cache
def chance() -> "torch.Generator":
    """Return torch's own chance; some tests hide torch, which comes only once."""
    import torch

    return torch.default_generator


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> None:
    """Let chance in a fixture be the same, whichever test asks for it first."""
    chance().manual_seed(crc32(fixturedef.argname.encode()))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Let chance in a test be the same, whichever came before."""
    chance().manual_seed(crc32(item.nodeid.encode()))


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


@pytest.fixture
def private_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pictures be fetched from this machine, where tests have their servers."""
    monkeypatch.setenv("IMAGINAIRY_ALLOW_PRIVATE_URLS", "1")


@pytest.fixture(autouse=True)
def log_as_a_library_has_it() -> None:
    """Take back what commands that ran in this process have set of the log."""
    log = logging.getLogger("imaginairy")
    log.handlers, log.propagate = [], True
    log.setLevel(logging.NOTSET)
    logging.getLogger("imaginairy.serving").setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def nobody_was_told_anything() -> None:
    """Forget what was said in earlier tests, and would not be again within a day."""
    shutil.rmtree(surroundings.HOME / "cache/imaginairy/said", ignore_errors=True)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion of tiny size and random weights, saved by diffusers."""
    from tests.support.tiny import save_tiny_pipeline

    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_pipeline(folder)
    return folder


@pytest.fixture(scope="session")
def store() -> Iterator["ModelStore"]:
    """The bundled model, loaded once for all tests."""
    from imaginairy import ModelStore

    store = ModelStore(device="cpu")
    store.get("storybook")
    yield store
    store.clear()


@pytest.fixture(scope="session")
def draw(store: "ModelStore") -> Callable[..., "ImagineResult"]:
    """Draw one picture with the bundled model, at its own size unless a field says
    otherwise: draw(prompt, **fields).
    """
    from imaginairy import ImaginePrompt, imagine

    def draw(prompt: "PromptText", **options: Any) -> "ImagineResult":
        usual = {"seed": 1, "steps": 5, "model": "storybook", "upscale": False}
        options = usual | options
        return next(imagine(ImaginePrompt(prompt, **options), store=store))

    return draw


@pytest.fixture
def in_memory() -> Iterator[str]:
    """An address of a file system that is not this machine's."""
    from fsspec.implementations.memory import MemoryFileSystem

    name = uuid4().hex
    yield f"memory://{name}"
    fs = MemoryFileSystem()
    if fs.exists(f"/{name}"):
        fs.rm(f"/{name}", recursive=True)
    MemoryFileSystem.clear_instance_cache()
