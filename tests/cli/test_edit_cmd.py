"""`aimg edit`, as a user runs it."""

import json
import random
import re
import shlex
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore
from imaginairy.enhancers.similarity import similarities
from imaginairy.fields import options
from imaginairy.order import init_strength
from storybook.world import draw_scene
from tests.support.commands import Run, assert_refused, process


def pixels(path: Path) -> np.ndarray:
    """Return a picture's pixels, (height, width, 3) in [0, 255]."""
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_only_what_is_described_changes(run: Run, tmp_path: Path) -> None:
    wanted = {"coat": "brown", "setting": "plain", "ground": "yellow"}
    scene = draw_scene(random.Random(1), "dog", parts=True, **wanted)
    scene.image.save(tmp_path / "dog.png")
    ran = run(
        "edit", "dog.png", "a red circle", "a blue star", "--mask-prompt", "dog",
        "--init-image-strength", "0", "--seed", "2", "--model", "storybook",
        "--no-upscale", "--output-file-extension", "png", "--json", "-q",
        "--steps", "4",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    paths = [tmp_path / json.loads(line)["path"] for line in ran.stdout.splitlines()]
    before = pixels(tmp_path / "dog.png")
    assert scene.parts is not None
    dog = scene.parts.mask("dog")
    for path, prompt in zip(paths, ("a red circle", "a blue star"), strict=True):
        asked = ImaginePrompt.from_file(path)
        assert (asked.prompt_text, asked.mask_prompt) == (prompt, "dog")
        painted = pixels(path.parent / "mask_binary" / path.name)[..., 0] > 127
        assert (painted & dog).sum() > 0.9 * dog.sum()
        assert (painted & ~dog).sum() < 0.25 * dog.sum()
        after = pixels(path.parent / "modified_original" / path.name)
        change = np.abs(after - before).max(axis=-1)
        edge = cv2.dilate(painted.astype(np.uint8), np.ones((25, 25))) > 0  # is soft
        assert not change[~edge].any()
        assert (change[dog] > 30).mean() > 0.5


ROOT = Path(__file__).parent.parent.parent
EDIT = re.compile(r'^(?:aimg edit|imagine) .*--mask-prompt ".*$', re.M)


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md"])
def test_what_the_pages_edit_becomes_what_they_ask_for(
    page: str, run: Run, tmp_path: Path, store: ModelStore
) -> None:
    """By default strength; in the mask it is a cat, and elsewhere as it was.

    Fewer steps than usual do.
    """
    text = (ROOT / page).read_text()
    comparer = store.comparer("storybook-clip")

    def run_line(line: str, *more: str) -> None:
        words = shlex.split(line)
        words = words[1:] if words[0] == "aimg" else words
        paths = [str(each) for w in words for each in sorted(tmp_path.glob(w)) or [w]]
        ran = run(*paths, *more, "-q", "--steps", "8")
        assert ran.exit_code == 0, ran.output

    def cat_or_dog(path: Path) -> float:
        with Image.open(path) as image:
            cat, dog = similarities(image, ["a cat", "a dog"], comparer)
        return cat - dog

    (draws, folder) = re.findall(r"^(imagine .*--outdir (pets|edited).*)$", text, re.M)[
        0
    ]
    run_line(draws, "--repeats", "1")
    before = min((tmp_path / folder).glob("000001_*"))
    assert cat_or_dog(before) < 0
    lines = EDIT.findall(text)
    assert lines, "the page shows no edit"
    for line in (line for line in lines if f"{folder}/" in line):
        run_line(
            line, "--seed", "3", "--outdir", "after", "--output-file-extension", "png"
        )
        after = max((tmp_path / "after").glob("0*.png"))
        assert cat_or_dog(after) > 0, line
        whole = after.parent / "modified_original" / after.name
        painted = pixels(after.parent / "mask_binary" / after.name)[..., 0] > 127
        edge = cv2.dilate(painted.astype(np.uint8), np.ones((35, 35))) > 0
        change = np.abs(pixels(whole) - pixels(before)).max(axis=-1)
        assert not change[~edge].any() and (change[painted] > 30).mean() > 0.3


@pytest.mark.parametrize(
    ("fields", "strength"),
    [
        ({}, 0.6),
        ({"mask_prompt": "dog"}, 0.2),
        ({"mask_image": Image.new("L", (64, 64), 255)}, 0.2),
        ({"outpaint": "left8"}, 0.0),
    ],
)
def test_how_much_stays_by_default(fields: dict[str, Any], strength: float) -> None:
    image = Image.new("RGB", (64, 64))
    assert init_strength(ImaginePrompt("a", init_image=image, **fields)) == strength
    said = options(ImaginePrompt)["init_image_strength"].help
    assert "0.6 by default, 0.2 with a mask, 0 when outpainting" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.png", "a cat"), "There is no file 'none.png'."),
        (("page.png", "a cat"), "is not a picture that can be read"),
        (("page.png",), "There is neither a PROMPT nor an --instruct"),
        (("page.png", "a cat", "page.png"), "'page.png' is a file, and a PROMPT says"),
        (("page.png", "a cat", "--init-image", "b.png"), "No such option"),
    ],
)
def test_bad_use_is_one_line_and_code_2(
    arguments: tuple[str, ...], said: str, run: Run, tmp_path: Path
) -> None:
    Path("page.png").write_text("<html>")
    assert_refused(run("edit", *arguments, "--model", "storybook"), said)
    assert [path.name for path in tmp_path.iterdir()] == ["page.png"]


def test_a_process_of_its_own_edits_too(tiny_folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "teal.png")
    ran = process(
        "aimg", "edit", "teal.png", "a fox", "--model", tiny_folder, "--steps", "2",
        "--seed", "1", "-q", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    said = json.loads(ran.stdout)
    assert (said["prompt_text"], said["init_image_strength"]) == ("a fox", 0.6)
    assert said["init_image"] == str(tmp_path / "teal.png")
