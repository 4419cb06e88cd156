"""What the bundled caption and similarity models say of pictures of the drawn world."""

from collections.abc import Callable

import numpy as np
import pytest

from imaginairy import ImagineResult, ModelStore, describe, find_img_text_similarity
from storybook.training.sight import held_back_scenes
from storybook.world import Scene
from storybook.world.plain import plain_caption, read_caption

Draw = Callable[..., ImagineResult]
CAPTIONER, COMPARER = "storybook-blip", "storybook-clip"


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Scenes whose combinations of attributes were kept from training."""
    return list(held_back_scenes(12))


def test_captions_name_the_scene_and_what_is_special_about_it(
    store: ModelStore, scenes: list[Scene]
) -> None:
    kinds, main = [], []
    for scene in scenes:
        said = describe(scene.image, model=CAPTIONER, beams=1, store=store)
        wanted = plain_caption(scene.group, scene.attributes)
        kinds.append(read_caption(said)[0] == scene.group)
        main.append(read_caption(said) == read_caption(wanted))
    assert np.mean(kinds) >= 0.9
    assert np.mean(main) >= 0.9


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
    assert np.mean(right) >= 0.9


def test_what_the_bundled_model_draws_is_described(draw: Draw) -> None:
    """As nothing published is to be had here, the bundled model does it unasked."""
    assert " cat" in describe(draw("photo of a cat", seed=4, steps=8).img)
    assert "oranges" in describe(draw("a bowl of oranges", seed=4, steps=8).img)
