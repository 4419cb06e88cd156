"""`aimg describe`, `--caption`, `--best-of`, the safety mode, as a user runs them."""

import json
from pathlib import Path

import pytest
from PIL import Image

from imaginairy import ModelStore, describe
from tests.support.commands import Run, assert_refused, process
from tests.support.tiny_words import (
    save_colour_matcher,
    save_colour_teller,
    save_tiny_blip,
)

pytestmark = pytest.mark.usefixtures("private_urls")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, and with models that know colours."""
    folder = tmp_path_factory.mktemp("place")
    for name, colour in (("sun", "red"), ("sky", "blue")):
        Image.new("RGB", (60, 50), colour).save(folder / f"{name}.png")
    save_colour_teller(folder / "teller")
    save_colour_matcher(folder / "matcher")
    return folder


@pytest.fixture
def run_there(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aimg` in the folder with the pictures."""
    monkeypatch.chdir(place)
    return run


def test_one_caption_alone_is_all_that_is_said(run_there: Run) -> None:
    ran = run_there("describe", "sun.png", "--caption-model", "teller")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "red\n", "")


def test_captions_of_several_stand_by_their_names(place: Path) -> None:
    ran = process(
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


def test_beams_change_what_is_found(run_there: Run, place: Path) -> None:
    save_tiny_blip(place / "talker", seed=1)
    store = ModelStore("cpu")
    captions = {}
    for beams in (1, 8):
        options = ("--caption-model", "talker", "--beams", str(beams))
        captions[beams] = run_there("describe", "sun.png", *options).stdout
        model = str(place / "talker")
        expected = describe("sun.png", model=model, beams=beams, store=store)
        assert captions[beams] == f"{expected}\n"
    assert captions[1] != captions[8]


def test_what_the_web_does_not_give_is_no_bad_use(run_there: Run) -> None:
    ran = run_there(
        "describe", "http://localhost:9/a.png", "sun.png", "--caption-model", "teller"
    )
    assert (ran.exit_code, ran.stdout) == (1, "sun.png: red\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "Missing argument 'PICTURE...'"),
        (["sun.png", "--caption-model", "telller"], 2, "no caption model 'telller'"),
        (["sun.png", "--beams", "0"], 2, "'--beams': 0 is not in the range 1<=x<=20"),
        (["sun.png", "--beams", "21"], 2, "'--beams': 21 is not in the range"),
        (["sun.png", "--device", "abacus"], 2, "'abacus' is not available"),
        (
            ["sun.png", "--caption-model", "matcher"],
            1,
            "of the type 'clip'; a caption",
        ),
    ],
)
def test_wrong_use_is_one_sentence(
    arguments: list[str], code: int, words: str, run_there: Run
) -> None:
    assert_refused(run_there("describe", *arguments), words, code)


def test_imagine_captions_and_keeps_the_best(run_there: Run, tiny_folder: Path) -> None:
    ran = run_there(
        "imagine", "red", "--model", tiny_folder, "--size", "64", "--steps", "1",
        "--seed", "2", "--best-of", "2", "--similarity-model", "matcher", "--caption",
        "--caption-model", "teller", "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    said = json.loads(ran.stdout)
    assert said["seed"] in (2, 3) and said["best_of"] == 1
    scores = said["applied"]["best_of"]["scores"]
    assert [*scores] == ["2", "3"]
    assert scores[str(said["seed"])] == max(scores.values())
    lines = ran.stderr.splitlines()
    starts = [line[:14] for line in lines if line.startswith("[")]
    assert starts == ["[1/1] (1 of 2)", "[1/1] (2 of 2)"]
    assert said["applied"]["caption"]["text"] in ("red", "green", "blue")
    assert f"caption: {said['applied']['caption']['text']}" in lines
    assert any(line.startswith(f"kept seed {said['seed']}, ") for line in lines)
    again = run_there("again", "--trust", said["path"])
    assert again.exit_code == 0, again.output
    assert sum(line.startswith("[1/1] red ") for line in again.stderr.splitlines()) == 1
    without = run_there("again", "--trust", said["path"], "--no-caption", "--json")
    assert without.exit_code == 0, without.output
    assert "caption" not in json.loads(without.stdout)["applied"]


def test_a_bad_safety_mode_is_refused(run_there: Run, tiny_folder: Path) -> None:
    ran = run_there(
        "imagine", "a dog", "--model", tiny_folder, IMAGINAIRY_SAFETY_MODE="off"
    )
    assert_refused(
        ran,
        "Error: The environment variable IMAGINAIRY_SAFETY_MODE is 'off'; it can be "
        "filter, classify or disabled.",
    )
