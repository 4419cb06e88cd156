"""Places that pictures are published in."""

from pathlib import Path

import pytest


@pytest.fixture(params=["folder", "file", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path, in_memory: str) -> str:
    """A place that is not there yet, of each kind."""
    return {
        "folder": str(tmp_path / "out"),
        "file": f"file://{tmp_path}/out",
        "memory": f"{in_memory}/out",
    }[request.param]
