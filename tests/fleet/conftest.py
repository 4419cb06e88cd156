"""Places that pictures are published in."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest


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


@pytest.fixture(params=["folder", "file", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path, in_memory: str) -> str:
    """A place that is not there yet, of each kind."""
    return {
        "folder": str(tmp_path / "out"),
        "file": f"file://{tmp_path}/out",
        "memory": f"{in_memory}/out",
    }[request.param]
