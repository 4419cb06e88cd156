"""A server for the tests of a file."""

from collections.abc import Iterator

import pytest

from imaginairy import ModelStore
from tests.support.served import Served, served


@pytest.fixture(scope="module")
def server(store: ModelStore) -> Iterator[Served]:
    """The bundled model behind a real server, with a key and the usual limits."""
    with served(store) as running:
        yield running
