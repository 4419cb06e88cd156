"""What is fetched of a repository, from which revision, and how it is checked."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from imaginairy.errors import (
    CheckpointError,
    DownloadError,
    HubUnreachableError,
    UnknownModelError,
)
from imaginairy.sources.checkpoints import checkpoint_files
from imaginairy.sources.fetch import fetch, size_of, source_of
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import (
    BundledFolder,
    HubFile,
    HubRepo,
    LocalPath,
    ModelRow,
    NoWeights,
    Place,
    WebFile,
)
from tests.support.hub_client import REPO, Client
from tests.support.hub_server import HubServer, Repo

SETTINGS = (
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
    "words.json",
)
WHOLE = (
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
)
HALF = tuple(name.replace(".safetensors", ".fp16.safetensors") for name in WHOLE)
OTHERS = (
    "README.md",
    "safety_checker/config.json",
    "safety_checker/model.safetensors",
    "feature_extractor/preprocessor_config.json",
    "unet/diffusion_pytorch_model.bin",
    "dream.safetensors",
)
FOLDER = ("model_index.json", *SETTINGS, *WHOLE, *HALF, *OTHERS)


def content(name: str, revision: str = "main") -> bytes:
    return f"{name} of {revision}".encode()


def repo_of(names: tuple[str, ...], revision: str = "main") -> Repo:
    return Repo({name: content(name, revision) for name in names})


def row_of(weights: Place) -> ModelRow:
    return ModelRow(DRAWS, "x", "x", weights, "x")


@pytest.fixture
def here(server: HubServer, client: Client) -> Iterator[HubServer]:
    """Let this process ask the server, of which it knows nothing yet."""
    with client.here():
        yield server


@pytest.mark.parametrize(("half", "weights"), [(False, WHOLE), (True, HALF)])
def test_a_folder_is_fetched_without_what_is_not_needed(
    here: HubServer, half: bool, weights: tuple[str, ...]
) -> None:
    here.repos[REPO] = repo_of(FOLDER)
    folder = fetch(locate(DRAWS, REPO), half=half)
    there = {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file()
    }
    assert there == {"model_index.json", *SETTINGS, *weights}
    assert here.downloads()[-1] == "model_index.json", "so all is there where it is"
    here.requests.clear()
    assert fetch(locate(DRAWS, REPO), half=half) == folder
    assert here.requests == [], "what is there is not asked for again"


def test_of_what_was_fetched_in_part_the_rest_is_fetched(here: HubServer) -> None:
    here.repos[REPO] = repo_of(FOLDER)
    here.forged = {WHOLE[2]}
    with pytest.raises(DownloadError, match="arrived with sha256"):
        fetch(row_of(HubRepo(REPO)))
    here.forged = set()
    here.requests.clear()
    folder = fetch(row_of(HubRepo(REPO)))
    assert set(here.downloads()) == {WHOLE[2], *SETTINGS, "model_index.json"}
    assert (folder / WHOLE[2]).read_bytes() == content(WHOLE[2])


def test_what_no_family_draws_is_refused_before_it_is_fetched(here: HubServer) -> None:
    index = "model_index.json"
    for kind, title in (
        ("QwenImagePipeline", "Qwen-Image"),
        ("Flux2Pipeline", "Flux.2 [dev]"),
        ("FluxFillPipeline", "Flux.1 [Fill]"),
        ("StableDiffusion3Pipeline", "Stable Diffusion 3"),
    ):
        here.repos[REPO] = repo_of(FOLDER)
        here.repos[REPO].files[index] = json.dumps({"_class_name": kind}).encode()
        here.requests.clear()
        with pytest.raises(CheckpointError) as refused:
            fetch(locate(DRAWS, REPO))
        said = f"'{REPO}' is of a {kind}, {title}; only Z-Image, "
        assert str(refused.value).startswith(said)
        assert here.downloads() == [index]
    for known in ("FluxPipeline", "Flux2KleinPipeline", "StableDiffusionPipeline"):
        here.repos[REPO].files[index] = json.dumps({"_class_name": known}).encode()
        assert fetch(locate(DRAWS, REPO)).is_dir()


@pytest.mark.parametrize("half", [False, True])
def test_a_revision_is_read_from_that_revision(here: HubServer, half: bool) -> None:
    """Its list of files, too, and when it is looked for in the cache."""
    here.repos[REPO] = repo_of(FOLDER)
    names = ("model_index.json", *SETTINGS, *WHOLE)
    here.repos[REPO].branches["v2"] = repo_of(names, "v2")
    main = fetch(locate(DRAWS, REPO))
    other = fetch(locate(DRAWS, f"{REPO}@v2"), half=half)
    assert (main / WHOLE[0]).read_bytes() == content(WHOLE[0])
    assert (other / WHOLE[0]).read_bytes() == content(WHOLE[0], "v2")
    assert not (other / HALF[0]).exists()
    here.requests.clear()
    assert fetch(locate(DRAWS, f"{REPO}@v2")) == other
    assert fetch(locate(DRAWS, REPO)) == main
    assert here.requests == []
    with pytest.raises(DownloadError, match="has no revision 'v3'"):
        fetch(locate(DRAWS, f"{REPO}@v3"))


def test_the_one_checkpoint_of_a_repository_is_fetched_with_its_yaml(
    here: HubServer,
) -> None:
    names = ("README.md", "dream.yaml", "dream.safetensors", "dream.ckpt", "b.yaml")
    here.repos[REPO] = repo_of(names)
    file = fetch(locate(DRAWS, REPO))
    assert file.name == "dream.safetensors"
    assert file.read_bytes() == content("dream.safetensors")
    assert here.downloads() == ["dream.yaml", "dream.safetensors"]
    assert fetch(locate(DRAWS, REPO)) == file


def test_sums_that_a_row_states_are_compared(here: HubServer) -> None:
    here.repos[REPO] = repo_of(FOLDER)
    sums = tuple((n, hashlib.sha256(content(n)).hexdigest()) for n in WHOLE)
    for wrong in range(3):
        stated = (*sums[:wrong], (WHOLE[wrong], "0" * 64), *sums[wrong + 1 :])
        with pytest.raises(DownloadError) as refused:
            fetch(row_of(HubRepo(REPO, sha256=stated)))
        assert f"'{WHOLE[wrong]}' of '{REPO}' arrived with sha256" in str(refused.value)
    assert fetch(row_of(HubRepo(REPO, sha256=sums))).is_dir()


def test_a_file_of_a_repository_is_fetched_by_itself(here: HubServer) -> None:
    here.repos[REPO] = repo_of(FOLDER)
    file = HubFile(REPO, "dream.safetensors")
    spec = row_of(file)
    assert fetch(spec).read_bytes() == content("dream.safetensors")
    assert here.downloads() == ["dream.safetensors"]


def test_what_is_bundled_or_local_is_where_it_lies(tmp_path: Path) -> None:
    place = BundledFolder("storybook")
    assert fetch(row_of(place)) == place.path
    assert fetch(locate(DRAWS, str(tmp_path))) == tmp_path


def test_without_network_what_is_missing_is_named(
    client: Client, closed_port: str
) -> None:
    client.endpoint = closed_port
    with client.here(), pytest.raises(HubUnreachableError) as refused:
        fetch(locate(DRAWS, f"{REPO}@v2"))
    assert f"The list of files of '{REPO}' cannot be downloaded" in str(refused.value)


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (["a.ckpt"], ["a.ckpt"]),
        (["a.ckpt", "b.safetensors"], ["b.safetensors"]),
        (["dream.yaml", "dream.safetensors"], ["dream.yaml", "dream.safetensors"]),
        (["sub/a.ckpt", "b.ckpt", "other.yaml"], ["b.ckpt"]),
    ],
)
def test_which_checkpoint_is_wanted(files: list[str], wanted: list[str]) -> None:
    assert checkpoint_files(files, REPO, "model", False) == wanted


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["README.md", "sub/a.ckpt"], "0 checkpoints (none)"),
        (["a.ckpt", "b.ckpt"], "2 checkpoints (a.ckpt, b.ckpt)"),
        (
            ["a.safetensors", "b.safetensors", "c.ckpt"],
            "2 checkpoints (a.safetensors, b.safetensors)",
        ),
    ],
)
def test_a_repository_without_one_checkpoint_is_refused(
    files: list[str], said: str
) -> None:
    with pytest.raises(UnknownModelError) as refused:
        checkpoint_files(files, REPO, "model", False)
    assert str(refused.value) == (
        f"The repository '{REPO}' holds no model_index.json and {said}; download the "
        "one you want and give its path."
    )


@pytest.mark.parametrize(("half", "kind"), [(False, ""), (True, ".fp16")])
def test_the_shards_of_an_index_are_wanted_with_it(half: bool, kind: str) -> None:
    """And not those of the other precision."""
    stem = "unet/diffusion_pytorch_model"
    shards = {
        each: [f"{stem}{each}-0000{n}-of-00002.safetensors" for n in (1, 2)]
        for each in ("", ".fp16")
    }
    indices = {each: f"{stem}.safetensors.index{each}.json" for each in shards}
    files = ["model_index.json", *indices.values(), *shards[""], *shards[".fp16"]]
    wanted = checkpoint_files([*files, *WHOLE[1:]], REPO, "model", half)
    assert wanted == [indices[kind], *shards[kind], *WHOLE[1:], "model_index.json"]


def test_how_large_a_model_is(tmp_path: Path) -> None:
    """As announced, or else as it lies there."""
    (tmp_path / "unet").mkdir()
    for name, size in (("unet/a.bin", 30), ("b.json", 4)):
        (tmp_path / name).write_bytes(bytes(size))
    own = row_of(LocalPath(tmp_path))
    assert size_of(own, tmp_path) == 34
    assert size_of(own, tmp_path / "b.json") == 4
    assert size_of(row_of(HubRepo(REPO)), tmp_path) == 34
    assert size_of(row_of(HubRepo(REPO)), None) is None
    assert size_of(row_of(NoWeights()), None) is None
    assert size_of(row_of(HubFile(REPO, "a", size=7)), None) == 7
    assert size_of(row_of(WebFile("https://far.example/a", 8, "0" * 64)), tmp_path) == 8


def test_where_a_model_is_fetched_from(here: HubServer) -> None:
    url = "https://far.example/a.pth"
    assert source_of(row_of(WebFile(url, 8, "0" * 64))) == url
    for weights in (HubRepo(REPO), HubFile(REPO, "a")):
        assert source_of(row_of(weights)) == f"{here.url}/{REPO}"
    for place in (BundledFolder("storybook"), LocalPath(Path("a")), NoWeights()):
        assert source_of(row_of(place)) == ""
