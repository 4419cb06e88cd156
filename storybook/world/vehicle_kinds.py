"""How each kind of vehicle is drawn, facing right, above where it stands."""

from __future__ import annotations

from collections.abc import Callable

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import WHITE, darker, lighter, mix
from storybook.world.sky import Light, softly

TIRE, CHROME = (44, 42, 50), (204, 208, 216)
LAMP: Color = (255, 240, 170)


def _wheel(canvas: Canvas, light: Light, x: float, y: float, radius: float) -> None:
    with canvas.part("wheels", "wheel"):
        canvas.circle(x, y, radius, softly(light, TIRE))
        canvas.circle(x, y, radius * 0.52, softly(light, CHROME))
        canvas.circle(x, y, radius * 0.18, softly(light, TIRE))


def _glass(light: Light) -> Color:
    return light.window if light.strength > 0.5 else softly(light, (196, 228, 244))


def _beam(canvas: Canvas, light: Light, x: float, y: float) -> None:
    if light.strength > 0.5:
        canvas.polygon(
            [(x, y - 2), (x + 44, y - 9), (x + 44, y + 13), (x, y + 3)],
            LAMP,
            opacity=0.22,
        )


def _car(canvas: Canvas, light: Light, coat: Color) -> None:
    canvas.ellipse(0, 2, 46, 4, (30, 30, 40), opacity=0.3)
    _beam(canvas, light, 42, -16)
    canvas.blob(
        [(-32, -20), (-22, -41), (-6, -45), (8, -44), (18, -38), (29, -20)],
        Gradient(lighter(coat, 0.14), coat),
    )
    with canvas.part("windows", "window"):
        glass = _glass(light)
        canvas.polygon([(-25, -23), (-18, -38), (-4, -40), (-4, -23)], glass)
        canvas.polygon([(0, -23), (0, -40), (9, -39), (15, -35), (22, -23)], glass)
    canvas.blob(
        [
            (-44, -16),
            (-40, -23),
            (-20, -24),
            (20, -24),
            (38, -21),
            (45, -14),
            (44, -6),
            (0, -5),
            (-43, -6),
        ],
        Gradient(lighter(coat, 0.06), darker(coat, 0.16)),
    )
    with canvas.part("door"):
        line = darker(coat, 0.28)
        canvas.stroke([(-2, -23), (-2, -8)], 1, line, bend=False)
        canvas.stroke([(3, -18), (8, -18)], 1.6, line, bend=False)
    canvas.ellipse(41.5, -16, 3, 3.6, LAMP)
    canvas.ellipse(-42.5, -16, 2, 3.2, softly(light, (214, 60, 60)))
    canvas.stroke([(-42, -7.5), (43, -7.5)], 2.2, softly(light, CHROME), bend=False)
    for x in (-24, 25):
        canvas.circle(x, -7, 11.5, darker(coat, 0.5))
        _wheel(canvas, light, x, -6.5, 9.6)


def _bus(canvas: Canvas, light: Light, coat: Color) -> None:
    canvas.ellipse(0, 2, 54, 4, (30, 30, 40), opacity=0.3)
    _beam(canvas, light, 50, -16)
    canvas.blob(
        [
            (-52, -10),
            (-52, -30),
            (-51, -48),
            (-46, -53),
            (0, -54),
            (46, -53),
            (52, -46),
            (53, -30),
            (53, -10),
            (50, -6),
            (0, -5),
            (-50, -6),
        ],
        Gradient(lighter(coat, 0.12), darker(coat, 0.06)),
    )
    with canvas.part("windows", "window"):
        for x in (-46, -30, -14, 2):
            canvas.rectangle(x, -46, x + 13, -31, _glass(light))
    with canvas.part("door"):
        canvas.rectangle(20, -46, 32, -8, darker(coat, 0.25))
        canvas.rectangle(22, -44, 30, -26, _glass(light))
    with canvas.part("windows", "window"):
        canvas.polygon([(37, -46), (48, -46), (51, -28), (37, -28)], _glass(light))
    canvas.rectangle(-51, -24, 19, -20.5, lighter(coat, 0.6))
    canvas.ellipse(50.5, -15, 2.6, 3.4, LAMP)
    for x in (-30, 33):
        canvas.circle(x, -7, 11, darker(coat, 0.5))
        _wheel(canvas, light, x, -6, 9.4)


