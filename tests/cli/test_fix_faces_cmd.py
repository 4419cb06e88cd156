"""`aimg fix-faces` and `imagine --fix-faces`, as a user runs them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaginairy.metadata.afterwards import steps_of
from imaginairy.metadata.read import read_written
from storybook.faces.pictures import fresh_portraits
from tests.support.commands import Run, assert_refused, process
from tests.support.tiny_codeformer import save_published, save_tiny_codeformer
from tests.support.tiny_upscaler import save_repeater


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    """A face that the bundled detector finds."""
    return fresh_portraits(1)[0].image


@pytest.fixture
def place(tmp_path: Path, portrait: Image.Image) -> Path:
    """A folder with a portrait, a picture without faces, and a face restorer."""
    portrait.save(tmp_path / "a face.png")
    Image.new("RGB", (90, 60), "teal").save(tmp_path / "plain.webp", lossless=True)
    save_tiny_codeformer(tmp_path / "restorer")
    return tmp_path


def test_several_files_in_one_go(run: Run, place: Path) -> None:
    options = ("--model", "restorer", "--detector", "storybook")
    ran = run("fix-faces", "a face.png", "plain.webp", *options)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout == ""
    assert ran.stderr.splitlines() == [
        "restored 1 face",
        "saved outputs/000001_a_face_faces.png",
        "No face was found in the picture; it is left as it is.",
        "saved outputs/000002_plain_faces.png",
    ]
    before = np.asarray(Image.open(place / "a face.png"))
    after = np.asarray(Image.open(place / "outputs" / "000001_a_face_faces.png"))
    assert 0.2 < (before != after).any(axis=-1).mean() < 0.9
    before = np.asarray(Image.open(place / "plain.webp"))
    after = np.asarray(Image.open(place / "outputs" / "000002_plain_faces.png"))
    assert np.array_equal(before, after)


def test_a_published_file_and_fidelity(run: Run, place: Path) -> None:
    save_published(place / "codeformer.pth")
    options = ("--model", "codeformer.pth", "--detector", "storybook", "-q")
    for fidelity in ("0", "1"):
        ran = run("fix-faces", "a face.png", *options, "--fidelity", fidelity)
        assert (ran.exit_code, ran.output) == (0, "")
    names = sorted((place / "outputs").iterdir())
    assert names[0].read_bytes() != names[1].read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument 'FILE...'"),
        (["none.png"], "There is no file 'none.png'"),
        (["restorer/config.json"], "is not a picture that can be read"),
        (
            ["a face.png", "plain.webp", "--fidelity", "1.1"],
            "fidelity 1.1 is out of range; give one from 0 to 1",
        ),
        (["a face.png", "--fidelity", "-0.1"], "fidelity -0.1 is out of range"),
        (["a face.png", "--model", "codefromer"], "Did you mean 'codeformer'"),
        (["a face.png", "--detector", "nobody"], "no face detector 'nobody'"),
        (["a face.png", "--output-file-extension", "gif"], "'gif' is not one of"),
    ],
)
def test_bad_use_is_one_line_and_code_2(
    arguments: list[str], words: str, run: Run, place: Path
) -> None:
    if "--model" not in arguments:
        arguments = [*arguments, "--model", "restorer"]
    assert_refused(run("fix-faces", *arguments), words)
    assert not (place / "outputs").exists()


def test_a_bad_file_does_not_keep_the_others_back(place: Path) -> None:
    options = ("--model", "restorer", "--detector", "storybook", "--outdir", "here")
    ran = process(
        "aimg", "fix-faces", "none.png", "a face.png", *options,
        "--output-file-extension", "jpg", cwd=place,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "Error: There is no file 'none.png'.",
        "restored 1 face",
        "saved here/000001_a_face_faces.jpg",
    ]


def test_broken_weights_are_one_line_and_code_1(run: Run, place: Path) -> None:
    for option, other in (("--model", "--detector"), ("--detector", "--model")):
        working = {"--model": "restorer", "--detector": "storybook"}[other]
        ran = run("fix-faces", "a face.png", option, "plain.webp", other, working)
        assert_refused(ran, "plain.webp", code=1)


def test_upscale_fixes_faces_at_the_large_size(run: Run, place: Path) -> None:
    save_repeater(place / "x4.safetensors")
    command = ("upscale", "a face.png", "--model", "x4.safetensors")
    faces = ("--fix-faces-model", "restorer", "--fix-faces-detector", "storybook")
    ran = run(*command, "--fix-faces", *faces)
    assert ran.exit_code == 0, ran.output
    assert ran.stderr.splitlines() == [
        "restored 1 face",
        "saved outputs/000001_a_face_upscaled.png, 512x512",
    ]
    large = Image.open(place / "a face.png").resize(
        (512, 512), Image.Resampling.NEAREST
    )
    after = np.asarray(Image.open(place / "outputs" / "000001_a_face_upscaled.png"))
    assert 0.1 < (np.asarray(large) != after).any(axis=-1).mean() < 0.9
    (upscaled, restored) = steps_of(read_written(next((place / "outputs").iterdir())))
    assert upscaled["done"] == "upscale" and restored["fidelity"] == 0.8
    for option in (faces[:2], faces[2:]):
        assert_refused(run(*command, *option), "need --fix-faces; ask for that too")


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("upscale", "--model"),
        ("upscale", "--fix-faces-model"),
        ("upscale", "--fix-faces-detector"),
        ("fix-faces", "--model"),
        ("fix-faces", "--detector"),
        ("describe", "--caption-model"),
    ],
)
def test_a_model_that_is_named_wrongly_is_said_once_for_all_files(
    command: str, option: str, run: Run, place: Path
) -> None:
    faces = ["--fix-faces"] if command == "upscale" else []
    ran = run(command, "a face.png", "plain.webp", option, "nobody", *faces)
    assert_refused(ran, "'nobody'")
    assert not (place / "outputs").exists()


def test_imagine_fixes_faces(run: Run, place: Path) -> None:
    ran = run(
        "imagine", "portrait of a man", "--model", "storybook", "--seed", "2",
        "--steps", "6", "--no-upscale", "--fix-faces", "--fix-faces-fidelity", "0.7",
        "--fix-faces-model", "restorer", "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert "restored 1 face" in ran.stderr
    said = json.loads(ran.stdout)
    assert said["fix_faces"] is True
    assert said["applied"]["fix_faces"]["fidelity"] == 0.7


def test_imagine_refuses_details_without_the_wish(run: Run) -> None:
    ran = run("imagine", "a man", "--fix-faces-fidelity", "0.7")
    assert_refused(ran, "fix_faces_fidelity needs fix_faces")
