"""Folders of a user's that he may not look into, as `sudo` leaves them behind."""

import hashlib
from pathlib import Path

import pytest

from imaginairy.cli.doctor_cmd import cache_check
from imaginairy.sources import hub, web
from imaginairy.sources.checksum import checksum
from imaginairy.sources.rows import HubFile, WebFile
from tests.support.hub_environment import hub_environment
from tests.support.rights import as_nobody

ANYBODYS = Path("/dev/null")
"""A file that anybody may read, wherever the tests lie."""


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir(0o000)
    return folder


def test_what_lies_in_them_is_not_there(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(closed))
    with hub_environment(HF_HOME=str(closed)), as_nobody():
        assert hub.cached_snapshot("someone/some-model") is None
        assert hub.cached(HubFile("someone/some-model", "unet.safetensors")) is None
        assert web.cached(WebFile("http://far.example/a.pth", 1, "0" * 64)) is None


def test_doctor_names_them(closed: Path) -> None:
    with hub_environment(HF_HOME=str(closed)), as_nobody():
        (finding,) = cache_check()
    assert finding.level == "broken"
    assert f"models cannot be kept in {closed / 'hub'}: " in finding.what
    assert finding.what.endswith(" cannot be written to")
    assert finding.mend == "export HF_HOME=/a/folder/of/yours"


def test_sums_of_weights_are_computed_again(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(closed))
    with as_nobody():
        assert checksum([ANYBODYS]) == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("kept", ["", "e3b0c4", "\0" * 64])
def test_a_sum_that_was_kept_in_part_is_computed_again(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    whole = hashlib.sha256(b"").hexdigest()
    assert checksum([ANYBODYS]) == whole
    (file,) = (tmp_path / "imaginairy" / "sha256").iterdir()
    assert file.read_text() == whole
    file.write_text(kept)
    assert checksum([ANYBODYS]) == whole
    assert file.read_text() == whole, "kept anew"
