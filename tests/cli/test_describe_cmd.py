"""`aimg describe`, `--caption`, `--best-of`, the safety mode, as a user runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.tiny_words import save_colour_matcher, save_colour_teller


def run(
    command: str, *arguments: str | Path, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `aimg` or `imagine` in a folder of its own."""
    return subprocess.run(
        [str(Path(sys.executable).with_name(command)), *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env=os.environ | environment,
        timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, and with models that know colours."""
    folder = tmp_path_factory.mktemp("place")
    for name, colour in (("sun", "red"), ("sky", "blue")):
        Image.new("RGB", (60, 50), colour).save(folder / f"{name}.png")
    save_colour_teller(folder / "teller")
    save_colour_matcher(folder / "matcher")
    return folder


def test_one_caption_alone_and_several_by_name(place: Path) -> None:
    ran = run("aimg", "describe", "sun.png", "--caption-model", "teller", cwd=place)
    assert (ran.returncode, ran.stdout) == (0, "red\n"), ran.stderr
    ran = run(
        "aimg", "describe", "sun.png", "none.png", "teller/vocab.txt",
        "http://localhost:9/none.png", "sky.png",
        "--caption-model", "teller", "--beams", "1", cwd=place,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stdout == "sun.png: red\nsky.png: blue\n"
    errors = ran.stderr.splitlines()
    assert [each.startswith("Error: ") for each in errors] == [True] * 3
    assert "'none.png'" in errors[0] and "vocab.txt" in errors[1]
    assert "'http://localhost:9/none.png' could not be fetched" in errors[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument 'PICTURE...'"),
        (["sun.png", "--caption-model", "telller"], "no caption model 'telller'"),
        (["sun.png", "--beams", "0"], "--beams"),
        (["sun.png", "--caption-model", "matcher"], "of the type 'clip'; a caption"),
    ],
)
def test_wrong_use_is_one_sentence(
    arguments: list[str], words: str, place: Path
) -> None:
    ran = run("aimg", "describe", *arguments, cwd=place)
    assert ran.returncode in (1, 2) and words in ran.stderr
    assert ran.stdout == "" and "Traceback" not in ran.stderr


def test_imagine_captions_and_keeps_the_best(place: Path) -> None:
    ran = run(
        "imagine", "a circle", "--model", "storybook", "--steps", "3", "--seed", "2",
        "--best-of", "2", "--similarity-model", "matcher", "--caption",
        "--caption-model", "teller", "--json", cwd=place,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["seed"] in (2, 3) and said["best_of"] == 1
    assert {*said["applied"]["best_of"]["scores"]} == {"2", "3"}
    lines = ran.stderr.splitlines()
    assert sum(line.startswith("[1/1] ") for line in lines) == 2
    assert f"caption: {said['applied']['caption']['text']}" in lines
    assert any(line.startswith(f"kept seed {said['seed']}, ") for line in lines)
    again = run("aimg", "again", said["path"], cwd=place)
    assert again.returncode == 0, again.stderr
    assert sum(line.startswith("[1/1] ") for line in again.stderr.splitlines()) == 1
    without = run("aimg", "again", said["path"], "--no-caption", "--json", cwd=place)
    assert without.returncode == 0, without.stderr
    assert "caption" not in json.loads(without.stdout)["applied"]


def test_a_bad_safety_mode_is_refused(place: Path) -> None:
    ran = run(
        "imagine", "a dog", "--model", "storybook", cwd=place,
        IMAGINAIRY_SAFETY_MODE="off",
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1] == (
        "Error: The environment variable IMAGINAIRY_SAFETY_MODE is 'off'; it can be "
        "filter, classify or disabled."
    )
