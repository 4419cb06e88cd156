"""Files are read ahead by the system; how fast that is, no test judges."""

import os
from pathlib import Path

import pytest

from imaginairy.weights.ahead import LITTLE, read_ahead

GIGABYTE = 2**30

linux = pytest.mark.skipif(
    not hasattr(os, "posix_fadvise"), reason="this system cannot be asked"
)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that takes no room on the disk."""
    file = tmp_path / "large.safetensors"
    with file.open("wb") as opened:
        opened.truncate(LITTLE + 5)
    return file


@linux
def test_a_large_file_is_asked_for_to_its_end(large: Path) -> None:
    asking = read_ahead([large], GIGABYTE)
    assert asking is not None
    asking.join()
    unknown = read_ahead([large], None)
    assert unknown is not None, "where nobody knows how much is free"
    unknown.join()


def test_little_files_and_those_that_memory_cannot_hold_are_left(
    large: Path, tmp_path: Path
) -> None:
    little = tmp_path / "little.safetensors"
    little.write_bytes(b"little")
    assert read_ahead([little], GIGABYTE) is None
    assert read_ahead([large, little], 2 * LITTLE) is None
    assert read_ahead([], GIGABYTE) is None


@linux
def test_a_file_that_goes_meanwhile_is_nobodys_fault(large: Path) -> None:
    asking = read_ahead([large, large], GIGABYTE)
    large.unlink()
    assert asking is not None
    asking.join()
    assert not asking.is_alive()
