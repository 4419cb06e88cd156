"""What a report asks for, and how it judges what was drawn."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

from storybook.reports.drawing import scene_figures, shape_figures
from storybook.reports.judge import ATTRIBUTES, Judge, answers_in, errors, judged
from storybook.reports.likeness import nearest
from storybook.reports.orders import scene_orders, shape_orders
from storybook.training import cache
from storybook.training.cache import to_tensor
from storybook.world import GROUPS, Scene, draw_scene


def scenes_of(group: str, count: int, seed: int, **wanted: str) -> list[Scene]:
    rng = random.Random(seed)
    return [draw_scene(rng, group, **wanted) for _ in range(count)]


def trained_judge(scenes: list[Scene], steps: int) -> Judge:
    torch.manual_seed(0)
    judge = Judge(answers_in([(scene.group, scene.attributes) for scene in scenes]))
    truths = [judged(scene.group, scene.attributes) for scene in scenes]
    pixels = np.stack([np.asarray(scene.image) for scene in scenes])
    pictures = to_tensor(pixels, torch.device("cpu"))
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3)
    for _ in range(steps):
        loss, _ = errors(judge(pictures), truths, judge.answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return judge.eval()


def test_a_judge_learns_to_tell_what_it_has_not_seen() -> None:
    kinds = ("landscapes", "dog")
    shown = [scene for kind in kinds for scene in scenes_of(kind, 16, seed=1)]
    judge = trained_judge(shown, steps=25)
    fresh = [scene for kind in kinds for scene in scenes_of(kind, 8, seed=2)]
    read = judge.read([scene.image for scene in fresh])
    hits = [each["group"] == s.group for each, s in zip(read, fresh, strict=True)]
    assert sum(hits) >= 14, hits
    views = [(r, s) for r, s in zip(read, fresh, strict=True) if s.group != "dog"]
    times = [seen["time"] == scene.attributes["time"] for seen, scene in views]
    assert sum(times) >= 6, times


def test_only_what_a_picture_settles_is_judged() -> None:
    rng = random.Random(4)
    for group in GROUPS:
        for _ in range(6):
            scene = draw_scene(rng, group)
            truths = judged(group, scene.attributes)
            assert truths.pop("group") == group
            assert set(truths) <= set(ATTRIBUTES)
            assert "none" not in truths.values()
    bald = scenes_of("portraits", 1, seed=1, person="man", style="bald")[0]
    assert "hair" not in judged("portraits", bald.attributes)
    pair = scenes_of("fruit", 1, seed=1, layout="pair")[0]
    assert "fruit" not in judged("fruit", pair.attributes)


def test_orders_are_of_scenes_kept_from_training_and_say_what_is_judged() -> None:
    orders = scene_orders(GROUPS, 1)
    assert [order.truths["group"] for order in orders] == list(GROUPS)
    two = scene_orders(["dog"], 2)
    assert len({order.prompt for order in two}) == 2
    for order in orders:
        assert order.scene.held_out or not GROUPS[order.scene.group].key
        for name in ("shape", "left_shape", "right_shape"):
            assert order.truths.get(name, "") in order.prompt
    shapes = shape_orders(12)
    assert {len(order.colors) for order in shapes} == {1, 2}
    for order in shapes:
        for word in (order.ground, *order.colors, *order.shapes.values()):
            assert word in order.prompt


class Sure(Judge):
    """Answers what it was told to."""

    def __init__(self, answers: list[dict[str, str]]) -> None:
        super().__init__({})
        self.told = answers

    def read(self, images: object) -> list[dict[str, str]]:
        return self.told


def test_figures_of_right_and_wrong_pictures() -> None:
    orders = shape_orders(6)
    truths = [order.shapes for order in orders]
    blank = [Image.new("RGB", (128, 128), "lime")] * len(orders)
    figures = shape_figures(blank, orders, Sure(truths))
    assert figures["outline"] == 1
    assert figures["color_and_ground"] == 0
    scenes = scene_orders(("fruit", "portraits"), 3)
    drawn = [order.scene.image for order in scenes]
    right = [order.truths for order in scenes]
    assert set(scene_figures(drawn, scenes, Sure(right)).values()) == {1.0}
    wrong = [dict.fromkeys(row, "?") for row in right]
    assert set(scene_figures(drawn, scenes, Sure(wrong)).values()) == {0.0}


def test_how_near_pictures_are_to_those_trained_on(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = np.full((5, 128, 128, 3), 100, np.uint8)
    trained[1:] = 200
    path = f"{tmp_path}/pictures.npy"
    np.save(path, trained)
    monkeypatch.setattr(cache, "PICTURES", path)
    grey = [Image.new("RGB", (128, 128), (level,) * 3) for level in (100, 110, 195)]
    assert np.allclose(nearest(grey), [0, 10, 5], atol=0.01)
