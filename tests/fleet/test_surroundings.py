"""What a process elsewhere takes over from the one that asks for images."""

import subprocess
import sys
from pathlib import Path

import pytest

from imaginairy.fleet.surroundings import Surroundings


def test_variables_of_ours_travel_but_for_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMAGINAIRY_MODEL", "storybook")
    monkeypatch.setenv("IMAGINAIRY_API_KEY", "secret")
    monkeypatch.setenv("OTHERS", "1")
    monkeypatch.chdir(tmp_path)
    here = Surroundings.here(3, IMAGINAIRY_PRECISION="autocast")
    assert here.variables["IMAGINAIRY_MODEL"] == "storybook"
    assert here.variables["IMAGINAIRY_PRECISION"] == "autocast"
    assert not {"IMAGINAIRY_API_KEY", "OTHERS"} & set(here.variables)
    assert (here.folder, here.threads) == (str(tmp_path), 3)
    given = Surroundings.here(IMAGINAIRY_MODEL="given")
    assert given.variables["IMAGINAIRY_MODEL"] == "given"
    assert given.threads is None


def test_they_are_settled_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    there = {"IMAGINAIRY_MODEL": "of before", "OMP_NUM_THREADS": "7"}
    Surroundings({"IMAGINAIRY_MODEL": "x"}, str(tmp_path)).settle(there)
    assert Path.cwd() == tmp_path
    assert there == {
        "IMAGINAIRY_MODEL": "x",
        "OMP_NUM_THREADS": "7",
        "OMP_WAIT_POLICY": "passive",
    }


def test_how_threads_wait_and_folders_that_are_not_there_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    there = {"OMP_WAIT_POLICY": "active"}
    Surroundings({}, str(tmp_path / "no such")).settle(there)
    assert there == {"OMP_WAIT_POLICY": "active"}
    assert Path.cwd() == tmp_path


def test_so_many_threads_compute() -> None:
    code = (
        "from imaginairy.fleet.surroundings import Surroundings\n"
        "Surroundings({}, '.', 3).settle()\n"
        "import os, torch\n"
        "print(torch.get_num_threads(), os.environ['OMP_NUM_THREADS'])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ran.stdout.split() == [b"3", b"3"]
