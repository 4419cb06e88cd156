"""`aimg edit`, as a user runs it."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from imaginairy import ImaginePrompt
from storybook.world import draw_scene


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `aimg edit` in a folder of its own."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("aimg")), "edit", *arguments],
        capture_output=True, text=True, cwd=cwd, env=os.environ, timeout=300,
    )  # fmt: skip


def pixels(path: Path) -> np.ndarray:
    """Return a picture's pixels, (height, width, 3) in [0, 255]."""
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_only_what_is_described_changes(tmp_path: Path) -> None:
    wanted = {"coat": "brown", "setting": "plain", "ground": "yellow"}
    scene = draw_scene(random.Random(1), "dog", parts=True, **wanted)
    scene.image.save(tmp_path / "dog.png")
    ran = run(
        "dog.png", "a red circle", "a blue star", "--mask-prompt", "dog",
        "--init-image-strength", "0", "--seed", "2", "--model", "storybook",
        "--no-upscale", "--output-file-extension", "png", "--json", "-q", cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.png", "a cat"), "There is no file 'none.png'."),
        (("page.png", "a cat"), "is not a picture that can be read"),
        (("page.png",), "Missing argument 'PROMPT...'."),
        (("page.png", "a cat", "--init-image", "b.png"), "No such option"),
    ],
)
def test_bad_use_is_one_line_and_code_2(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "page.png").write_text("<html>")
    ran = run(*arguments, "--model", "storybook", cwd=tmp_path)
    assert ran.returncode == 2, ran.stderr
    assert said in ran.stderr and "Traceback" not in ran.stderr
    assert not (tmp_path / "outputs").exists()
