"""How each kind of food is drawn, above the place where it stands."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import COLORS, WHITE, darker, lighter, vary
from storybook.world.pastry import TINTS, draw_bread, draw_cake, draw_donut

CRUST: Color = (222, 160, 88)
CHEESE: Color = (252, 208, 86)
TOMATO: Color = (222, 62, 48)
GREEN: Color = (104, 178, 80)
Attributes = Mapping[str, str]


def _pizza(canvas: Canvas, rng: random.Random, attributes: Attributes) -> None:
    if attributes["part"] == "slice":
        _pizza_slice(canvas, rng, attributes["topping"])
        return
    y = -41
    canvas.circle(0, y, 44, darker(CRUST, 0.12))
    with canvas.part("crust"):
        canvas.circle(0, y - 1.5, 43, Gradient(lighter(CRUST, 0.12), CRUST))
    canvas.circle(0, y - 1.5, 37, TOMATO)
    with canvas.part("cheese"):
        wavy = [
            (
                (34.5 + 1.6 * math.sin(5 * a)) * math.cos(a),
                y - 1.5 + (34.5 + 1.6 * math.sin(5 * a)) * math.sin(a),
            )
            for a in (math.radians(4 * step) for step in range(90))
        ]
        canvas.polygon(wavy, Gradient(lighter(CHEESE, 0.15), CHEESE))
    turn = rng.uniform(0, 60)
    for i in range(9):
        a, far = math.radians(turn + 60 * i), 24 if i < 6 else 9
        a = a if i < 6 else math.radians(turn + 30 + 120 * i)
        _topping(
            canvas,
            rng,
            attributes["topping"],
            far * math.cos(a),
            y - 1.5 + far * math.sin(a),
        )
    for angle in (0, 45, 90, 135):
        a = math.radians(angle + 22)
        cut = [(38 * s * math.cos(a), y - 1.5 + 38 * s * math.sin(a)) for s in (-1, 1)]
        canvas.stroke(cut, 0.8, darker(CHEESE, 0.22), bend=False)


def _pizza_slice(canvas: Canvas, rng: random.Random, topping: str) -> None:
    canvas.blob(
        [(-34, -66), (0, -72), (34, -66), (30, -56), (3, -1), (-3, -1), (-30, -56)],
        TOMATO,
    )
    with canvas.part("cheese"):
        canvas.polygon(
            [(-31, -62), (31, -62), (1.5, -3), (-1.5, -3)],
            Gradient(lighter(CHEESE, 0.15), CHEESE),
        )
        for x, y in ((-14, -32), (9, -24)):
            canvas.stroke([(x, y), (x + 1, y + 9)], 5, CHEESE)
    with canvas.part("crust"):
        canvas.stroke([(-34, -65), (0, -71), (34, -65)], 12, darker(CRUST, 0.1))
        canvas.stroke([(-34, -66.5), (0, -72.5), (34, -66.5)], 9, CRUST)
    for x, y in ((-13, -50), (13, -52), (0, -38), (-2, -21)):
        _topping(canvas, rng, topping, x, y)


def _topping(canvas: Canvas, rng: random.Random, name: str, x: float, y: float) -> None:
    turn = rng.uniform(-40, 40)
    with canvas.part(name), canvas.placed(x, y, angle=turn):
        if name == "pepperoni":
            canvas.circle(0, 0, 6, (176, 44, 40))
            canvas.circle(-0.4, -0.5, 5.1, (208, 66, 54))
            for dx, dy in ((-2, 1), (2, -1), (0.5, 2.5)):
                canvas.circle(dx, dy, 0.8, (240, 130, 104))
        elif name == "mushrooms":
            canvas.blob(
                [(-5.5, 0), (-4, -5), (0, -6.4), (4, -5), (5.5, 0)], (232, 216, 196)
            )
            canvas.blob([(-2, -1), (2, -1), (2.4, 5), (-2.4, 5)], (246, 236, 220))
            canvas.stroke([(-4.6, 0), (4.6, 0)], 1.1, (160, 128, 100), bend=False)
        elif name == "olives":
            canvas.circle(0, 0, 4.6, (52, 48, 56))
            canvas.circle(0, 0, 2, CHEESE)
        else:
            canvas.blob([(-6.5, 0), (-1, -4), (6.5, 0), (-1, 4)], (60, 140, 66))
            canvas.stroke([(-6, 0), (5, 0)], 0.8, (140, 200, 120), bend=False)


SCOOPS = {
    "one scoop": ((0, -58),),
    "two scoops": ((-12, -55), (12, -55)),
    "three scoops": ((-12, -54), (12, -54), (0, -72)),
}


def _ice_cream(canvas: Canvas, rng: random.Random, attributes: Attributes) -> None:
    cream = vary(rng, TINTS[attributes["color"]], 5)
    wafer = (232, 176, 104)
    with canvas.part("cone"):
        canvas.polygon([(-21, -44), (21, -44), (2, 2), (-2, 2)], wafer)
        for shift in (-26, -14, -2, 10, 22):
            for lean in (-1, 1):
                line = [(shift + lean * 15, -44), (shift - lean * 6, 0)]
                inside = [_within_cone(x, y) for x, y in line]
                canvas.stroke(inside, 1.2, darker(wafer, 0.2), bend=False)
    spots = SCOOPS[attributes["topping"]]
    size = 21 if len(spots) == 1 else 16
    with canvas.part("scoops", "scoop"):
        for x, y in spots:
            canvas.circle(
                x, y, size, Gradient(lighter(cream, 0.2), darker(cream, 0.06))
            )
            for dx in (-0.75, -0.28, 0.22, 0.72):
                canvas.circle(x + dx * size, y + size * 0.66, size * 0.3, cream)
            canvas.ellipse(
                x - size * 0.4,
                y - size * 0.45,
                size * 0.15,
                size * 0.26,
                WHITE,
                angle=35,
                opacity=0.6,
            )
    with canvas.part("cone"):
        canvas.stroke([(-20, -42), (0, -40), (20, -42)], 4, lighter(wafer, 0.12))


def _within_cone(x: float, y: float) -> tuple[float, float]:
    """Move a point sideways onto the cone."""
    half = 2 + 19 * -y / 44
    return max(-half, min(half, x)), y


def _burger(canvas: Canvas, rng: random.Random, attributes: Attributes) -> None:
    bun, topping = vary(rng, (226, 156, 78), 6), attributes["topping"]
    canvas.blob(
        [(-40, -14), (40, -14), (38, -2), (28, 2), (-28, 2), (-38, -2)],
        Gradient(lighter(bun, 0.12), bun),
    )
    with canvas.part("meat"):
        canvas.blob(
            [(-42, -25), (0, -27), (42, -25), (43, -16), (0, -12), (-43, -16)],
            (112, 66, 44),
        )
    if "cheese" in topping:
        with canvas.part("cheese"):
            canvas.polygon(
                [
                    (-42, -28),
                    (42, -28),
                    (30, -24),
                    (20, -16),
                    (10, -24),
                    (-14, -24),
                    (-24, -17),
                    (-34, -24),
                ],
                CHEESE,
            )
    if "tomato" in topping:
        with canvas.part("tomato"):
            for x in (-20, 20):
                canvas.ellipse(x, -30, 19, 4.4, TOMATO)
                canvas.stroke([(x - 17, -31), (x + 17, -31)], 1.2, lighter(TOMATO, 0.4))
    with canvas.part("lettuce"):
        wave = [(-44 + 8 * i, -31 - (5 if i % 2 else 0)) for i in range(12)]
        canvas.blob([*wave, (42, -38), (-42, -38)], GREEN)
    canvas.blob(
        [
            (-41, -37),
            (-38, -54),
            (-22, -68),
            (0, -72),
            (22, -68),
            (38, -54),
            (41, -37),
            (0, -35),
        ],
        Gradient(lighter(bun, 0.2), bun),
    )
    for x, y in (
        (-22, -56),
        (-10, -64),
        (4, -58),
        (16, -64),
        (25, -54),
        (-4, -50),
        (12, -48),
        (-28, -46),
    ):
        canvas.ellipse(x, y, 2.2, 1.3, (255, 240, 206), angle=x)


DRINKS: dict[str, Color] = {
    "coffee": (86, 52, 36),
    "tea": (200, 122, 50),
    "cocoa": (146, 92, 66),
}


def _cup(canvas: Canvas, rng: random.Random, attributes: Attributes) -> None:
    color = vary(rng, COLORS[attributes["color"]], 5)
    drink = DRINKS[attributes["topping"]]
    canvas.ellipse(0, 0, 46, 6, darker(color, 0.18))
    canvas.ellipse(0, -1.6, 46, 5.6, lighter(color, 0.25))
    with canvas.part("handle"):
        canvas.stroke(
            [(28, -42), (44, -44), (46, -26), (36, -16), (24, -15)],
            6.5,
            darker(color, 0.12),
        )
    canvas.blob(
        [(-32, -53), (32, -53), (31, -26), (20, -5), (0, -1), (-20, -5), (-31, -26)],
        Gradient(lighter(color, 0.1), darker(color, 0.12)),
    )
    canvas.ellipse(0, -53, 32, 7.4, lighter(color, 0.3))
    with canvas.part("drink", attributes["topping"]):
        canvas.ellipse(0, -52.4, 28, 5.6, Gradient(lighter(drink, 0.1), drink))
        if attributes["topping"] == "cocoa":
            for x, y in ((-10, -53), (2, -51), (11, -54)):
                canvas.circle(x, y, 4.2, WHITE)
        elif attributes["topping"] == "tea":
            canvas.ellipse(6, -52, 6, 2.2, (252, 226, 110))
    with canvas.part("steam"):
        for x in (-13, 0, 13):
            wave = [(x, -64), (x - 4, -71), (x + 4, -79), (x, -87)]
            canvas.stroke(wave, 2.6, (232, 236, 244))
    canvas.blob([(-25, -44), (-20, -45), (-19, -20), (-23, -24)], WHITE, opacity=0.4)


KINDS: dict[str, tuple[Callable[[Canvas, random.Random, Attributes], None], float]] = {
    "cake": (draw_cake, 44),
    "pizza": (_pizza, 30),
    "ice cream": (_ice_cream, 12),
    "burger": (_burger, 42),
    "cup": (_cup, 44),
    "donut": (draw_donut, 32),
    "bread": (draw_bread, 44),
}
"""By kind: how it is drawn, and half the width of what stands on the table."""
