"""Models beside the one that draws: their rows, names, paths and repositories."""

import re
from pathlib import Path

import pytest
from PIL import Image

from imaginairy import mask
from imaginairy.errors import CheckpointError, UnknownModelError
from imaginairy.sources.beside_rows import BESIDE_ROWS
from imaginairy.sources.catalog import MODELS, known, models_for, usual_model
from imaginairy.sources.fetch import fetch, on_disk
from imaginairy.sources.layouts import folder_files
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS, ROLES
from imaginairy.sources.rows import (
    BundledFolder,
    HubFile,
    HubRepo,
    LocalPath,
    ModelRow,
    WebFile,
)
from tests.support.hub_environment import hub_environment
from tests.support.hub_server import HubServer, Repo
from tests.support.tiny_clipseg import save_colour_finder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mask model as transformers saves it."""
    save_colour_finder(tmp_path / "model")
    return tmp_path / "model"


def spec_of(folder: Path) -> ModelRow:
    return locate("mask", str(folder))


@pytest.mark.parametrize("role", ROLES)
def test_every_model_has_every_companion(role: str) -> None:
    for spec in models_for(DRAWS):
        name = usual_model(role, spec)
        assert known(role, name).name == name
    rows = models_for(role)
    names = [name for row in rows for name in (row.name, *row.aliases)]
    assert len(set(names)) == len(names)
    assert {row.role for row in MODELS} == {*ROLES}


def test_names_paths_and_repositories(folder: Path) -> None:
    assert locate("mask", "CLIPSeg").weights == HubRepo("CIDAS/clipseg-rd64-refined")
    assert locate("mask", "me/mine@v2").weights == HubRepo("me/mine", "v2")
    assert spec_of(folder).weights == LocalPath(folder)
    with pytest.raises(
        UnknownModelError, match=r"no mask model 'clipsge'.*mean 'clipseg"
    ):
        locate("mask", "clipsge")


def test_a_missing_bundled_model_is_one_sentence() -> None:
    spec = ModelRow("mask", "some-clipseg", "", BundledFolder("nothing_here"), "MIT")
    with pytest.raises(CheckpointError, match="'some-clipseg' is not part of this"):
        fetch(spec)


def test_the_published_model_is_fetched_once(folder: Path, tmp_path: Path) -> None:
    spec = known("mask", "clipseg")
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
    unknown = ModelRow("mask", "else", "", HubRepo("someone/else"), "MIT")
    assert on_disk(unknown) is None
    with pytest.raises(CheckpointError, match="'a/b' is no mask model"):
        folder_files(["unet/config.json", "model.safetensors"], "a/b", "mask model")


@pytest.mark.parametrize(
    ("role", "published", "bundled", "option", "fallback"),
    [
        ("mask", "clipseg", "storybook-clipseg", "mask_model", None),
        ("upscaler", "realesrgan-x4plus", "storybook-upscaler", "upscaler", "lanczos"),
        ("face-detector", "yunet", "storybook-faces", "fix_faces_detector", None),
        ("face-restorer", "codeformer", "storybook-codeformer", "fix_faces_model",
         None),
        ("captioner", "blip-base", "storybook-blip", "caption_model", None),
        ("similarity", "clip-vit-large", "storybook-clip", "similarity_model", None),
        ("safety", "stable-diffusion-safety-checker", None, None, None),
    ],
)  # fmt: skip
def test_what_each_role_takes(
    role: str, published: str, bundled: str | None, option: str, fallback: str | None
) -> None:
    row = ROLES[role]
    found = (row.published, row.bundled, row.option, row.fallback)
    assert found == (published, bundled, option, fallback)
    assert row.is_file == (role == "upscaler")
    assert usual_model(role, known(DRAWS, "sd15")) == published
    assert usual_model(role, known(DRAWS, "storybook")) == (bundled or published)
    assert isinstance(known(role, published).weights, HubRepo | HubFile | WebFile)
    if bundled is not None:
        assert isinstance(known(role, bundled).weights, BundledFolder)
        assert known(role, "Bundled").name == bundled


def test_what_is_fetched_is_pinned_by_its_sum_and_size() -> None:
    for spec in BESIDE_ROWS:
        match spec.weights:
            case WebFile() as file:
                assert file.size > 1_000_000 and file.url.startswith("https://")
                assert re.fullmatch("[0-9a-f]{64}", file.sha256), spec.name
            case HubFile() as file:
                assert file.size > 100_000 and len(file.revision) == 40
                assert re.fullmatch("[0-9a-f]{64}", file.sha256), spec.name
            case HubRepo(sha256=sums):
                assert all(re.fullmatch("[0-9a-f]{64}", each) for _, each in sums)
                assert sums or spec.name in ("clipseg", "depth-anything-v2-small")


def test_only_what_forbids_something_has_a_notice() -> None:
    noticed = {spec.name for spec in MODELS if spec.notice}
    assert noticed == {"codeformer", "sd-turbo", "sdxl-turbo"}
    forbids = "non-commercial", "commercial use limited"
    limited = [s.name for s in MODELS if any(said in s.licence for said in forbids)]
    assert noticed == {*limited}
