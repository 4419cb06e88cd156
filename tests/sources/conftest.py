"""A hub on localhost for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import hub_client
from tests.support.hub_client import FILES, REPO, Client
from tests.support.hub_server import HubServer, Repo


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer({REPO: Repo(dict(FILES))}) as server:
        yield server


@pytest.fixture
def client(server: HubServer, tmp_path: Path) -> Client:
    return Client(tmp_path / "home", server.url)


@pytest.fixture
def closed_port() -> str:
    return hub_client.closed_port()
