"""A robot's head and shoulders, in the frame of a portrait's head."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from storybook.world.canvas import Canvas, Color, Gradient, Point
from storybook.world.colors import COLORS, WHITE, darker, lighter, mix, vary

METALS = ("gray", "red", "blue", "green", "yellow", "orange", "teal", "purple")
EYES = ("yellow", "blue", "red", "green")
INK: Color = (48, 50, 62)


def _box(x: float, y: float, half: float, tall: float, corner: float) -> list[Point]:
    """Return an upright box with round corners."""
    turns = [math.radians(15 * step) for step in range(24)]
    return [
        (
            x + math.copysign(half - corner, math.cos(a)) + corner * math.cos(a),
            y + math.copysign(tall - corner, math.sin(a)) + corner * math.sin(a),
        )
        for a in turns
    ]


def draw_robot(
    canvas: Canvas, rng: random.Random, attributes: Mapping[str, str]
) -> None:
    """Draw a robot that looks at the viewer."""
    metal = vary(rng, COLORS[attributes["color"]], 5)
    trim, joint = darker(metal, 0.22), (150, 156, 168)
    with canvas.part("robot", f"{attributes['color']} robot"):
        for y in (32, 38, 44):
            canvas.stroke([(-9, y), (9, y)], 5, joint, bend=False)
        with canvas.part("body"):
            for side in (-1, 1):
                canvas.circle(side * 47, 64, 15, trim)
            canvas.polygon(
                _box(0, 70, 42, 24, 9),
                Gradient(lighter(metal, 0.14), darker(metal, 0.12)),
            )
            canvas.polygon(_box(0, 72, 20, 12, 4), mix(metal, INK, 0.72))
            for x, tone in ((-12, "red"), (0, "yellow"), (12, "green")):
                canvas.circle(x, 68, 3.4, COLORS[tone])
        with canvas.part("head"):
            with canvas.part("antenna"):
                canvas.stroke([(0, -32), (0, -50)], 3, joint, bend=False)
                canvas.circle(0, -53, 6, COLORS[attributes["eyes"]])
                canvas.circle(-1.8, -55, 1.8, WHITE)
            with canvas.part("ears"):
                for side in (-1, 1):
                    canvas.polygon(_box(side * 37, -1, 6, 11, 3), trim)
                    canvas.circle(side * 37, -1, 3, joint)
            canvas.polygon(
                _box(0, -1, 35, 32, 11),
                Gradient(lighter(metal, 0.22), darker(metal, 0.06)),
            )
            canvas.polygon(_box(0, -2, 28, 22, 9), mix(metal, INK, 0.78))
            _eyes(canvas, attributes)
            _mouth(canvas, attributes["expression"])
            for x, y in ((-28, -27), (28, -27), (-28, 25), (28, 25)):
                canvas.circle(x, y, 1.8, trim)


def _eyes(canvas: Canvas, attributes: Mapping[str, str]) -> None:
    glow = lighter(COLORS[attributes["eyes"]], 0.12)
    sad = attributes["expression"] == "sad"
    with canvas.part("eyes"):
        for side in (-1, 1):
            x, y = side * 12, -7
            canvas.circle(x, y, 8.5, darker(glow, 0.35))
            canvas.circle(x, y, 7, glow)
            canvas.circle(x, y, 3, (30, 30, 40))
            canvas.circle(x + 2.2, y - 2.6, 2, WHITE)
    if sad:
        for side in (-1, 1):
            canvas.stroke(
                [(side * 5, -20), (side * 19, -15)], 3, lighter(glow, 0.5), bend=False
            )


def _mouth(canvas: Canvas, mood: str) -> None:
    pale = (236, 240, 246)
    with canvas.part("mouth"):
        if mood == "smiling":
            canvas.stroke(
                [(-11, 7), (-6, 12.5), (0, 14.2), (6, 12.5), (11, 7)], 3.4, pale
            )
        elif mood == "sad":
            canvas.stroke(
                [(-10, 15), (-5, 10.5), (0, 9.4), (5, 10.5), (10, 15)], 3.4, pale
            )
        else:
            canvas.rectangle(-12, 7, 12, 14, pale)
            for x in (-6, 0, 6):
                canvas.stroke([(x, 7), (x, 14)], 1.2, INK, bend=False)
