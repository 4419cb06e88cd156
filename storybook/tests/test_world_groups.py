"""Every group of the picture world: what is asked for shows, and captions are true."""

import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import storybook
from storybook.reports.color_check import name_pixels
from storybook.world import (
    GROUPS,
    draw_scene,
    draw_training_scene,
    strays,
)
from storybook.world.canvas import SIZE
from storybook.world.colors import COLORS
from storybook.world.phrases import absent, present
from storybook.world.scene import Picker

WORDED = [name for name in GROUPS if GROUPS[name].words]
CLEAR = {"time": "day", "weather": "clear"}


def attributes_of(group: str, rng: random.Random) -> dict[str, str]:
    picker = Picker(rng, {})
    GROUPS[group].choose(picker)
    return picker.finish()


def described(group: str, count: int) -> list[tuple[str, dict[str, str]]]:
    rng = random.Random(group)
    rows = [attributes_of(group, rng) for _ in range(count)]
    return [(GROUPS[group].describe(rng, row), row) for row in rows]


def test_scenes_of_no_group_in_particular_are_of_any():
    rng = random.Random(1)
    assert {draw_scene(rng).group for _ in range(90)} == set(GROUPS)
    assert {draw_training_scene(rng).group for _ in range(90)} == set(GROUPS)
    few = {draw_scene(rng, among=("dog", "cat")).group for _ in range(30)}
    assert few == {"dog", "cat"}


@pytest.mark.parametrize("group", GROUPS)
def test_drawing_fills_the_picture_and_knows_its_parts(group):
    rng = random.Random(2)
    for _ in range(8):
        scene = draw_scene(rng, group, parts=True)
        assert scene.image.size == (SIZE, SIZE)
        assert len(scene.image.getcolors(SIZE * SIZE)) > 8
        assert scene.parts.names()
        assert bool(scene.faces) <= GROUPS[group].faces


@pytest.mark.parametrize("group", WORDED)
def test_every_option_can_be_asked_for(group):
    rows = [row for _, row in described(group, 300)]
    seen = set()
    rng = random.Random(3)
    for row in rows:
        if row.items() - seen:
            scene = draw_scene(rng, group, **row)
            assert scene.attributes == row
            seen |= row.items()


@pytest.mark.parametrize("group", WORDED)
def test_some_combinations_are_held_out_of_every_group(group):
    rows = [row for _, row in described(group, 600)]
    share = sum(GROUPS[group].holds_out(row) for row in rows) / len(rows)
    assert 0.01 < share < 0.2


@pytest.mark.parametrize(
    ("group", "attribute", "part", "wanted"),
    [
        ("stacked", "upper_color", None,
         {"upper_shape": "circle", "lower_shape": "star"}),
        ("characters", "color", "robot", {"role": "robot", "eyes": "blue"}),
        ("characters", "color", "hair", {"role": "clown"}),
        ("characters", "color", "helmet", {"role": "firefighter"}),
        ("characters", "color", "hat", {"role": "wizard"}),
        ("characters", "color", "hat", {"role": "person", "hat": "top hat"}),
        ("characters", "color", "beanie", {"role": "person", "hat": "beanie"}),
        ("birds", "color", "bird", {"kind": "bird", "place": "flying", **CLEAR}),
        ("birds", "color", "parrot", {"kind": "parrot", "place": "branch", **CLEAR}),
        ("fish", "color", "fish", {"kind": "fish", "setting": "sea", "count": "one",
                                   "stripes": "no"}),
        ("fish", "color", "octopus", {"kind": "octopus", "setting": "sea"}),
        ("vehicles", "color", "car", {"kind": "car", **CLEAR}),
        ("vehicles", "color", "balloon", {"kind": "balloon", **CLEAR}),
        ("vehicles", "color", "train", {"kind": "train", **CLEAR}),
        ("flowers", "color", "tulip", {"kind": "tulip", "layout": "bunch"}),
        ("flowers", "vase", "vase", {"layout": "vase"}),
        ("food", "color", "cup", {"kind": "cup"}),
        ("winter", "scarf", "scarf", {"thing": "snowman", **CLEAR}),
        ("city", "car", "car", {"front": "street", **CLEAR}),
    ],
)  # fmt: skip
def test_colours_asked_for_are_in_the_pixels(group, attribute, part, wanted):
    known = attributes_of(group, random.Random(0))
    wanted = {key: value for key, value in wanted.items() if key in known}
    for color in colors_of(group, attribute, wanted):
        scene = draw_scene(
            random.Random(4), group, parts=True, **wanted, **{attribute: color}
        )
        name = part or f"{color} circle"
        mask = scene.parts.mask(name)
        assert mask.sum() > 20, (color, name)
        names = Counter(name_pixels(scene.image)[mask].tolist())
        assert names[color] > 0.15 * mask.sum(), (color, names)


