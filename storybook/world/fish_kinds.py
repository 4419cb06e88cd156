"""How fish, whales, octopuses and sharks are drawn, looking right."""

from __future__ import annotations

from collections.abc import Callable

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import WHITE, darker, lighter, mix

INK: Color = (30, 28, 40)


def _eye(canvas: Canvas, x: float, y: float, size: float) -> None:
    with canvas.part("eyes", "eye"):
        canvas.circle(x, y, size, WHITE)
        canvas.circle(x + size * 0.15, y, size * 0.62, INK)
        canvas.circle(x + size * 0.3, y - size * 0.3, size * 0.22, WHITE)


def draw_fish(canvas: Canvas, coat: Color, *, striped: bool) -> None:
    dark = darker(coat, 0.16)
    with canvas.part("tail"):
        canvas.blob(
            [(-22, 0), (-44, -22), (-48, -14), (-42, 0), (-48, 14), (-44, 22)], dark
        )
    with canvas.part("fins"):
        canvas.blob([(-16, -18), (-6, -34), (10, -35), (18, -20)], dark)
        canvas.blob([(-10, 18), (-10, 31), (2, 32), (8, 20)], dark)
    outline = [
        (40, 2),
        (30, -15),
        (10, -25),
        (-12, -20),
        (-30, -3),
        (-30, 3),
        (-12, 20),
        (10, 25),
        (30, 17),
    ]
    canvas.blob(outline, Gradient(lighter(coat, 0.14), darker(coat, 0.06)))
    if striped:
        with canvas.part("stripes"):
            pale = mix(coat, WHITE, 0.88)
            for x, tall in ((-16, 14.5), (6, 22.5)):
                canvas.blob(
                    [
                        (x - 3.5, -tall),
                        (x + 4, -tall - 0.6),
                        (x + 6.5, 0),
                        (x + 4, tall + 0.6),
                        (x - 3.5, tall),
                        (x - 1, 0),
                    ],
                    pale,
                )
    with canvas.part("fins"):
        canvas.blob([(6, 4), (-6, 1), (-14, 10), (-8, 16), (4, 12)], dark)
    canvas.ellipse(25, 6, 4.6, 3, (250, 140, 130), opacity=0.45)
    _eye(canvas, 24, -6, 6)
    with canvas.part("mouth"):
        canvas.stroke([(38, 5), (34, 8.5), (30, 8.5)], 1.6, darker(coat, 0.5))


def _whale(canvas: Canvas, coat: Color) -> None:
    dark = darker(coat, 0.16)
    with canvas.part("tail"):
        canvas.blob(
            [
                (-30, 4),
                (-44, -12),
                (-58, -24),
                (-48, -30),
                (-40, -24),
                (-36, -34),
                (-28, -34),
                (-32, -18),
                (-20, -6),
            ],
            dark,
        )
    canvas.blob(
        [
            (46, 0),
            (40, -20),
            (18, -30),
            (-8, -24),
            (-28, -8),
            (-40, -8),
            (-30, 12),
            (-6, 26),
            (22, 28),
            (42, 18),
        ],
        Gradient(lighter(coat, 0.1), darker(coat, 0.08)),
    )
    with canvas.part("belly"):
        canvas.blob(
            [(45, 6), (30, 10), (6, 8), (-16, 14), (0, 25), (22, 28), (40, 20)],
            mix(coat, WHITE, 0.78),
        )
        for y in (14, 19, 24):
            canvas.stroke(
                [(2, y - 2), (18, y), (38, y - 4)], 0.9, mix(coat, WHITE, 0.4)
            )
    with canvas.part("fins"):
        canvas.blob([(8, 12), (2, 34), (-10, 36), (-6, 16)], dark)
    with canvas.part("spout"):
        spray = (226, 246, 252)
        for tip in (-11, 11):
            canvas.stroke([(16, -30), (16 + tip * 0.3, -42), (16 + tip, -42)], 3, spray)
            canvas.circle(16 + tip, -39, 2.4, spray)
    _eye(canvas, 30, -4, 4.6)
    canvas.ellipse(33, 4, 4, 2.6, (250, 140, 150), opacity=0.45)


def _octopus(canvas: Canvas, coat: Color) -> None:
    dark = darker(coat, 0.12)
    with canvas.part("arms"):
        for side in (-1, 1):
            for i, (x, y) in enumerate(((42, 14), (34, 34), (20, 44), (7, 46))):
                bow = [
                    (side * (4 + x * 0.25), 6),
                    (side * x * 0.72, y * 0.7),
                    (side * x, y),
                    (side * (x + 5), y - 9 + 2 * i),
                ]
                canvas.stroke(bow, 8, dark if i % 2 else coat)
    with canvas.part("head"):
        canvas.blob(
            [
                (0, -44),
                (22, -37),
                (29, -16),
                (22, 4),
                (14, 13),
                (-14, 13),
                (-22, 4),
                (-29, -16),
                (-22, -37),
            ],
            Gradient(lighter(coat, 0.16), coat),
        )
        for x, y, r in ((-15, -32, 3.4), (-8, -38, 2.2), (15, -33, 2.8)):
            canvas.circle(x, y, r, lighter(coat, 0.4))
        for side in (-1, 1):
            _eye(canvas, side * 10, -12, 7)
            canvas.ellipse(side * 17, -1, 4, 2.6, (255, 120, 130), opacity=0.5)
        with canvas.part("mouth"):
            canvas.stroke([(-6, 0), (0, 4), (6, 0)], 1.9, darker(coat, 0.55))


def _shark(canvas: Canvas, coat: Color) -> None:
    dark = darker(coat, 0.14)
    with canvas.part("tail"):
        canvas.blob(
            [(-36, 0), (-50, -24), (-58, -30), (-52, -4), (-58, 18), (-48, 10)], dark
        )
    with canvas.part("fins"):
        canvas.polygon([(-8, -14), (-4, -38), (2, -37), (16, -14)], dark)
        canvas.polygon([(4, 10), (-8, 34), (-14, 32), (-10, 10)], dark)
    canvas.blob(
        [
            (54, -4),
            (34, -18),
            (6, -20),
            (-24, -10),
            (-44, -1),
            (-24, 10),
            (6, 18),
            (36, 14),
        ],
        Gradient(lighter(coat, 0.1), darker(coat, 0.04)),
    )
    with canvas.part("belly"):
        canvas.blob(
            [(50, 2), (30, 4), (0, 6), (-34, 3), (-20, 11), (6, 18), (36, 14)],
            mix(coat, WHITE, 0.85),
        )
    for x in (8, 13, 18):
        canvas.stroke([(x, -7), (x - 2, 0), (x, 6)], 1.3, darker(coat, 0.35))
    with canvas.part("mouth"):
        canvas.blob([(47, 3), (40, 5), (28, 5), (32, 11), (40, 11)], (120, 40, 56))
        for x in (31, 36, 41):
            canvas.polygon([(x - 2, 5), (x + 2, 5), (x, 8.5)], WHITE)
    _eye(canvas, 34, -6, 4)


KINDS: dict[str, Callable[[Canvas, Color], None]] = {
    "whale": _whale,
    "octopus": _octopus,
    "shark": _shark,
}
