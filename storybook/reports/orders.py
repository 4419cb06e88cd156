"""Prompts that say plainly what a picture must show, of scenes kept from training."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from storybook import settings
from storybook.reports.judge import judged
from storybook.world import GROUPS, Scene, draw_scene
from storybook.world.plain import plain_caption
from storybook.world.words import with_article

SIDES = ("left", "right")
KEEPS_NONE = 0.06
"""Share of scenes taken of a group that keeps no combination from training."""


@dataclass(frozen=True)
class Order:
    """A prompt for shapes, and what its picture must show."""

    prompt: str
    ground: str
    colors: tuple[str, ...]
    """One, or the left and the right one."""
    shapes: dict[str, str]
    """By the attribute that a judge reads."""


@dataclass(frozen=True)
class SceneOrder:
    """A prompt for any scene, and what a judge must read in its picture."""

    prompt: str
    scene: Scene
    truths: dict[str, str]


def shape_orders(count: int) -> list[Order]:
    """Return prompts for colour combinations that training never showed."""
    rng = random.Random(f"{settings.SEED}/report")
    orders: list[Order] = []
    while len(orders) < count:
        scene = draw_scene(rng, "shapes")
        if scene.held_out:
            orders.append(order_for(scene.attributes))
    return orders


def order_for(attributes: dict[str, str]) -> Order:
    """Ask plainly for everything that a scene of shapes shows."""
    ground = attributes["ground"]
    behind = f"on {with_article(ground)} background"
    shapes = {name: value for name, value in attributes.items() if "shape" in name}
    if attributes["count"] == "one":
        color = attributes["color"]
        shape = with_article(f"{color} {attributes['shape']}")
        return Order(f"{shape} {behind}", ground, (color,), shapes)
    left, right = (
        with_article(f"{attributes[f'{side}_color']} {attributes[f'{side}_shape']}")
        for side in SIDES
    )
    prompt = f"{left} on the left and {right} on the right {behind}"
    colors = tuple(attributes[f"{side}_color"] for side in SIDES)
    return Order(prompt, ground, colors, shapes)


def scene_orders(groups: Iterable[str], each: int) -> list[SceneOrder]:
    """Return as many prompts of each group, which say all that a scene shows."""
    rng = random.Random(f"{settings.SEED}/scenes asked for")
    orders = []
    for group in groups:
        free, left = not GROUPS[group].key, each
        while left:
            scene = draw_scene(rng, group)
            if scene.held_out or (free and rng.random() < KEEPS_NONE):
                prompt = plain_caption(group, scene.attributes)
                truths = judged(group, scene.attributes)
                orders.append(SceneOrder(prompt, scene, truths))
                left -= 1
    return orders
