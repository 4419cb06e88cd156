"""How each kind of flower is drawn, in a frame where it reaches from -1 to 1."""

from __future__ import annotations

import math
from collections.abc import Callable

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import darker, lighter, mix

GREEN: Color = (86, 160, 78)
GOLD: Color = (250, 200, 60)
SEED: Color = (104, 64, 40)


def _ring(
    canvas: Canvas,
    color: Color,
    count: int,
    shape: tuple[float, float, float],
    turn: float = 0.0,
) -> None:
    """Draw petals around the middle: how far out, how long and how wide."""
    out, long, wide = shape
    for i in range(count):
        angle = turn + 360 * i / count
        a = math.radians(angle)
        canvas.ellipse(
            out * math.cos(a), out * math.sin(a), long, wide, color, angle=angle
        )


def _rose(canvas: Canvas, color: Color) -> None:
    dark = darker(color, 0.16)
    with canvas.part("petals"):
        for i in range(6):
            a = math.radians(60 * i + 20)
            tone = mix(color, dark, 0.75 if i % 2 else 0.35)
            canvas.circle(0.46 * math.cos(a), 0.46 * math.sin(a), 0.54, tone)
        for i in range(5):
            a = math.radians(72 * i - 40)
            tone = lighter(color, 0.06) if i % 2 else color
            canvas.circle(0.24 * math.cos(a), 0.24 * math.sin(a), 0.44, tone)
        canvas.circle(0, 0, 0.42, lighter(color, 0.1))
        swirl = [
            (t * math.cos(14 * t), t * math.sin(14 * t))
            for t in (0.03 + 0.034 * step for step in range(16))
        ]
        canvas.stroke(swirl, 0.075, darker(color, 0.28))
        for start in (200, 20):
            arc = [
                (
                    0.72 * math.cos(math.radians(start + s)),
                    0.72 * math.sin(math.radians(start + s)),
                )
                for s in range(0, 81, 20)
            ]
            canvas.stroke(arc, 0.06, darker(color, 0.28))


def _tulip(canvas: Canvas, color: Color) -> None:
    dark = darker(color, 0.16)
    with canvas.part("petals"):
        canvas.blob(
            [(-0.3, 0.7), (-0.34, -0.3), (0, -0.98), (0.34, -0.3), (0.3, 0.7)], dark
        )
        for side in (-1, 1):
            canvas.blob(
                [
                    (side * 0.06, 0.86),
                    (side * 0.62, 0.6),
                    (side * 0.78, 0),
                    (side * 0.72, -0.86),
                    (side * 0.36, -0.46),
                    (side * 0.06, 0.1),
                ],
                Gradient(lighter(color, 0.14), mix(color, dark, 0.4)),
            )
        canvas.blob(
            [
                (0, 0.92),
                (0.42, 0.56),
                (0.4, -0.1),
                (0, -0.62),
                (-0.4, -0.1),
                (-0.42, 0.56),
            ],
            Gradient(lighter(color, 0.2), color),
        )
        canvas.stroke([(0, -0.4), (0.02, 0.5)], 0.04, darker(color, 0.12))


def _sunflower(canvas: Canvas, color: Color) -> None:
    with canvas.part("petals"):
        _ring(
            canvas,
            darker(mix(color, (244, 160, 40), 0.6), 0.04),
            14,
            (0.68, 0.32, 0.17),
            12.8,
        )
        _ring(canvas, color, 14, (0.66, 0.32, 0.155))
    canvas.circle(
        0, 0, 0.5, Gradient(lighter(SEED, 0.12), darker(SEED, 0.25), radial=True)
    )
    for ring, count in ((0.36, 12), (0.2, 7), (0.0, 1)):
        for i in range(count):
            a = 2 * math.pi * i / count
            canvas.circle(
                ring * math.cos(a), ring * math.sin(a), 0.045, lighter(SEED, 0.35)
            )


def _daisy(canvas: Canvas, color: Color) -> None:
    with canvas.part("petals"):
        _ring(canvas, darker(color, 0.1), 11, (0.62, 0.36, 0.16), 16)
        _ring(canvas, lighter(color, 0.08), 11, (0.62, 0.36, 0.15))
    canvas.circle(0, 0, 0.32, Gradient(lighter(GOLD, 0.25), darker(GOLD, 0.08)))
    canvas.ellipse(-0.09, -0.1, 0.08, 0.06, lighter(GOLD, 0.6))


KINDS: dict[str, Callable[[Canvas, Color], None]] = {
    "rose": _rose,
    "tulip": _tulip,
    "sunflower": _sunflower,
    "daisy": _daisy,
}
