"""How each kind of bird is drawn, looking right, around the middle of its body."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import WHITE, darker, lighter, mix

INK: Color = (36, 30, 36)
AMBER: Color = (248, 170, 52)
CREAM: Color = (252, 240, 216)


def _eye(canvas: Canvas, x: float, y: float, size: float) -> None:
    with canvas.part("eyes"):
        canvas.circle(x, y, size, WHITE)
        canvas.circle(x + size * 0.12, y, size * 0.66, INK)
        canvas.circle(x + size * 0.3, y - size * 0.3, size * 0.24, WHITE)


def _owl(canvas: Canvas, coat: Color) -> None:
    dark, pale = darker(coat, 0.2), mix(coat, CREAM, 0.62)
    with canvas.part("ears"):
        for side in (-1, 1):
            canvas.polygon([(side * 9, -38), (side * 25, -51), (side * 25, -28)], dark)
    canvas.blob(
        [
            (0, -44),
            (20, -40),
            (29, -22),
            (29, 8),
            (22, 28),
            (0, 35),
            (-22, 28),
            (-29, 8),
            (-29, -22),
            (-20, -40),
        ],
        Gradient(lighter(coat, 0.08), darker(coat, 0.08)),
    )
    with canvas.part("belly"):
        canvas.ellipse(0, 12, 18, 20, pale)
        for row, y in enumerate((2, 10, 18, 25)):
            for x in (-9, 0, 9) if row % 2 else (-5, 5):
                canvas.stroke([(x - 3, y), (x, y + 2.6), (x + 3, y)], 1.5, dark)
    with canvas.part("wings"):
        for side in (-1, 1):
            canvas.blob(
                [
                    (side * 22, -12),
                    (side * 31, 0),
                    (side * 29, 20),
                    (side * 21, 32),
                    (side * 19, 10),
                ],
                dark,
            )
    for side in (-1, 1):
        canvas.circle(side * 11.5, -22, 13, pale)
    with canvas.part("eyes"):
        for side in (-1, 1):
            canvas.circle(side * 11.5, -22, 9, (250, 204, 70))
            canvas.circle(side * 11.5, -22, 5.4, INK)
            canvas.circle(side * 11.5 + 2, -24.4, 2, WHITE)
    with canvas.part("beak"):
        canvas.blob([(-4.5, -16), (0, -19), (4.5, -16), (0, -6)], AMBER)
    with canvas.part("feet"):
        for side in (-1, 1):
            for dx in (-3.5, 0, 3.5):
                canvas.ellipse(side * 9 + dx, 35, 2, 3.6, AMBER)


def _parrot(canvas: Canvas, coat: Color) -> None:
    second = {True: (56, 124, 214), False: (246, 196, 60)}[coat[0] > coat[2]]
    with canvas.part("tail"):
        canvas.polygon([(-12, 22), (-4, 26), (-19, 62), (-25, 60)], darker(coat, 0.16))
        canvas.polygon([(-9, 24), (0, 26), (-11, 58), (-17, 58)], second)
    canvas.blob(
        [
            (4, -46),
            (19, -42),
            (24, -28),
            (19, -8),
            (16, 14),
            (6, 30),
            (-6, 34),
            (-15, 24),
            (-18, 2),
            (-13, -24),
            (-8, -40),
        ],
        Gradient(lighter(coat, 0.1), darker(coat, 0.06)),
    )
    with canvas.part("belly"):
        canvas.blob(
            [(18, -10), (16, 14), (7, 28), (4, 12), (9, -4)], lighter(coat, 0.3)
        )
    with canvas.part("wings"):
        canvas.blob(
            [(-4, -18), (6, -8), (6, 10), (-6, 30), (-15, 38), (-18, 14), (-14, -8)],
            darker(coat, 0.14),
        )
        canvas.blob([(4, 6), (-5, 28), (-15, 38), (-17, 18), (-8, 10)], second)
        canvas.blob([(-4, 20), (-9, 32), (-15, 38), (-16.5, 26)], darker(second, 0.25))
    canvas.ellipse(13, -31, 8.5, 9, (252, 248, 240))
    with canvas.part("beak"):
        canvas.blob(
            [(19, -40), (29, -37), (33, -26), (29, -18), (26, -26), (20, -27)],
            (70, 64, 70),
        )
        canvas.blob([(20, -27), (26, -25.5), (26, -20), (20, -20)], (104, 96, 100))
    _eye(canvas, 13, -33, 4.2)
    with canvas.part("feet"):
        for x in (-1, 7):
            for dx in (-2.4, 1.2):
                canvas.ellipse(x + dx, 34, 1.8, 3.6, (120, 112, 116))


def _duck(canvas: Canvas, coat: Color) -> None:
    dark = darker(coat, 0.14)
    with canvas.part("feet"):
        for x in (-6, 6):
            canvas.stroke([(x, 24), (x, 32)], 3, AMBER, bend=False)
            canvas.ellipse(x + 3, 33, 6.5, 2.4, AMBER)
    with canvas.part("tail"):
        canvas.polygon([(-30, 6), (-46, -8), (-26, -8)], dark)
    canvas.blob(
        [
            (-36, 2),
            (-24, -4),
            (-4, -6),
            (12, -12),
            (28, -2),
            (30, 14),
            (20, 26),
            (-4, 30),
            (-26, 24),
            (-36, 12),
        ],
        Gradient(lighter(coat, 0.1), darker(coat, 0.08)),
    )
    canvas.stroke([(17, 2), (18, -16), (18, -26)], 19, coat)
    with canvas.part("head"):
        canvas.circle(19, -30, 16.5, Gradient(lighter(coat, 0.12), coat))
        with canvas.part("beak"):
            canvas.blob([(31, -31), (40, -29), (47, -25), (42, -22), (31, -23)], AMBER)
            canvas.stroke([(33, -25.6), (43, -24.6)], 1.1, darker(AMBER, 0.25))
        _eye(canvas, 24, -34, 4.4)
        canvas.circle(18, -24, 3.4, (246, 140, 120), opacity=0.4)
    with canvas.part("wings"):
        canvas.blob(
            [(-24, 4), (-8, -2), (8, 4), (10, 14), (-2, 20), (-16, 17), (-30, 6)], dark
        )
        for x in (-14, -6, 2):
            canvas.stroke(
                [(x - 4, 14), (x + 1, 16.5), (x + 5, 13)], 1.3, darker(coat, 0.28)
            )


def _penguin(canvas: Canvas, coat: Color) -> None:
    with canvas.part("feet"):
        for side in (-1, 1):
            canvas.ellipse(side * 11, 43, 10, 4.2, AMBER)
    with canvas.part("wings"):
        for side in (-1, 1):
            canvas.blob(
                [
                    (side * 22, -8),
                    (side * 34, 8),
                    (side * 38, 24),
                    (side * 30, 22),
                    (side * 22, 12),
                ],
                darker(coat, 0.1),
            )
    canvas.blob(
        [
            (0, -46),
            (16, -42),
            (24, -28),
            (25, -6),
            (28, 20),
            (20, 39),
            (0, 43),
            (-20, 39),
            (-28, 20),
            (-25, -6),
            (-24, -28),
            (-16, -42),
        ],
        Gradient(lighter(coat, 0.12), coat),
    )
    with canvas.part("belly"):
        canvas.blob(
            [
                (0, -16),
                (14, -10),
                (20, 14),
                (14, 36),
                (0, 40),
                (-14, 36),
                (-20, 14),
                (-14, -10),
            ],
            (252, 252, 252),
        )
    for side in (-1, 1):
        canvas.ellipse(side * 8.5, -22, 10.5, 12.5, (252, 252, 252))
        canvas.circle(side * 14, -13, 3.6, (250, 150, 150), opacity=0.6)
    for side in (-1, 1):
        _eye(canvas, side * 8.5, -24, 4.6)
    with canvas.part("beak"):
        canvas.blob([(-6, -17), (0, -20), (6, -17), (0, -9)], AMBER)
        canvas.stroke([(-4.4, -15.6), (0, -14), (4.4, -15.6)], 1, darker(AMBER, 0.3))


def _flamingo(canvas: Canvas, coat: Color) -> None:
    dark = darker(coat, 0.16)
    with canvas.part("legs"):
        canvas.stroke([(-2, 12), (-2, 50)], 2.4, dark, bend=False)
        canvas.stroke([(4, 12), (12, 28), (0, 30)], 2.4, dark, bend=False)
    with canvas.part("tail"):
        canvas.polygon([(-22, 2), (-36, 12), (-20, 14)], dark)
    canvas.ellipse(-4, 4, 25, 14.5, Gradient(lighter(coat, 0.12), darker(coat, 0.05)))
    canvas.stroke([(15, 2), (25, -10), (16, -22), (10, -33), (16, -44)], 6.4, coat)
    with canvas.part("wings"):
        canvas.blob([(8, -4), (4, 8), (-14, 14), (-30, 10), (-18, -2), (-6, -8)], dark)
    with canvas.part("head"):
        canvas.ellipse(18, -46, 9, 7.4, coat)
        with canvas.part("beak"):
            canvas.blob([(24, -49), (33, -45), (34, -35), (30, -34), (24, -42)], CREAM)
            canvas.blob([(33, -43), (34, -35), (30, -33), (30, -38)], INK)
        _eye(canvas, 19.5, -48, 2.8)


def _bird(canvas: Canvas, coat: Color, *, flying: bool = False) -> None:
    dark, pale = darker(coat, 0.18), mix(coat, CREAM, 0.7)
    if flying:
        with canvas.part("wings"):
            canvas.blob(
                [(2, -6), (-2, -30), (-20, -46), (-34, -46), (-26, -24), (-16, -4)],
                darker(coat, 0.28),
            )
    with canvas.part("tail"):
        canvas.polygon([(-24, 4), (-54, -2), (-52, 6), (-46, 9), (-22, 16)], dark)
    if not flying:
        with canvas.part("feet"):
            for x in (-2, 7):
                canvas.stroke([(x, 20), (x + 1, 33)], 2, AMBER, bend=False)
                canvas.stroke([(x - 3, 33.5), (x + 6, 33.5)], 2.2, AMBER, bend=False)
    canvas.blob(
        [
            (-30, 6),
            (-14, -12),
            (6, -26),
            (22, -32),
            (34, -24),
            (34, -8),
            (24, 12),
            (6, 23),
            (-14, 20),
        ],
        Gradient(lighter(coat, 0.1), darker(coat, 0.05)),
    )
    with canvas.part("belly"):
        canvas.blob([(30, -4), (22, 12), (6, 22), (-8, 19), (8, 8), (20, -4)], pale)
    with canvas.part("beak"):
        canvas.polygon([(33, -23), (46, -17), (33, -13)], AMBER)
    _eye(canvas, 25, -20, 4.4)
    with canvas.part("wings"):
        if flying:
            canvas.blob(
                [
                    (10, -8),
                    (10, -34),
                    (-4, -58),
                    (-22, -66),
                    (-20, -40),
                    (-12, -14),
                    (-8, 2),
                ],
                dark,
            )
            for x, y in ((-2, -46), (-6, -32), (-7, -18)):
                canvas.stroke([(x, y), (x + 9, y + 6)], 1.4, darker(coat, 0.34))
        else:
            canvas.blob([(12, -10), (12, 4), (-6, 14), (-30, 14), (-16, -4)], dark)
            canvas.stroke([(6, 4), (-6, 9), (-18, 10)], 1.4, darker(coat, 0.34))


KINDS: dict[str, tuple[Callable[[Canvas, Color], None], float]] = {
    "owl": (_owl, 36),
    "parrot": (_parrot, 35),
    "duck": (_duck, 34),
    "penguin": (_penguin, 45),
    "flamingo": (_flamingo, 50),
    "bird": (_bird, 34),
    "flying": (partial(_bird, flying=True), 0),
}
"""By kind: how it is drawn, and how far its feet are below its middle; a bird on the
wing has none."""