def _train(canvas: Canvas, light: Light, coat: Color) -> None:
    iron, gold = softly(light, (62, 62, 74)), softly(light, (246, 202, 84))
    with canvas.part("smoke"):
        puff = softly(light, (238, 240, 244))
        for x, y, r in ((33, -58, 5), (26, -67, 7), (14, -75, 9), (-2, -81, 10)):
            canvas.circle(x, y, r, puff)
    canvas.rectangle(-62, -10, 50, -5, iron)
    with canvas.part("wagon"):
        canvas.rectangle(-64, -34, -36, -9, darker(coat, 0.18))
        canvas.rectangle(-66, -37, -34, -33, iron)
        with canvas.part("windows", "window"):
            canvas.rectangle(-60, -29, -52, -20, _glass(light))
            canvas.rectangle(-48, -29, -40, -20, _glass(light))
    canvas.rectangle(-8, -32, 42, -10, Gradient(lighter(coat, 0.16), darker(coat, 0.1)))
    canvas.ellipse(42, -21, 5, 11, darker(coat, 0.2))
    for x in (4, 20):
        canvas.rectangle(x, -32, x + 3, -10, gold)
    with canvas.part("cab"):
        canvas.rectangle(-32, -50, -7, -10, Gradient(lighter(coat, 0.1), coat))
        canvas.rectangle(-36, -54, -3, -49, iron)
        with canvas.part("windows", "window"):
            canvas.rectangle(-27, -45, -13, -32, _glass(light))
    with canvas.part("chimney"):
        canvas.polygon([(30, -32), (38, -32), (41, -50), (27, -50)], iron)
        canvas.rectangle(25, -54, 43, -49.5, gold)
    canvas.ellipse(12, -33, 5, 5, gold)
    canvas.ellipse(47, -25, 2.6, 3.6, LAMP)
    canvas.polygon([(44, -10), (58, 0), (42, 0)], darker(coat, 0.35))
    for x, size in ((-56, 5.5), (-42, 5.5), (-21, 9.0), (2, 7.0), (19, 7.0), (36, 7.0)):
        _wheel(canvas, light, x, 1 - size, size)
    canvas.stroke(
        [(-21, -8), (2, -6), (19, -6)], 2.2, softly(light, CHROME), bend=False
    )


def _boat(canvas: Canvas, light: Light, coat: Color) -> None:
    wood, cloth = softly(light, (150, 98, 62)), softly(light, (252, 246, 232))
    with canvas.part("flag"):
        canvas.polygon([(1, -91), (-15, -87), (1, -82)], coat)
    with canvas.part("mast"):
        canvas.stroke([(2, -14), (2, -90)], 2.6, darker(wood, 0.3), bend=False)
    with canvas.part("sail", "sails"):
        canvas.blob(
            [(6, -80), (26, -62), (38, -26), (20, -24), (6, -25), (12, -52)], cloth
        )
        canvas.blob(
            [(-1, -74), (-14, -54), (-34, -28), (-16, -25), (-2, -26), (2, -50)],
            darker(cloth, 0.08),
        )
        canvas.polygon([(15, -57), (30, -52), (34, -42), (15, -45)], coat)
    with canvas.part("hull"):
        canvas.blob(
            [
                (-46, -24),
                (-30, -18),
                (0, -17),
                (30, -18),
                (52, -27),
                (44, -8),
                (30, 6),
                (-28, 6),
                (-40, -8),
            ],
            Gradient(lighter(coat, 0.08), darker(coat, 0.16)),
        )
        canvas.stroke(
            [(-44, -21), (-20, -15), (20, -15), (49, -24)], 3, lighter(coat, 0.6)
        )
        for x in (-22, -4, 14):
            canvas.circle(x, -6, 3.4, softly(light, (246, 226, 160)))
            canvas.circle(x, -6, 2.2, _glass(light))


