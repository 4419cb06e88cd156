"""What is fetched of a repository for its VAE, and no more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imaginairy.errors import UnknownModelError
from imaginairy.sources.catalog import known
from imaginairy.sources.checkpoints import checkpoint_files, vae_files
from imaginairy.sources.fetch import fetch, on_disk
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS, VAE
from imaginairy.sources.rows import HubRepo
from tests.support.hub_client import REPO, Client
from tests.support.hub_server import HubServer, Repo

STEM = "diffusion_pytorch_model"
MODEL = (
    "model_index.json",
    f"unet/{STEM}.safetensors",
    "unet/config.json",
    "text_encoder/model.safetensors",
    "text_encoder/config.json",
    "tokenizer/vocab.json",
)
IN_MODEL = (f"vae/{STEM}.safetensors", "vae/config.json")
ALONE = (f"{STEM}.safetensors", "config.json")


@pytest.fixture
def here(server: HubServer, client: Client) -> Iterator[HubServer]:
    with client.here():
        yield server


def repo_of(names: tuple[str, ...]) -> Repo:
    return Repo({name: name.encode() for name in names})


@pytest.mark.parametrize(
    ("names", "wanted", "folder"),
    [
        ((*MODEL, *IN_MODEL, "x.safetensors"), IN_MODEL, "vae"),
        ((*ALONE, "README.md", f"{STEM}.bin", "sdxl_vae.safetensors"), ALONE, ""),
    ],
)
def test_the_folder_of_one_is_fetched(
    here: HubServer, names: tuple[str, ...], wanted: tuple[str, ...], folder: str
) -> None:
    here.repos[REPO] = repo_of(names)
    row = locate(VAE, REPO)
    assert on_disk(row) is None
    place = fetch(row)
    assert here.downloads() == [*wanted], "its settings last, so all is there then"
    assert {file.name for file in place.iterdir() if file.is_file()} == {*ALONE}
    assert place.name == folder or not folder
    here.requests.clear()
    assert fetch(row) == on_disk(row) == place
    assert here.requests == []


def test_one_of_a_model_is_no_model_on_disk(here: HubServer) -> None:
    """And the rest is fetched beside it, when the model is asked for."""
    here.repos[REPO] = repo_of((*MODEL, *IN_MODEL))
    place = fetch(locate(VAE, REPO))
    model = locate(DRAWS, REPO)
    assert on_disk(model) is None
    here.requests.clear()
    assert fetch(model) == place.parent
    assert {*here.downloads()} == {*MODEL}
    assert on_disk(locate(VAE, REPO)) == place


def test_one_file_is_fetched_by_itself(here: HubServer) -> None:
    here.repos[REPO] = repo_of(("vae.safetensors", "vae.ckpt", "README.md"))
    file = fetch(locate(VAE, REPO))
    assert isinstance(file, Path) and file.name == "vae.safetensors"
    assert here.downloads() == ["vae.safetensors"]


def test_which_files_are_wanted() -> None:
    half = f"vae/{STEM}.fp16.safetensors"
    files = [*MODEL, *IN_MODEL, half]
    assert vae_files(files, REPO, "VAE", True) == [half, IN_MODEL[1]]
    assert vae_files(files, REPO, "VAE", False) == [*IN_MODEL]
    assert vae_files([IN_MODEL[0]], REPO, "VAE", False) == [IN_MODEL[0]]
    index = f"vae/{STEM}.safetensors.index.json"
    shards = [f"vae/{STEM}-0000{number}-of-00002.safetensors" for number in (1, 2)]
    found = vae_files([index, *shards], REPO, "VAE", False)
    assert {*found} == {index, *shards} and found[-1] == index
    with pytest.raises(UnknownModelError) as refused:
        vae_files(["a.ckpt", "b.ckpt"], REPO, "VAE", False)
    assert str(refused.value) == (
        f"The repository '{REPO}' holds no vae/ and 2 checkpoints (a.ckpt, b.ckpt); "
        "download the one you want and give its path."
    )


def test_a_model_without_one_is_whole() -> None:
    found = checkpoint_files(list(MODEL), REPO, "model", False)
    assert {*found} == {*MODEL} and found[-1] == "model_index.json"


def test_the_row_is_of_the_hub_and_says_that_half_precision_holds_it() -> None:
    row = known(VAE, "SDXL-VAE-FP16-Fix")
    assert row.weights == HubRepo("madebyollin/sdxl-vae-fp16-fix")
    assert (row.licence, row.family) == ("MIT", "sdxl")
    assert row.says == {"force_upcast": False}
