"""How each further kind of animal is drawn, around the middle of its body."""

from __future__ import annotations

from collections.abc import Callable

from storybook.world.animals import draw_body
from storybook.world.canvas import Canvas, Color, Gradient, Point
from storybook.world.colors import WHITE, darker, lighter, mix
from storybook.world.large_animals import draw_elephant, draw_horse

INK: Color = (36, 28, 32)
ROSE: Color = (250, 164, 172)


def _eyes(canvas: Canvas, x: float, y: float, size: float) -> None:
    with canvas.part("eyes"):
        for side in (-1, 1):
            canvas.ellipse(side * x, y, size, size * 1.15, INK)
            canvas.circle(side * x + size * 0.35, y - size * 0.4, size * 0.36, WHITE)


def _cheeks(canvas: Canvas, x: float, y: float) -> None:
    for side in (-1, 1):
        canvas.ellipse(side * x, y, 5, 3.4, (246, 130, 130), opacity=0.45)


def _smile(canvas: Canvas, y: float, half: float, color: Color = INK) -> None:
    with canvas.part("mouth"):
        canvas.stroke([(0, y - 3), (0, y)], 1.5, color, bend=False)
        canvas.stroke(
            [
                (-half, y - 0.6),
                (-half / 2, y + 2),
                (0, y),
                (half / 2, y + 2),
                (half, y - 0.6),
            ],
            1.6,
            color,
        )


def _nose(canvas: Canvas, y: float, half: float, color: Color) -> None:
    with canvas.part("nose"):
        canvas.blob([(-half, y), (0, y - half * 0.5), (half, y), (0, y + half)], color)


def _paired(points: list[Point]) -> list[Point]:
    """Return an outline given by its right half, from top to bottom."""
    return [*points, *((-x, y) for x, y in reversed(points) if x)]


def _rabbit(canvas: Canvas, coat: Color) -> None:
    pale = lighter(coat, 0.55)
    with canvas.part("tail"):
        canvas.circle(25, 42, 8, pale)
    draw_body(canvas, coat, pale)
    with canvas.part("head", "face"):
        with canvas.part("ears"):
            for side in (-1, 1):
                canvas.ellipse(
                    side * 12, -54, 8.5, 18.5, darker(coat, 0.06), angle=side * 9
                )
                canvas.ellipse(side * 12, -53, 4.4, 13, ROSE, angle=side * 9)
        canvas.blob(
            _paired([(0, -42), (18, -38), (27, -21), (21, -5), (0, 0)]),
            Gradient(lighter(coat, 0.08), darker(coat, 0.04)),
        )
        _eyes(canvas, 12, -22, 4.8)
        _cheeks(canvas, 17, -12)
        for side in (-1, 1):
            canvas.ellipse(side * 5, -10, 6.6, 5.4, pale)
        _nose(canvas, -15, 3.4, (238, 120, 134))
        canvas.polygon([(-2.6, -8), (2.6, -8), (2.2, -2.5), (-2.2, -2.5)], WHITE)
        _smile(canvas, -8.5, 6)


def _fox(canvas: Canvas, coat: Color) -> None:
    white = (255, 248, 240)
    dark = darker(coat, 0.7) if coat[2] < 180 else darker(coat, 0.3)
    with canvas.part("tail"):
        canvas.blob(
            [(14, 46), (32, 50), (46, 36), (48, 14), (40, 2), (32, 18), (24, 32)],
            darker(coat, 0.08),
        )
        canvas.blob([(47, 20), (48, 10), (40, 0), (36, 12), (41, 17)], white)
    draw_body(canvas, coat, white)
    for side in (-1, 1):
        canvas.ellipse(side * 9.5, 51, 8, 5, dark)
    with canvas.part("head", "face"):
        with canvas.part("ears"):
            for side in (-1, 1):
                canvas.polygon(
                    [(side * 30, -66), (side * 29, -30), (side * 6, -44)], coat
                )
                canvas.polygon(
                    [(side * 30, -66), (side * 29.6, -52), (side * 20.4, -57)], dark
                )
                canvas.polygon(
                    [(side * 25, -54), (side * 25, -38), (side * 13, -45)], white
                )
        canvas.blob(
            _paired([(0, -48), (20, -44), (34, -22), (22, -8), (0, 2)]),
            Gradient(lighter(coat, 0.1), coat),
        )
        for side in (-1, 1):
            canvas.blob(
                [
                    (side * 33, -21),
                    (side * 21, -23),
                    (side * 8, -14),
                    (0, 1),
                    (side * 20, -8),
                ],
                white,
            )
        _eyes(canvas, 13, -27, 4)
        _nose(canvas, -9, 4, INK)
        _smile(canvas, -3.4, 5)


def _bear(canvas: Canvas, coat: Color) -> None:
    pale = mix(coat, (255, 236, 208), 0.55)
    draw_body(canvas, coat, pale)
    with canvas.part("arms"):
        for side in (-1, 1):
            canvas.stroke(
                [(side * 18, 4), (side * 25, 18), (side * 19, 30)],
                10,
                darker(coat, 0.08),
            )
    with canvas.part("head", "face"):
        with canvas.part("ears"):
            for side in (-1, 1):
                canvas.circle(side * 23, -45, 10.5, darker(coat, 0.06))
                canvas.circle(side * 23, -44, 6, pale)
        canvas.blob(
            _paired([(0, -52), (22, -46), (32, -26), (24, -6), (0, 1)]),
            Gradient(lighter(coat, 0.1), darker(coat, 0.04)),
        )
        _eyes(canvas, 12, -28, 4)
        canvas.ellipse(0, -12, 13, 10.5, pale)
        _cheeks(canvas, 22, -14)
        _nose(canvas, -17, 5, INK)
        _smile(canvas, -8, 6)


