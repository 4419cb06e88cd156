"""In which numbers the commands compute."""

import json
from pathlib import Path

import pytest

from tests.support.commands import Run


def test_what_was_computed_in_float32_is_so_again(
    run: Run, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ("-w", 64, "-h", 64, "--steps", 2, "-q", "--json")
    drawn = json.loads(run("imagine", "a fox", "--model", tiny_folder, *small).stdout)
    assert (drawn["precision"], drawn["computed_in"]) == ("full", "float32")
    monkeypatch.delenv("IMAGINAIRY_PRECISION")
    again = ("again", "--trust", drawn["path"], "-q", "--json")
    for options, precision in (((), "full"), (("--precision", "autocast"), "autocast")):
        ran = run(*again, *options)
        assert ran.exit_code == 0, ran.output
        assert json.loads(ran.stdout)["precision"] == precision


def test_a_variable_that_says_nonsense_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGINAIRY_PRECISION", "half")
    ran = run("imagine", "a fox", "--model", "storybook")
    assert ran.exit_code == 2
    assert "'half' is not one of 'autocast', 'full'" in ran.stderr
    assert "IMAGINAIRY_PRECISION" in ran.stderr
