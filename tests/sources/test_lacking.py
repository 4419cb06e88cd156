"""Whether published models can be had: where from, and why not."""

import socket
from pathlib import Path

import pytest

from imaginairy.sources.catalog import known
from imaginairy.sources.lacking import missing
from imaginairy.sources.roles import ROLES
from imaginairy.sources.rows import HubFile, HubRepo, WebFile
from tests.support.hub_environment import hub_environment


@pytest.mark.parametrize("role", ROLES)
def test_what_cannot_be_had_is_said_with_its_source(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is asked for where it lies, which is not the hub for all."""

    def no_address(*args: object, **options: object) -> None:
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    here = {"HF_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    with hub_environment(HF_ENDPOINT="http://hub.invalid", **here):
        found = missing(role)
        assert found is not None
        spec = known(role, ROLES[role].published)
        assert found.row is spec
        if isinstance(spec.weights, WebFile):
            assert found.source == spec.weights.url
            assert found.reason == "cannot resolve github.com (https://github.com)"
        else:
            assert isinstance(spec.weights, HubFile | HubRepo)
            assert found.source == f"http://hub.invalid/{spec.weights.repo}"
            assert found.reason == "cannot resolve hub.invalid (http://hub.invalid)"


def test_what_lies_on_disk_is_not_asked_for(tmp_path: Path) -> None:
    weights = known("face-detector", "yunet").weights
    assert isinstance(weights, HubFile)
    folder = tmp_path / "hub" / f"models--{weights.repo.replace('/', '--')}"
    file = folder / "snapshots" / weights.revision / weights.path
    with hub_environment(HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1"):
        assert missing("face-detector") is not None
        file.parent.mkdir(parents=True)
        file.touch()
        assert missing("face-detector") is None
