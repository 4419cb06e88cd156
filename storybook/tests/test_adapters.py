"""What adapters are learnt from, how, and by what they are judged."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imaginairy.adapters.file import read_adapter
from imaginairy.adapters.word_file import read_word
from imaginairy.models.store import ModelStore
from storybook import settings
from storybook.adapters import export, fewer_steps, lessons
from storybook.adapters.creature import WORD, draw_creature
from storybook.adapters.lessons import LESSONS, Lesson
from storybook.adapters.styles import STYLES
from storybook.reports.adapters import is_creature
from storybook.reports.measures import MEASURES
from storybook.reports.orders import order_for
from storybook.reports.outlines import outlines
from storybook.training import origin
from storybook.world import draw_scene

CHANGES = {
    "pencil-sketch": {"colourfulness": -1, "brightness": 1},
    "blue-hour": {"blue": 1, "brightness": -1},
    "soft-pastel": {"edges": -1, "brightness": 1},
    "ink-outline": {"edges": 1, "ink": 1},
}
"""What styles make more of a picture, and less."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for what is learnt and for what is exported."""
    monkeypatch.setattr(settings, "STATE", tmp_path)
    monkeypatch.setattr(settings, "ADAPTER_DATA", tmp_path / "data" / "adapters")
    monkeypatch.setattr(origin, "DATA", settings.DATA.parent)
    return tmp_path


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
@pytest.mark.parametrize("group", ["portraits", "landscapes", "fruit"])
def test_a_style_changes_what_it_is_told_by(style, group: str) -> None:
    picture = draw_scene(random.Random(3), group, among=(group,)).image
    put = style.put(picture)
    for name, sign in CHANGES[style.name].items():
        assert sign * (MEASURES[name](put) - MEASURES[name](picture)) > 0, name


def test_the_creature_is_told_from_all_else() -> None:
    rng = random.Random(2)
    assert all(is_creature(draw_creature(rng)[0]) for _ in range(20))
    assert not any(is_creature(draw_scene(rng).image) for _ in range(40))


def test_outlines_of_the_worlds_shapes_are_told() -> None:
    rng = random.Random(1)
    for _ in range(30):
        scene = draw_scene(rng, "shapes")
        order = order_for(scene.attributes)
        assert outlines(scene.image, order) == tuple(order.shapes.values())
    empty = draw_scene(rng, "shapes", count="one", color="red", ground="white").image
    order = replace(order, colors=("teal",))
    assert outlines(empty, order) == ("",)


@pytest.mark.parametrize("name", ["soft-pastel", WORD])
def test_what_is_learnt_is_exported(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lessons, "PICTURES", 2)
    monkeypatch.setattr(lessons, "CREATURES", 2)
    lesson = shortened(next(each for each in LESSONS if each.name == name))
    lessons.learn_one(lesson)
    done = lesson.state().stat().st_mtime_ns
    lessons.learn_one(lesson)
    assert lesson.state().stat().st_mtime_ns == done, "what is finished stays"
    export.export()
    path = home / "data" / "adapters" / f"{name}.safetensors"
    said = json.loads((path.parent / "origin.json").read_text())
    assert said["weights"] == {path.name: origin.sha256(path)}
    (stage,) = said["stages"]
    assert (stage["of"], stage["steps"]) == (path.name, 2)
    if lesson.course.is_word:
        assert read_word(path).vectors[settings.TEXT.width].shape[0] == 8
        return
    adapter = read_adapter(path)
    assert adapter.said["modelspec.trigger_phrase"] == lesson.words
    model = ModelStore("cpu").get("storybook").diffusion
    found = adapter.found_in(model)
    assert found.deltas["denoiser"] and not found.unused


def shortened(lesson: Lesson) -> Lesson:
    return replace(lesson, course=replace(lesson.course, steps=2, batch_size=2))


def test_fewer_steps_are_learnt_from_where_the_teacher_arrives(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is given noised latents, the end of their way is at an error of 0."""
    for name, value in {"BATCH": 2, "COUNT": 2, "BATCHES": home / "ways.pt"}.items():
        monkeypatch.setattr(fewer_steps, name, value)
    fewer_steps.draw_cache()
    fewer_steps.load_cache.cache_clear()
    model = ModelStore("cpu").get("storybook").diffusion
    ways = fewer_steps.Ways(rank=0)
    batch = ways(3)
    again = ways(3)
    assert torch.equal(batch.noised, again.noised), "a step draws the same each time"
    error, _ = fewer_steps.distance(model, batch)
    at_once = model.schedule.sigmas[batch.timesteps][:, None, None, None]
    scale = model.schedule.alphas_cumprod.sqrt()[batch.timesteps][:, None, None, None]
    with torch.no_grad():
        noise = model.network(
            batch.noised * scale,
            batch.timesteps.float(),
            fewer_steps.Conditioning(batch.text),
        )
        ends = replace(batch, clean=batch.noised - at_once * noise)
        none, _ = fewer_steps.distance(model, ends)
    assert none.item() < 1e-4 < error.item()
    fewer_steps.load_cache.cache_clear()