def colors_of(group: str, attribute: str, wanted: dict[str, str]) -> set[str]:
    """Return the colours that are chosen for an attribute where others are so."""
    rng, found = random.Random(5), set()
    for _ in range(150):
        picker = Picker(rng, wanted)
        GROUPS[group].choose(picker)
        found.add(picker.finish()[attribute])
    return found & set(COLORS)


IMPLIED = {
    "desert": "yellow red white orange blue",
    "forest": "red orange green blue",
    "city": "green orange blue",
    "winter": "orange blue",
    "characters": "white red black gray golden",
    "birds": "blue",
    "fish": "white",
    "vehicles": "green blue orange",
    "flowers": "blue",
    "food": "white black",
    "animals": "green blue",
}
"""Colours that may be named though no attribute has them: of skies, coats, noses."""


@pytest.mark.parametrize("group", WORDED)
def test_captions_never_name_a_colour_that_is_not_there(group):
    for caption, row in described(group, 500):
        said = set(re.findall(r"[a-z]+", caption.lower())) & set(COLORS)
        true = set(IMPLIED.get(group, "").split())
        true |= {word for value in row.values() for word in value.split()}
        if row.get("color") == "mixed":
            continue
        assert said <= true, (caption, row)


@pytest.mark.parametrize("group", ["desert", "forest", "city", "winter", "birds",
                                   "vehicles", "animals", "flowers"])  # fmt: skip
def test_captions_never_lie_about_time_and_weather(group):
    clues = {
        "night": ("time", "night"),
        "dark": ("time", "night"),
        "stars": ("time", "night"),
        "sunset": ("time", "sunset"),
        "dusk": ("time", "sunset"),
        "daylight": ("time", "day"),
        "rain": ("weather", "rain"),
        "rainy": ("weather", "rain"),
        "fog": ("weather", "fog"),
        "misty": ("weather", "fog"),
        "snowing": ("weather", "snow"),
    }
    for caption, row in described(group, 500):
        for word in re.findall(r"[a-z]+", caption):
            name, value = clues.get(word, ("", ""))
            assert row.get(name, value) == value, (caption, row)


def test_captions_of_forms_keep_above_and_below_apart():
    for caption, row in described("stacked", 300):
        upper, lower = (row[f"{place}_shape"] for place in ("upper", "lower"))
        if upper == lower:
            continue
        text = f"{caption} ".replace(upper, "UP").replace(lower, "LOW")
        first = "UP" if text.find("UP") < text.find("LOW") else "LOW"
        if re.search(r"(UP|LOW) (above|over|on top of) an? ", text):
            assert first == "UP", caption
        if re.search(r"(UP|LOW) (below|under|beneath) an? ", text):
            assert first == "LOW", caption


@pytest.mark.parametrize("group", WORDED)
def test_captions_of_new_groups_vary_and_read_well(group):
    captions = [caption for caption, _ in described(group, 300)]
    assert len(set(captions)) > 60
    for caption in captions:
        assert "none" not in caption and "  " not in caption and "{" not in caption
        assert not re.search(r"\ba [aeio]", caption), caption
        assert not re.search(r"\ban [^aeiou]", caption), caption


@pytest.mark.parametrize("group", WORDED)
def test_no_word_of_a_group_is_a_stray(group):
    said = {word for caption, _ in described(group, 300) for word in caption.split()}
    assert not said & set(strays())


@pytest.mark.parametrize("group", WORDED)
def test_phrases_mean_something_in_every_scene(group):
    rng = random.Random(7)
    for _ in range(6):
        scene = draw_scene(rng, group, parts=True)
        asked = present(scene)
        assert len(asked) >= 3
        assert all(each.mask(scene).any() for each in asked)
        right = {each.phrase for each in asked}
        assert not any(absent(rng, scene).phrase in right for _ in range(30))


def test_human_characters_have_faces_with_landmarks_on_them():
    rng = random.Random(9)
    for _ in range(60):
        scene = draw_scene(rng, "characters", parts=True)
        if scene.attributes["role"] == "robot":
            assert not scene.faces
            continue
        (face,) = scene.faces
        left, top, right, bottom = face.box
        head = scene.parts.mask("person")
        assert 0 <= left < right <= SIZE and 0 <= top < bottom <= SIZE
        for x, y in face.landmarks:
            assert left < x < right and top < y < bottom
            assert head[round(y), round(x)]
        eyes = scene.parts.mask("eyes")
        for x, y in face.landmarks[:2]:
            assert eyes[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].any()


def test_night_is_darker_than_day():
    for group in ("desert", "forest", "city", "winter"):
        for seed in range(5):
            day, night = (
                np.mean(draw_scene(random.Random(seed), group, time=time).image)
                for time in ("day", "night")
            )
            assert night < 0.75 * day, (group, seed)


def test_prompts_for_the_contact_sheet_are_a_hundred_different_ones():
    folder = Path(storybook.__file__).parent / "reports"
    prompts = (folder / "contact_prompts.txt").read_text().splitlines()
    assert len(prompts) == len(set(prompts)) == 100
    assert all(prompt.strip() == prompt for prompt in prompts)
