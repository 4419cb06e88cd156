"""Two coloured shapes, one above the other."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from storybook.world.canvas import Canvas
from storybook.world.colors import COLORS
from storybook.world.lists import tables
from storybook.world.scene import Face, Group, Picker, Words
from storybook.world.shapes import OUTLINES, draw_shape, ground_paint
from storybook.world.words import chance, color_word, with_article

SIZES = {"medium": (18.0, 22.0), "big": (25.0, 29.0), "small": (11.0, 14.0)}
HEIGHTS = {"upper": 33, "lower": 95}
SAID = tables("stacked")
RELATIONS = SAID["relations"]
GROUNDS = SAID["grounds"]


def _choose(pick: Picker) -> None:
    ground = pick("ground", tuple(COLORS))
    for place in HEIGHTS:
        pick(f"{place}_size", {"medium": 0.5, "big": 0.25, "small": 0.25})
        pick(f"{place}_color", tuple(COLORS), avoid=(ground,))
        pick(f"{place}_shape", tuple(OUTLINES))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    canvas.fill(ground_paint(rng, attributes["ground"]))
    middle = 64 + rng.uniform(-14, 14)
    for place, height in HEIGHTS.items():
        radius = rng.uniform(*SIZES[attributes[f"{place}_size"]])
        x, y = middle + rng.uniform(-5, 5), height + rng.uniform(-2, 2)
        draw_shape(canvas, rng, attributes, f"{place}_", (x, y, radius))
    return ()


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    sized = chance(rng, 0.7)
    things = {place: _thing(rng, attributes, place, sized) for place in HEIGHTS}
    text = rng.choice(RELATIONS).format(**things)
    ground = color_word(rng, attributes["ground"])
    if chance(rng, 0.85):
        text += rng.choice(GROUNDS).format(ground=ground, a_ground=with_article(ground))
    return text


def _thing(
    rng: random.Random, attributes: Mapping[str, str], place: str, sized: bool
) -> str:
    size = attributes[f"{place}_size"] if sized else "medium"
    color = color_word(rng, attributes[f"{place}_color"])
    words = [size, color, attributes[f"{place}_shape"]]
    return with_article(" ".join(word for word in words if word != "medium"))


def _plain(attributes: Mapping[str, str]) -> str:
    upper, lower = (_plain_thing(attributes, place) for place in HEIGHTS)
    return f"{upper} above {lower} on {with_article(attributes['ground'])} background"


def _plain_thing(attributes: Mapping[str, str], place: str) -> str:
    words = [attributes[f"{place}_{each}"] for each in ("size", "color", "shape")]
    return with_article(" ".join(word for word in words if word != "medium"))


_SHAPE = rf"(\w+ (?:{'|'.join(OUTLINES)}))"
STACKED = Group(
    name="stacked",
    share=0.24,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("ground", "upper_color", "upper_shape", "lower_color", "lower_shape"),
    words=Words(
        plain=_plain,
        main=rf"^an? (?:big |small )?{_SHAPE} above an? (?:big |small )?{_SHAPE}\b",
        arguable="wall orange oranges sun moon stars",
    ),
)
