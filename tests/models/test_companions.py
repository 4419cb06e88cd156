"""Models beside the one that draws: their rows, names, paths and repositories."""

from pathlib import Path

import pytest
from PIL import Image

from imaginairy import mask
from imaginairy.errors import CheckpointError, UnknownModelError
from imaginairy.models.catalog import MODELS, BundledFolder, HubRepo, LocalPath
from imaginairy.models.companion_files import (
    companion_path,
    folder_files,
    locate_companion,
    on_disk,
)
from imaginairy.models.companions import (
    COMPANIONS,
    ROLES,
    CompanionSpec,
    companions_for,
    known_companion,
    usual_companion,
)
from tests.support.hub_environment import hub_environment
from tests.support.hub_server import HubServer, Repo
from tests.support.tiny_clipseg import save_colour_finder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mask model as transformers saves it."""
    save_colour_finder(tmp_path / "model")
    return tmp_path / "model"


def spec_of(folder: Path) -> CompanionSpec:
    return locate_companion("mask", str(folder))


@pytest.mark.parametrize("role", ROLES)
def test_every_model_has_every_companion(role: str) -> None:
    for spec in MODELS:
        name = usual_companion(role, spec)
        assert known_companion(role, name).name == name
    rows = companions_for(role)
    names = [name for row in rows for name in (row.name, *row.aliases)]
    assert len(set(names)) == len(names)
    assert {row.role for row in COMPANIONS} == {*ROLES}


def test_names_paths_and_repositories(folder: Path) -> None:
    assert locate_companion("mask", "CLIPSeg").weights == HubRepo(
        "CIDAS/clipseg-rd64-refined"
    )
    assert locate_companion("mask", "me/mine@v2").weights == HubRepo("me/mine", "v2")
    assert spec_of(folder).weights == LocalPath(folder)
    with pytest.raises(
        UnknownModelError, match=r"no mask model 'clipsge'.*mean 'clipseg"
    ):
        locate_companion("mask", "clipsge")


def test_a_missing_bundled_model_is_one_sentence() -> None:
    spec = CompanionSpec(
        "mask", "some-clipseg", "", BundledFolder("nothing_here"), "MIT"
    )
    with pytest.raises(CheckpointError, match="'some-clipseg' is not part of this"):
        companion_path(spec)


def test_the_published_model_is_fetched_once(folder: Path, tmp_path: Path) -> None:
    spec = known_companion("mask", "clipseg")
    assert isinstance(spec.weights, HubRepo)
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    more = {"README.md": b"-", "tf_model.h5": b"-", "pytorch_model.bin": b"-"}
    picture = Image.new("RGB", (64, 48), "red")
    with (
        HubServer({spec.weights.repo: Repo(more | files)}) as server,
        hub_environment(HF_HOME=str(tmp_path / "home"), HF_ENDPOINT=server.url),
    ):
        assert mask(picture, "red").binary.getextrema() == (255, 255)
        assert {*server.downloads()} == {*files} - {"tokenizer_config.json"}
        server.requests.clear()
        assert mask(picture, "red").binary.getextrema() == (255, 255)
        assert server.requests == []


def test_a_repository_of_something_else() -> None:
    unknown = CompanionSpec("mask", "else", "", HubRepo("someone/else"), "MIT")
    assert on_disk(unknown) is None
    with pytest.raises(CheckpointError, match="'a/b' is no mask model"):
        folder_files(["unet/config.json", "model.safetensors"], "a/b", "mask model")
