"""The picture world: groups of scenes that know their captions and their parts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cache

from storybook.world.animals import CAT, DOG
from storybook.world.birds import BIRDS
from storybook.world.canvas import Canvas
from storybook.world.characters import CHARACTERS
from storybook.world.city import CITY
from storybook.world.desert import DESERT
from storybook.world.fish import FISHES
from storybook.world.flowers import FLOWERS
from storybook.world.food import FOOD
from storybook.world.forest import FOREST
from storybook.world.fruit import FRUIT
from storybook.world.landscapes import LANDSCAPES
from storybook.world.more_animals import ANIMALS
from storybook.world.patterns import PATTERNS
from storybook.world.portraits import PORTRAITS
from storybook.world.scene import Group, Picker, Scene
from storybook.world.shapes import SHAPES
from storybook.world.stacked import STACKED
from storybook.world.vehicles import VEHICLES
from storybook.world.winter import WINTER
from storybook.world.words import STRAYS, dress

GROUPS: dict[str, Group] = {
    group.name: group
    for group in (
        SHAPES,
        LANDSCAPES,
        FRUIT,
        PORTRAITS,
        DOG,
        CAT,
        PATTERNS,
        STACKED,
        DESERT,
        FOREST,
        CITY,
        WINTER,
        CHARACTERS,
        BIRDS,
        FISHES,
        VEHICLES,
        FLOWERS,
        FOOD,
        ANIMALS,
    )
}


def draw_scene(
    rng: random.Random,
    group: str | None = None,
    *,
    among: Sequence[str] = tuple(GROUPS),
    parts: bool = False,
    detail: int = 1,
    **wanted: str,
) -> Scene:
    """Draw one scene; the same generator state gives the same scene.

    With no `group` it is of one of those named in `among`. Attributes named in `wanted`
    are as asked, the others are random. With `parts` the scene also says which part of
    the world every pixel belongs to; with `detail` it is also had so many times as
    large.
    """
    row, attributes = _choose(rng, (group,) if group else among, wanted)
    return _draw(rng, row, attributes, parts=parts, detail=detail)


def draw_training_scene(
    rng: random.Random, *, parts: bool = False, detail: int = 1
) -> Scene:
    """Draw a scene whose attribute combination is not kept for evaluation."""
    row, attributes = _choose(rng, tuple(GROUPS), {})
    while row.holds_out(attributes):
        row, attributes = _choose(rng, tuple(GROUPS), {})
    return _draw(rng, row, attributes, parts=parts, detail=detail)


def _choose(
    rng: random.Random, among: Sequence[str], wanted: Mapping[str, str]
) -> tuple[Group, dict[str, str]]:
    rows = [GROUPS[name] for name in among]
    row = rng.choices(rows, [each.share for each in rows])[0]
    picker = Picker(rng, wanted)
    row.choose(picker)
    return row, picker.finish()


def _draw(
    rng: random.Random,
    row: Group,
    attributes: dict[str, str],
    *,
    parts: bool,
    detail: int,
) -> Scene:
    canvas = Canvas(parts=parts, detail=detail)
    faces = row.draw(canvas, rng, attributes)
    return Scene(
        group=row.name,
        image=canvas.picture(),
        caption=write_caption(rng, row.name, attributes),
        attributes=attributes,
        parts=canvas.part_map(),
        faces=tuple(faces),
        large=canvas.picture(detail) if detail > 1 else None,
        held_out=row.holds_out(attributes),
    )


def write_caption(rng: random.Random, group: str, attributes: dict[str, str]) -> str:
    """Write one more true caption for a scene."""
    row = GROUPS[group]
    return dress(rng, row.describe(rng, attributes), row.media, strays())


@cache
def strays() -> tuple[str, ...]:
    """Return the stray words that name nothing in the world."""
    named = {
        word for row in GROUPS.values() if row.words for word in row.words.meaningful()
    }
    return tuple(word for word in STRAYS if not named & {word, f"{word}s"})


__all__ = [
    "GROUPS",
    "Scene",
    "draw_scene",
    "draw_training_scene",
    "strays",
    "write_caption",
]
