"""A model of the hub, by `owner/repo`: what is known of it once it is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imaginairy import ModelStore
from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.hub_client import REPO, Client
from tests.support.hub_server import HubServer, Repo
from tests.support.tiny_kin import tiny_sd2, tiny_sdxl


@pytest.mark.parametrize(
    ("made", "family", "steps"), [(tiny_sdxl, "sdxl", 30), (tiny_sd2, "sd2", 40)]
)
def test_once_it_is_fetched_it_has_its_familys_defaults(
    server: HubServer,
    client: Client,
    tmp_path: Path,
    made: Callable[[], Any],
    family: str,
    steps: int,
) -> None:
    folder = tmp_path / "pipeline"
    made().save_pretrained(folder)
    files = {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }
    server.repos[REPO] = Repo(files)
    with client.here():
        store = ModelStore("cpu")
        assert store.locate(REPO).family == "", "nothing was fetched for that"
        assert not client.left_over()
        loaded = store.get(REPO)
        assert loaded.spec.name == REPO
        assert (loaded.spec.family, loaded.spec.defaults.steps) == (family, steps)
        assert loaded.spec.defaults.native_size == (64, 64), "as its UNet says"
        assert store.locate(REPO) == loaded.spec
        assert store.get(REPO) is loaded
        assert with_own_defaults(locate(DRAWS, REPO)) == loaded.spec
