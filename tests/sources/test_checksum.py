"""Sums of weight files: of one, of several, remembered, and of what a file holds."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from imaginairy import ImaginePrompt, imagine
from imaginairy.sources import hub, web
from imaginairy.sources.checksum import checksum, remember
from imaginairy.sources.rows import HubFile, WebFile
from tests.support.checkpoints import PARTS
from tests.support.hub_environment import hub_environment
from tests.support.hub_server import HubServer, Repo
from tests.support.tiny_upscaler import save_repeater


def memories() -> list[Path]:
    return [*(user_cache_path("imaginairy") / "sha256").glob("*")]


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Return what sums are remembered, of none at the beginning."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    return lambda: [path.read_text() for path in memories()]


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
    [note] = memories()
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


def test_metadata_have_the_sums_of_what_the_files_hold(
    tiny_folder: Path, tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    """Whatever they are called; the hub's cache calls them by the sums they had."""
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    for number, file in enumerate(sorted(folder.rglob("*.safetensors"))):
        blob = file.rename(tmp_path / (f"{number}a" * 32))
        file.symlink_to(blob)
    upscaler = save_repeater(tmp_path / ("bc" * 32))
    prompt = ImaginePrompt(
        "a", seed=1, steps=1, model=str(folder), upscale=True, upscaler=str(upscaler)
    )
    result = next(imagine(prompt, device="cpu"))
    metadata = result.metadata_dict()
    weights = [next((folder / part).glob("*.safetensors")) for part in PARTS]
    sums = [sha256(file.read_bytes()) for file in weights]
    assert metadata["model_sha256"] == sha256("\n".join(sums).encode())
    assert metadata["applied"]["upscale"]["sha256"] == sha256(upscaler.read_bytes())


def test_a_file_that_arrived_is_summed_up_once(
    tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    """Its sum was compared as it came, and is remembered from then on."""
    repo = Repo({"a.safetensors": b"one", "b.pth": b"two"})
    with (
        HubServer({"someone/model": repo}) as server,
        hub_environment(HF_HOME=str(tmp_path / "home"), HF_ENDPOINT=server.url),
    ):
        hub.fetch(HubFile("someone/model", "a.safetensors"))
        assert memory() == [sha256(b"one")]
        url = f"{server.url}/someone/model/resolve/main/b.pth"
        file = web.fetch(WebFile(url, 3, sha256(b"two")))
    assert set(memory()) == {sha256(b"one"), sha256(b"two")}
    [note] = (n for n in memories() if n.read_text() == sha256(b"two"))
    note.write_text("12" * 32)
    assert checksum([file]) == "12" * 32, "it is not read again"