def _lion(canvas: Canvas, coat: Color) -> None:
    mane = (178, 98, 44)
    with canvas.part("tail"):
        canvas.stroke([(20, 44), (36, 42), (42, 26)], 4.6, darker(coat, 0.1))
        canvas.circle(42, 23, 6, mane)
    draw_body(canvas, coat, lighter(coat, 0.45))
    with canvas.part("head", "face"):
        with canvas.part("mane"):
            for dx, dy in (
                (0, -60),
                (17, -57),
                (31, -47),
                (38, -31),
                (36, -14),
                (26, 0),
                (10, 7),
            ):
                for side in (-1, 1):
                    canvas.circle(side * dx, dy, 12, mane)
            canvas.circle(0, -27, 36, lighter(mane, 0.08))
        with canvas.part("ears"):
            for side in (-1, 1):
                canvas.circle(side * 22, -48, 8, coat)
                canvas.circle(side * 22, -47.5, 4.6, ROSE)
        canvas.blob(
            _paired([(0, -52), (19, -46), (27, -26), (20, -7), (0, 0)]),
            Gradient(lighter(coat, 0.1), coat),
        )
        _eyes(canvas, 11, -29, 4)
        for side in (-1, 1):
            canvas.ellipse(side * 6, -11.5, 7.6, 6.4, lighter(coat, 0.5))
        _nose(canvas, -18.5, 5.4, (130, 72, 56))
        _smile(canvas, -9.5, 7)


def _frog(canvas: Canvas, coat: Color) -> None:
    pale, dark = mix(coat, (250, 250, 190), 0.6), darker(coat, 0.14)
    canvas.ellipse(0, 52, 42, 5, (40, 34, 40), opacity=0.25)
    with canvas.part("legs"):
        for side in (-1, 1):
            canvas.ellipse(side * 28, 34, 15, 19, dark, angle=side * 24)
            canvas.ellipse(side * 33, 51, 14, 4.6, coat)
    with canvas.part("body"):
        canvas.blob(
            _paired([(0, -8), (22, 0), (28, 28), (22, 48), (0, 53)]),
            Gradient(coat, darker(coat, 0.1)),
        )
        canvas.ellipse(0, 30, 17, 19, pale)
        for side in (-1, 1):
            canvas.stroke([(side * 15, 22), (side * 13, 48)], 7, coat, bend=False)
            canvas.ellipse(side * 14, 51, 9, 4, coat)
    with canvas.part("head", "face"):
        with canvas.part("eyes"):
            for side in (-1, 1):
                canvas.circle(side * 21, -40, 13, coat)
                canvas.circle(side * 21, -41, 9.4, WHITE)
                canvas.circle(side * 20, -40, 5.4, INK)
                canvas.circle(side * 20 + 1.8, -42.4, 1.9, WHITE)
        canvas.blob(
            _paired([(0, -38), (26, -34), (40, -16), (28, 2), (0, 7)]),
            Gradient(lighter(coat, 0.12), coat),
        )
        canvas.blob(_paired([(0, -4), (24, -8), (34, -13), (26, 1), (0, 6)]), pale)
        _cheeks(canvas, 29, -17)
        for side in (-1, 1):
            canvas.circle(side * 4, -21, 1.3, dark)
        with canvas.part("mouth"):
            canvas.stroke(
                [(-30, -14), (-16, -6), (0, -3.4), (16, -6), (30, -14)],
                2.2,
                darker(coat, 0.5),
            )


def _pig(canvas: Canvas, coat: Color) -> None:
    dark = darker(coat, 0.12)
    with canvas.part("tail"):
        canvas.stroke([(22, 40), (32, 36), (31, 29), (26, 33), (36, 38)], 3, dark)
    draw_body(canvas, coat, lighter(coat, 0.35))
    for side in (-1, 1):
        canvas.ellipse(side * 9.5, 52, 7, 3.6, (150, 84, 96))
    with canvas.part("head", "face"):
        canvas.blob(
            _paired([(0, -48), (22, -43), (31, -24), (23, -5), (0, 1)]),
            Gradient(lighter(coat, 0.14), coat),
        )
        with canvas.part("ears"):
            for side in (-1, 1):
                canvas.blob(
                    [
                        (side * 10, -46),
                        (side * 27, -54),
                        (side * 31, -34),
                        (side * 22, -34),
                    ],
                    dark,
                )
        _eyes(canvas, 14, -29, 3.8)
        _cheeks(canvas, 22, -14)
        with canvas.part("nose", "snout"):
            canvas.ellipse(0, -17, 12, 9, darker(coat, 0.1))
            canvas.ellipse(0, -17.6, 11, 8, lighter(coat, 0.12))
            for side in (-1, 1):
                canvas.ellipse(side * 4.2, -17, 2, 3, (176, 84, 100))
        with canvas.part("mouth"):
            canvas.stroke([(-6, -5), (0, -3), (6, -5)], 1.7, (150, 70, 84))


KINDS: dict[str, Callable[[Canvas, Color], None]] = {
    "rabbit": _rabbit,
    "fox": _fox,
    "bear": _bear,
    "lion": _lion,
    "frog": _frog,
    "pig": _pig,
    "horse": draw_horse,
    "elephant": draw_elephant,
}
