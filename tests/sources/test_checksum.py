"""Sums of weight files: of one, of several, remembered, and of what a file holds."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from imaginairy.sources.checksum import checksum, remember


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Return what sums are remembered, of none at the beginning."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def remembered() -> list[str]:
        folder = user_cache_path("imaginairy") / "sha256"
        return [path.read_text() for path in folder.glob("*")]

    return remembered


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_sum_of_one_file_is_its_own_and_of_several_that_of_their_sums(
    tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"one")
    b.write_bytes(b"two" * 10**7)  # more than is read at a time
    one, two = sha256(b"one"), sha256(b"two" * 10**7)
    assert checksum([a]) == one
    assert checksum([a, b]) == sha256(f"{one}\n{two}".encode())
    assert checksum([b, a]) == sha256(f"{two}\n{one}".encode())
    assert set(memory()) == {one, two}


def test_a_sum_is_remembered_until_the_file_changes(
    tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    checksum([file])
    [note] = (user_cache_path("imaginairy") / "sha256").iterdir()
    remembered = "12" * 32
    note.write_text(remembered)
    assert checksum([file]) == remembered
    (tmp_path / "link").symlink_to(file)
    assert checksum([tmp_path / "link"]) == remembered
    note.write_text(remembered[:-1])
    assert checksum([file]) == sha256(b"one"), "half a sum is none"
    file.write_bytes(b"other")
    assert checksum([file]) == sha256(b"other")
    file.write_bytes(b"OTHER")  # as long
    os.utime(file, (1, 1))
    assert checksum([file]) == sha256(b"OTHER")


def test_a_file_that_is_called_by_a_sum_is_summed_up_all_the_same(
    tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    """The hub's cache names its files so, and anybody else may."""
    blob = tmp_path / ("ab" * 32)
    blob.write_bytes(b"x")
    (tmp_path / "model.safetensors").symlink_to(blob)
    assert checksum([tmp_path / "model.safetensors"]) == sha256(b"x")
    assert checksum([blob]) == sha256(b"x")
    assert memory() == [sha256(b"x")]


def test_what_was_summed_up_as_it_arrived_is_not_summed_up_again(
    tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    remember(tmp_path / "link", "12" * 32)
    assert memory() == ["12" * 32] and checksum([tmp_path / "a"]) == "12" * 32


def test_a_cache_that_cannot_be_written_costs_time_only(
    tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    (tmp_path / "a").write_bytes(b"one")
    assert checksum([tmp_path / "a"]) == sha256(b"one")