def _rocket(canvas: Canvas, light: Light, coat: Color) -> None:
    white = softly(light, (244, 246, 250))
    with canvas.placed(0, 0, angle=12):
        with canvas.part("flames", "fire"):
            canvas.blob(
                [(-11, 32), (0, 30), (11, 32), (7, 48), (0, 62), (-7, 48)],
                (250, 150, 50),
            )
            canvas.blob(
                [(-6, 32), (6, 32), (3, 44), (0, 52), (-3, 44)], (255, 226, 110)
            )
        with canvas.part("fins"):
            for side in (-1, 1):
                canvas.blob(
                    [(side * 14, 6), (side * 30, 26), (side * 29, 38), (side * 13, 30)],
                    darker(coat, 0.16),
                )
        canvas.blob(
            [
                (0, -56),
                (11, -42),
                (18, -18),
                (18, 10),
                (13, 32),
                (-13, 32),
                (-18, 10),
                (-18, -18),
                (-11, -42),
            ],
            Gradient(lighter(coat, 0.06), darker(coat, 0.05)),
        )
        canvas.blob(
            [(0, -56), (8, -46), (13.5, -34), (0, -31), (-13.5, -34), (-8, -46)], white
        )
        canvas.rectangle(-13.8, 24, 13.8, 29, white)
        with canvas.part("windows", "window"):
            for y, r in ((-14, 8.5), (8, 5.5)):
                canvas.circle(0, y, r, white)
                canvas.circle(0, y, r - 2.2, (120, 190, 236))
                canvas.ellipse(-r * 0.2, y - r * 0.25, r * 0.2, r * 0.3, WHITE)
        canvas.rectangle(-9, 31, 9, 36, softly(light, TIRE))


def _airplane(canvas: Canvas, light: Light, coat: Color) -> None:
    white = softly(light, (246, 248, 252))
    with canvas.placed(0, 0, angle=-8):
        with canvas.part("wing", "wings"):
            canvas.polygon(
                [(4, -8), (-12, -30), (-20, -30), (-12, -8)], darker(coat, 0.3)
            )
        with canvas.part("tail"):
            canvas.polygon([(-36, -6), (-50, -32), (-58, -32), (-54, -4)], coat)
            canvas.polygon(
                [(-42, 0), (-60, -10), (-66, -10), (-54, 3)], darker(coat, 0.2)
            )
        canvas.blob(
            [
                (54, 1),
                (44, -9),
                (20, -13),
                (-24, -12),
                (-56, -4),
                (-56, 0),
                (-20, 12),
                (26, 13),
                (46, 10),
            ],
            Gradient(white, darker(white, 0.12)),
        )
        canvas.blob(
            [(53, 3), (30, 2), (-22, 2), (-52, -1), (-20, 12), (26, 13), (46, 10)], coat
        )
        with canvas.part("windows", "window"):
            for x in range(-26, 30, 8):
                canvas.circle(x, -4.5, 2.3, _glass(light))
            canvas.polygon([(38, -9), (47, -5), (46, -1), (37, -2)], _glass(light))
        with canvas.part("wing", "wings"):
            canvas.polygon(
                [(12, 4), (-26, 34), (-36, 34), (-14, 4)],
                Gradient(darker(coat, 0.1), darker(coat, 0.28)),
            )
        canvas.ellipse(-14, 22, 8, 4.4, mix(white, coat, 0.2), angle=8)


def _balloon(canvas: Canvas, light: Light, coat: Color) -> None:
    pale, wood = lighter(coat, 0.62), softly(light, (156, 106, 66))
    with canvas.part("ropes"):
        for side in (-1, 1):
            canvas.stroke([(side * 12, 28), (side * 7, 44)], 1, darker(wood, 0.2))
    canvas.blob(
        [
            (0, -48),
            (24, -42),
            (36, -18),
            (31, 4),
            (14, 24),
            (8, 31),
            (-8, 31),
            (-14, 24),
            (-31, 4),
            (-36, -18),
            (-24, -42),
        ],
        Gradient(lighter(coat, 0.1), darker(coat, 0.06)),
    )
    for side in (-1, 1):
        canvas.blob(
            [
                (0, -47.5),
                (side * 15, -38),
                (side * 22, -17),
                (side * 18, 6),
                (side * 6, 30),
                (side * 3, 30),
                (side * 9, 4),
                (side * 10, -18),
            ],
            pale,
        )
    canvas.stroke([(-8, 31), (8, 31)], 2.6, darker(coat, 0.3), bend=False)
    if light.strength > 0.5:
        canvas.circle(0, 34, 3, (255, 206, 96))
    with canvas.part("basket"):
        canvas.blob([(-9, 43), (9, 43), (8, 55), (0, 57), (-8, 55)], wood)
        canvas.stroke([(-9, 44), (9, 44)], 2.4, darker(wood, 0.3), bend=False)
        canvas.stroke([(-8, 50), (8, 50)], 0.9, darker(wood, 0.25), bend=False)


KINDS: dict[str, Callable[[Canvas, Light, Color], None]] = {
    "car": _car,
    "bus": _bus,
    "train": _train,
    "boat": _boat,
    "rocket": _rocket,
    "airplane": _airplane,
    "balloon": _balloon,
}
