"""Coloured shapes on a coloured ground: one, or two side by side."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from storybook.world.canvas import CIRCLE, Canvas, Gradient, Point
from storybook.world.colors import COLORS, darker, lighter, shaded, vary
from storybook.world.scene import Face, Group, Picker
from storybook.world.words import chance, color_word, with_article


def _regular(corners: int, start: float, inner: float = 1.0) -> list[Point]:
    """Return a regular polygon, or a star when every second corner lies inside."""
    step = math.pi * (1 if inner < 1 else 2) / corners
    count = corners * (2 if inner < 1 else 1)
    radii = [1.0 if i % 2 == 0 or inner == 1 else inner for i in range(count)]
    return [
        (r * math.cos(start + i * step), r * math.sin(start + i * step))
        for i, r in enumerate(radii)
    ]


def _heart() -> list[Point]:
    points = []
    for i in range(60):
        t = 2 * math.pi * i / 60
        y = 13 * math.cos(t) - 5 * math.cos(2 * t)
        y -= 2 * math.cos(3 * t) + math.cos(4 * t)
        points.append((math.sin(t) ** 3, -y / 16 - 0.12))
    return points


UP = -math.pi / 2
OUTLINES: dict[str, list[Point]] = {
    "circle": [(0.9 * x, 0.9 * y) for x, y in CIRCLE],
    "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
    "triangle": [(0, -0.9), (1, 0.8), (-1, 0.8)],
    "star": _regular(5, UP, inner=0.45),
    "heart": _heart(),
    "diamond": [(0, -1.05), (0.72, 0), (0, 1.05), (-0.72, 0)],
    "hexagon": _regular(6, 0.0),
}
SIZES = {"big": (38.0, 46.0), "medium": (26.0, 37.0), "small": (15.0, 20.0)}


def _choose(pick: Picker) -> None:
    ground = pick("ground", tuple(COLORS))
    if pick("count", {"one": 0.4, "two": 0.6}) == "one":
        pick("size", {"medium": 0.5, "big": 0.3, "small": 0.2})
        pick("color", tuple(COLORS), avoid=(ground,))
        pick("shape", tuple(OUTLINES))
    else:
        for side in ("left", "right"):
            pick(f"{side}_color", tuple(COLORS), avoid=(ground,))
            pick(f"{side}_shape", tuple(OUTLINES))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    canvas.fill(ground_paint(rng, attributes["ground"]))
    if attributes["count"] == "one":
        radius = rng.uniform(*SIZES[attributes["size"]])
        room = (64 - radius) * 0.45
        x, y = 64 + rng.uniform(-room, room), 64 + rng.uniform(-room, room)
        draw_shape(canvas, rng, attributes, "", (x, y, radius))
        return ()
    for side, middle in (("left", 33), ("right", 95)):
        radius = rng.uniform(19, 27)
        x, y = middle + rng.uniform(-3, 3), 64 + rng.uniform(-12, 12)
        draw_shape(canvas, rng, attributes, f"{side}_", (x, y, radius))
    return ()


def ground_paint(rng: random.Random, name: str) -> Gradient:
    color = vary(rng, COLORS[name])
    return Gradient(lighter(color, 0.08), darker(color, 0.08))


def draw_shape(
    canvas: Canvas,
    rng: random.Random,
    attributes: dict[str, str],
    side: str,
    place: tuple[float, float, float],
) -> None:
    x, y, radius = place
    name, color_name = attributes[f"{side}shape"], attributes[f"{side}color"]
    outline = OUTLINES[name]
    with (
        canvas.placed(x, y, scale=radius, angle=rng.uniform(-5, 5)),
        canvas.part("shape", name, f"{color_name} {name}"),
    ):
        shadow = [(px + 0.05, py + 0.09) for px, py in outline]
        canvas.polygon(shadow, darker(COLORS[attributes["ground"]], 0.9), opacity=0.15)
        canvas.polygon(outline, shaded(vary(rng, COLORS[color_name]), 0.07))


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    ground = color_word(rng, attributes["ground"])
    behind = rng.choice(
        (
            f"on a {ground} background",
            f"on {ground}",
            f"on a {ground} ground",
            f"on {with_article(ground)} background",
            f"in front of a {ground} wall",
            f", {ground} background",
        )
    ).replace("a orange", "an orange")
    if chance(rng, 0.12):
        behind = ""
    if attributes["count"] == "one":
        color = color_word(rng, attributes["color"])
        size = attributes["size"]
        adjective = f"{size} " if size != "medium" and chance(rng, 0.6) else ""
        kind = rng.choices((attributes["shape"], "shape"), (0.95, 0.05))[0]
        seen = f"{adjective}{color} {kind}" if chance(rng, 0.94) else kind
        text = with_article(seen)
    else:
        text = _describe_two(rng, attributes)
    return f"{text} {behind}".strip().replace(" ,", ",")


def _describe_two(rng: random.Random, attributes: dict[str, str]) -> str:
    left, right = (
        with_article(
            f"{color_word(rng, attributes[f'{side}_color'])} "
            f"{attributes[f'{side}_shape']}"
        )
        for side in ("left", "right")
    )
    return rng.choice(
        (
            f"{left} and {right}",
            f"{left} on the left and {right} on the right",
            f"{left} left of {right}",
            f"{left} to the left of {right}",
            f"{right} right of {left}",
            f"{right} to the right of {left}",
            f"{left} next to {right}",
            f"{left} left, {right} right",
            f"{right} on the right, {left} on the left",
        )
    )


SHAPES = Group(
    name="shapes",
    share=0.4,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("count", "ground", "color", "shape", "left_color", "right_shape"),
)
