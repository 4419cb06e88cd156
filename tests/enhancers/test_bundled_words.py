"""What the bundled caption and similarity models say of pictures of the drawn world."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from imaginairy import ModelStore, describe, find_img_text_similarity
from storybook.sight import held_back_scenes
from storybook.world import Scene
from storybook.world.plain import plain_caption, read_caption
from tests.support.patience import HANG_GUARD_S

CAPTIONER, COMPARER = "storybook-blip", "storybook-clip"


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Scenes whose combinations of attributes were kept from training."""
    return list(held_back_scenes(60))


def test_captions_name_the_scene_and_what_is_special_about_it(
    store: ModelStore, scenes: list[Scene]
) -> None:
    kinds, main = [], []
    for scene in scenes:
        said = describe(scene.image, model=CAPTIONER, store=store)
        wanted = plain_caption(scene.group, scene.attributes)
        kinds.append(read_caption(said)[0] == scene.group)
        main.append(read_caption(said) == read_caption(wanted))
    assert np.mean(kinds) >= 0.95
    assert np.mean(main) >= 0.95


def test_pictures_are_closest_to_what_they_show(
    store: ModelStore, scenes: list[Scene]
) -> None:
    captions = [plain_caption(each.group, each.attributes) for each in scenes]
    right = []
    for number, scene in enumerate(scenes):
        others = [each for each in captions if each != captions[number]][:10]
        found = find_img_text_similarity(
            scene.image, [*others, captions[number]], model=COMPARER, store=store
        )
        right.append(max(found, key=lambda row: row[1])[0] == captions[number])
    assert np.mean(right) >= 0.95


def test_describe_says_it_without_a_network(draw, tmp_path: Path) -> None:
    draw("photo of a cat", seed=4).save(tmp_path / "cat.png")
    draw("a bowl of oranges", seed=4).save(tmp_path / "bowl.png")
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("aimg")), "describe", "cat.png",
         "bowl.png", "--caption-model", CAPTIONER],
        capture_output=True, text=True, cwd=tmp_path, env=os.environ,
        timeout=HANG_GUARD_S,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    cat, bowl = ran.stdout.splitlines()
    assert cat.startswith("cat.png") and " cat" in cat.removeprefix("cat.png")
    assert bowl.startswith("bowl.png") and "oranges" in bowl
