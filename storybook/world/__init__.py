"""The picture world: groups of scenes that know their captions and their parts."""

from __future__ import annotations

import random
from collections.abc import Mapping

from storybook.world.animals import CAT, DOG
from storybook.world.canvas import Canvas
from storybook.world.fruit import FRUIT
from storybook.world.landscapes import LANDSCAPES
from storybook.world.patterns import PATTERNS
from storybook.world.portraits import PORTRAITS
from storybook.world.scene import Group, Picker, Scene
from storybook.world.shapes import SHAPES
from storybook.world.words import dress

GROUPS: dict[str, Group] = {
    group.name: group
    for group in (SHAPES, LANDSCAPES, FRUIT, PORTRAITS, DOG, CAT, PATTERNS)
}


def draw_scene(
    rng: random.Random, group: str | None = None, *, parts: bool = False, **wanted: str
) -> Scene:
    """Draw one scene; the same generator state gives the same scene.

    Attributes named in `wanted` are as asked, the others are random. With `parts` the
    scene also says which part of the world every pixel belongs to.
    """
    row, attributes = _choose(rng, group, wanted)
    return _draw(rng, row, attributes, parts=parts)


def draw_training_scene(rng: random.Random) -> Scene:
    """Draw a scene whose attribute combination is not kept for evaluation."""
    row, attributes = _choose(rng, None, {})
    while row.holds_out(attributes):
        row, attributes = _choose(rng, None, {})
    return _draw(rng, row, attributes, parts=False)


def _choose(
    rng: random.Random, group: str | None, wanted: Mapping[str, str]
) -> tuple[Group, dict[str, str]]:
    if group is None:
        rows = list(GROUPS.values())
        row = rng.choices(rows, [each.share for each in rows])[0]
    else:
        row = GROUPS[group]
    picker = Picker(rng, wanted)
    row.choose(picker)
    return row, picker.finish()


def _draw(
    rng: random.Random, row: Group, attributes: dict[str, str], *, parts: bool
) -> Scene:
    canvas = Canvas(parts=parts)
    faces = row.draw(canvas, rng, attributes)
    return Scene(
        group=row.name,
        image=canvas.picture(),
        caption=write_caption(rng, row.name, attributes),
        attributes=attributes,
        parts=canvas.part_map(),
        faces=tuple(faces),
        held_out=row.holds_out(attributes),
    )


def write_caption(rng: random.Random, group: str, attributes: dict[str, str]) -> str:
    """Write one more true caption for a scene."""
    row = GROUPS[group]
    return dress(rng, row.describe(rng, attributes), row.media)


__all__ = ["GROUPS", "Scene", "draw_scene", "draw_training_scene", "write_caption"]
