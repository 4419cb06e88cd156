"""Where what is made up is given: a folder with something of everything in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.cli.stores import Stores
from tests.support.made_up import furnish

SMALL = {"prompt": "a fox", "seed": 1, "width": 64, "height": 64, "steps": 1}


@pytest.fixture(scope="session")
def furnished(
    tiny_folder: Path, tiny_store: ModelStore, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder that is written to by all the tests here."""
    folder = tmp_path_factory.mktemp("made_up")
    furnish(folder)
    prompt = ImaginePrompt(**SMALL, model=str(tiny_folder))
    next(imagine(prompt, store=tiny_store)).save(folder / "tagged.png")
    return folder


@pytest.fixture
def room(
    furnished: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """That folder, as a user stands in it who has a tiny model of his own."""
    monkeypatch.chdir(furnished)
    monkeypatch.setenv("IMAGINAIRY_MODEL", str(tiny_folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return furnished


@pytest.fixture(scope="session")
def tiny_store(tiny_folder: Path) -> Iterator[ModelStore]:
    """The tiny model, loaded once."""
    store = ModelStore("cpu")
    store.get(str(tiny_folder))
    yield store
    store.clear()


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """Models stay loaded from one command to the next, as in a shell."""
    stores = Stores()
    yield stores
    stores.clear()
