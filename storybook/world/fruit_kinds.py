"""How each kind of fruit is drawn, in a frame where it reaches from about -1 to 1."""

from __future__ import annotations

from collections.abc import Callable

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import WHITE, darker, lighter

LEAF, STEM = (84, 160, 70), (104, 72, 44)


def _stem(canvas: Canvas, top: float, *, leaf: bool = True) -> None:
    with canvas.part("stem", "fruit stem", reach=1):
        canvas.stroke([(0, top + 0.22), (0.02, top), (0.1, top - 0.2)], 0.11, STEM)
    if leaf:
        with canvas.part("leaf"):
            canvas.blob(
                [
                    (0.1, top - 0.02),
                    (0.32, top - 0.24),
                    (0.62, top - 0.16),
                    (0.38, top + 0.02),
                ],
                LEAF,
            )


def _shine(canvas: Canvas, x: float, y: float, size: float = 0.16) -> None:
    canvas.ellipse(x, y, size, size * 1.5, WHITE, angle=25, opacity=0.5)


def _apple(canvas: Canvas, color: Color) -> None:
    paint = Gradient(lighter(color, 0.1), darker(color, 0.16))
    canvas.blob(
        [
            (0, -0.72),
            (0.5, -0.88),
            (0.96, -0.4),
            (0.86, 0.4),
            (0.42, 0.92),
            (0, 0.84),
            (-0.42, 0.92),
            (-0.86, 0.4),
            (-0.96, -0.4),
            (-0.5, -0.88),
        ],
        paint,
    )
    _shine(canvas, -0.52, -0.32)
    _stem(canvas, -0.86)


def _orange(canvas: Canvas, color: Color) -> None:
    canvas.circle(0, 0, 0.93, Gradient(lighter(color, 0.14), darker(color, 0.12)))
    _shine(canvas, -0.45, -0.38)
    with canvas.part("stem", "fruit stem", reach=1):
        canvas.circle(0.05, -0.74, 0.1, LEAF)


def _lemon(canvas: Canvas, color: Color) -> None:
    paint = Gradient(lighter(color, 0.2), darker(color, 0.14))
    canvas.blob(
        [
            (-1.12, 0.02),
            (-0.84, -0.3),
            (-0.4, -0.68),
            (0.4, -0.68),
            (0.84, -0.3),
            (1.12, 0.02),
            (0.84, 0.32),
            (0.4, 0.7),
            (-0.4, 0.7),
            (-0.84, 0.32),
        ],
        paint,
    )
    _shine(canvas, -0.45, -0.22, 0.13)


def _pear(canvas: Canvas, color: Color) -> None:
    paint = Gradient(lighter(color, 0.14), darker(color, 0.12))
    canvas.blob(
        [
            (0, -1.02),
            (0.34, -0.84),
            (0.46, -0.3),
            (0.84, 0.3),
            (0.66, 0.86),
            (0, 1.0),
            (-0.66, 0.86),
            (-0.84, 0.3),
            (-0.46, -0.3),
            (-0.34, -0.84),
        ],
        paint,
    )
    _shine(canvas, -0.42, 0.3)
    _stem(canvas, -1.02, leaf=False)


def _banana(canvas: Canvas, color: Color) -> None:
    paint = Gradient(lighter(color, 0.12), darker(color, 0.1))
    canvas.blob(
        [
            (-1.22, -0.48),
            (-0.9, 0.1),
            (-0.3, 0.42),
            (0.4, 0.4),
            (0.98, 0.04),
            (1.24, -0.5),
            (1.1, -0.56),
            (0.8, -0.22),
            (0.3, -0.02),
            (-0.3, -0.02),
            (-0.84, -0.28),
            (-1.08, -0.58),
        ],
        paint,
    )
    canvas.stroke(
        [(-0.95, -0.2), (-0.3, 0.2), (0.35, 0.2), (1.0, -0.18)],
        0.05,
        darker(color, 0.22),
    )
    with canvas.part("stem", "fruit stem", reach=1):
        canvas.circle(1.16, -0.54, 0.13, STEM)
    canvas.circle(-1.14, -0.54, 0.1, STEM)


def _strawberry(canvas: Canvas, color: Color) -> None:
    paint = Gradient(lighter(color, 0.06), darker(color, 0.12))
    canvas.blob(
        [
            (0, -0.7),
            (0.6, -0.74),
            (0.88, -0.2),
            (0.52, 0.5),
            (0, 1.0),
            (-0.52, 0.5),
            (-0.88, -0.2),
            (-0.6, -0.74),
        ],
        paint,
    )
    for x, y in (
        (-0.45, -0.2),
        (0.02, -0.25),
        (0.47, -0.2),
        (-0.24, 0.16),
        (0.24, 0.16),
        (0, 0.54),
    ):
        canvas.ellipse(x, y, 0.07, 0.11, (255, 224, 140))
    with canvas.part("leaf", "stem", "fruit stem"):
        for x in (-0.48, 0.48, 0.0):
            canvas.blob(
                [(0, -0.92), (x - 0.16, -0.64), (x * 1.3, -0.42), (x + 0.16, -0.64)],
                LEAF,
            )


def _grapes(canvas: Canvas, color: Color) -> None:
    _stem(canvas, -0.86)
    rows = (
        (-0.56, (-0.6, -0.2, 0.2, 0.6)),
        (-0.2, (-0.42, 0.0, 0.42)),
        (0.16, (-0.24, 0.24)),
        (0.52, (-0.02,)),
        (-0.02, (-0.66, 0.66)),
    )
    for y, xs in rows:
        for x in xs:
            paint = Gradient(lighter(color, 0.3), darker(color, 0.15), radial=True)
            canvas.circle(x, y, 0.3, paint)


def _cherries(canvas: Canvas, color: Color) -> None:
    with canvas.part("stem", "fruit stem", reach=1):
        canvas.stroke([(-0.5, 0.3), (-0.2, -0.4), (0.25, -0.95)], 0.08, (96, 130, 60))
        canvas.stroke([(0.55, 0.4), (0.5, -0.3), (0.25, -0.95)], 0.08, (96, 130, 60))
    with canvas.part("leaf"):
        canvas.blob([(0.25, -0.95), (-0.1, -1.15), (-0.5, -0.95), (-0.15, -0.8)], LEAF)
    for x, y in ((-0.5, 0.44), (0.54, 0.52)):
        canvas.circle(x, y, 0.47, Gradient(lighter(color, 0.12), darker(color, 0.2)))
        _shine(canvas, x - 0.16, y - 0.16, 0.09)


Drawing = Callable[[Canvas, Color], None]
KINDS: dict[str, tuple[Drawing, Color]] = {
    "apple": (_apple, (218, 44, 46)),
    "green apple": (_apple, (128, 190, 62)),
    "orange": (_orange, (250, 146, 30)),
    "banana": (_banana, (252, 214, 62)),
    "strawberry": (_strawberry, (228, 42, 58)),
    "pear": (_pear, (186, 204, 72)),
    "grapes": (_grapes, (120, 62, 160)),
    "lemon": (_lemon, (254, 228, 74)),
    "cherry": (_cherries, (190, 24, 50)),
}
