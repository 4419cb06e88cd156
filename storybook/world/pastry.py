"""How cakes, donuts and bread are drawn, above the place where they stand."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from storybook.world.canvas import Canvas, Color, Gradient, smooth
from storybook.world.colors import COLORS, WHITE, darker, lighter, vary

CHERRY: Color = (206, 28, 52)
TINTS: dict[str, Color] = {
    "brown": (118, 70, 46),
    "pink": (248, 150, 184),
    "white": (253, 246, 230),
    "green": (160, 216, 164),
    "yellow": (252, 222, 108),
    "blue": (118, 178, 240),
    "purple": (168, 122, 208),
}
"""Colours of icing and ice cream, milder than paint."""
Attributes = Mapping[str, str]


def _cherry(canvas: Canvas, x: float, y: float, size: float) -> None:
    with canvas.part("cherries", "cherry"):
        canvas.stroke(
            [(x, y), (x + size * 0.3, y - size * 1.2), (x + size, y - size * 1.7)],
            size * 0.28,
            (96, 120, 60),
        )
        canvas.circle(x, y, size, Gradient(lighter(CHERRY, 0.15), darker(CHERRY, 0.15)))
        canvas.circle(
            x - size * 0.35, y - size * 0.35, size * 0.25, lighter(CHERRY, 0.7)
        )


def _strawberry(canvas: Canvas, x: float, y: float) -> None:
    with canvas.part("strawberries", "strawberry"), canvas.placed(x, y):
        canvas.blob([(0, -9), (5, -5), (5.5, 1), (-5.5, 1), (-5, -5)], (228, 42, 58))
        for dx, dy in ((-2.4, -3), (2.4, -3), (0, -6)):
            canvas.circle(dx, dy, 0.7, (255, 224, 140))


def draw_cake(canvas: Canvas, rng: random.Random, attributes: Attributes) -> None:
    icing = vary(rng, TINTS[attributes["color"]], 5)
    cream = (250, 196, 210) if attributes["color"] == "white" else (255, 248, 236)
    for bottom, half, tall in ((-2, 40, 25), (-27, 28, 22)):
        top = bottom - tall
        with canvas.part("icing"):
            side = Gradient(lighter(icing, 0.08), darker(icing, 0.12))
            canvas.rectangle(-half, top, half, bottom, side)
            canvas.ellipse(0, bottom, half, 4.5, darker(icing, 0.12))
        with canvas.part("cream"):
            drips = [
                (-half + 2 * half * i / 10, top + (11 if i % 2 else 4))
                for i in range(11)
            ]
            canvas.polygon([(-half, top), *smooth(drips), (half, top)], cream)
            canvas.ellipse(0, top, half + 1, 5, lighter(cream, 0.5))
            for i in range(9):
                a = math.pi * (i + 0.5) / 9
                x, y = half * math.cos(a), bottom + 3.4 * math.sin(a)
                canvas.circle(x, y, 3.4, darker(cream, 0.05))
                canvas.circle(x, y - 0.7, 2.7, cream)
    _cake_top(canvas, attributes["topping"])


def _cake_top(canvas: Canvas, topping: str) -> None:
    if topping == "candles":
        for x, tone in ((-16, "blue"), (-5, "red"), (6, "green"), (17, "purple")):
            with canvas.part("candles"):
                canvas.rectangle(
                    x - 1.7, -68, x + 1.7, -50, lighter(COLORS[tone], 0.15)
                )
                for y in (-64, -58):
                    canvas.rectangle(x - 1.7, y, x + 1.7, y + 2, WHITE)
                with canvas.part("flames"):
                    canvas.blob(
                        [(x, -77), (x + 2.6, -71), (x, -68), (x - 2.6, -71)],
                        (252, 172, 52),
                    )
                    canvas.circle(x, -71, 1.2, (255, 244, 170))
    elif topping == "cherries":
        for middle in (-18, 0, 18):
            _cherry(canvas, middle, -55, 5)
    elif topping == "strawberries":
        for middle, foot in ((-18, -49.0), (18, -49.0), (-6, -48.0), (7, -47.5)):
            _strawberry(canvas, middle, foot)


def draw_donut(canvas: Canvas, rng: random.Random, attributes: Attributes) -> None:
    icing, dough = vary(rng, TINTS[attributes["color"]], 5), (226, 166, 96)
    y = -40
    canvas.circle(0, y + 2, 42, darker(dough, 0.16))
    canvas.circle(0, y, 42, Gradient(lighter(dough, 0.12), dough))
    with canvas.part("icing"):
        wavy = [
            (
                (37.5 + 2.2 * math.sin(7 * a)) * math.cos(a),
                y - 1.5 + (37 + 2.2 * math.sin(7 * a)) * math.sin(a),
            )
            for a in (math.radians(4 * step) for step in range(90))
        ]
        canvas.polygon(wavy, Gradient(lighter(icing, 0.16), darker(icing, 0.04)))
        canvas.circle(0, y, 17.5, darker(icing, 0.14))
    canvas.circle(0, y, 15.5, darker(dough, 0.12))
    canvas.circle(0, y + 1, 12.5, (150, 108, 76))
    if attributes["topping"] == "sprinkles":
        tones = ("red", "yellow", "blue", "green", "white", "orange", "purple")
        with canvas.part("sprinkles"):
            for i in range(22):
                a, far = 2.4 * i, 21 + (i * 7 % 14)
                x, dy = far * math.cos(a), far * math.sin(a)
                b = rng.uniform(0, 3.1)
                ends = [
                    (x + s * 2.2 * math.cos(b), y - 1.5 + dy + s * 2.2 * math.sin(b))
                    for s in (-1, 1)
                ]
                canvas.stroke(ends, 2.1, COLORS[tones[i % len(tones)]], bend=False)


def draw_bread(canvas: Canvas, rng: random.Random, attributes: Attributes) -> None:
    BREADS[attributes["topping"]](canvas, vary(rng, (214, 146, 76), 6))


def _loaf(canvas: Canvas, crust: Color) -> None:
    canvas.blob(
        [
            (-48, -8),
            (-50, -24),
            (-38, -42),
            (0, -50),
            (38, -42),
            (50, -24),
            (48, -8),
            (34, 1),
            (-34, 1),
        ],
        Gradient(lighter(crust, 0.14), darker(crust, 0.12)),
    )
    for x in (-26, -4, 18):
        canvas.blob(
            [(x - 6, -22), (x + 3, -42), (x + 9, -44), (x + 3, -24)],
            lighter(crust, 0.5),
        )


def _croissant(canvas: Canvas, crust: Color) -> None:
    lumps = (
        (-44, -10, 9, 11, 35),
        (44, -10, 9, 11, -35),
        (-31, -22, 13, 17, 28),
        (31, -22, 13, 17, -28),
        (-15, -32, 15, 20, 12),
        (15, -32, 15, 20, -12),
        (0, -35, 15, 21, 0),
    )
    for i, (x, y, rx, ry, angle) in enumerate(lumps):
        tone = lighter(crust, 0.05 * i)
        canvas.ellipse(x, y, rx, ry, darker(tone, 0.16), angle=angle)
        canvas.ellipse(x, y - 1.5, rx - 1.6, ry - 2, tone, angle=angle)
        canvas.ellipse(
            x - 2, y - ry * 0.4, rx * 0.3, ry * 0.3, lighter(tone, 0.35), angle=angle
        )


def _toast(canvas: Canvas, crust: Color) -> None:
    outline = [
        (-34, 0),
        (-32, -34),
        (-40, -48),
        (-34, -64),
        (-14, -70),
        (0, -67),
        (14, -70),
        (34, -64),
        (40, -48),
        (32, -34),
        (34, 0),
        (0, 1),
    ]
    canvas.blob(outline, darker(crust, 0.1))
    inner = [(x * 0.86, -33 + (y + 33) * 0.87) for x, y in outline]
    canvas.blob(inner, Gradient((252, 226, 172), (246, 206, 142)))
    with canvas.part("butter"):
        canvas.polygon([(-10, -46), (8, -48), (12, -32), (-7, -30)], (255, 234, 120))
        canvas.polygon([(-7, -30), (12, -32), (12, -29), (-7, -27)], (240, 206, 84))


BREADS = {"loaf": _loaf, "croissant": _croissant, "toast": _toast}
