"""Hats and helmets, in the frame of a portrait's head."""

from __future__ import annotations

from collections.abc import Callable

from storybook.world.canvas import Canvas, Color, Gradient, Point
from storybook.world.colors import WHITE, darker, lighter

GOLD: Color = (252, 206, 66)


def _dome(top: float, base: float, half: float = 31.5) -> list[Point]:
    """Return the outline of a cap that sits on the hair."""
    return [
        (-half, base),
        (-half * 0.96, base - 0.45 * (base - top)),
        (-half * 0.55, top + 0.08 * (base - top)),
        (0, top),
        (half * 0.55, top + 0.08 * (base - top)),
        (half * 0.96, base - 0.45 * (base - top)),
        (half, base),
        (0, base - 3),
    ]


def _cap(canvas: Canvas, color: Color) -> None:
    canvas.blob(_dome(-47, -13), Gradient(lighter(color, 0.12), color))
    canvas.circle(0, -47, 2.6, darker(color, 0.2))
    canvas.circle(0, -31, 7, lighter(color, 0.75))
    canvas.blob(
        [(-24, -17), (0, -22), (24, -17), (29, -9), (0, -14), (-29, -9)],
        darker(color, 0.22),
    )


def _beanie(canvas: Canvas, color: Color) -> None:
    canvas.circle(0, -51, 8.5, lighter(color, 0.6))
    canvas.blob(_dome(-48, -16), Gradient(lighter(color, 0.12), color))
    band = darker(color, 0.2)
    canvas.stroke([(-28, -17), (0, -23), (28, -17)], 10, band)
    for x in (-21, -14, -7, 0, 7, 14, 21):
        y = -23 + 6 * (x / 28) ** 2
        canvas.stroke([(x, y - 4), (x, y + 4)], 1.2, lighter(band, 0.18), bend=False)


def _top_hat(canvas: Canvas, color: Color) -> None:
    canvas.polygon(
        [(-26, -68), (26, -68), (22, -22), (-22, -22)],
        Gradient(lighter(color, 0.1), color),
    )
    canvas.ellipse(0, -68, 26, 4, lighter(color, 0.2))
    ribbon = lighter(color, 0.65) if sum(color) < 330 else darker(color, 0.55)
    canvas.polygon([(-23, -34), (23, -34), (22, -26), (-22, -26)], ribbon)
    canvas.blob(
        [(-42, -24), (-22, -28), (22, -28), (42, -24), (22, -17), (-22, -17)],
        darker(color, 0.14),
    )


def _sun_hat(canvas: Canvas, color: Color) -> None:
    canvas.blob(
        [
            (-54, -16),
            (-30, -26),
            (0, -29),
            (30, -26),
            (54, -16),
            (28, -13),
            (0, -17),
            (-28, -13),
        ],
        color,
    )
    canvas.blob(_dome(-51, -21, 28), Gradient(lighter(color, 0.16), color))
    canvas.stroke([(-26, -25), (0, -29), (26, -25)], 6, lighter(color, 0.7))
    for x, y in ((19, -33), (25, -31), (17, -27), (23, -25), (27, -26)):
        canvas.circle(x, y, 3.4, (250, 246, 240))
    canvas.circle(22, -28.5, 2.8, GOLD)


def _cowboy_hat(canvas: Canvas, color: Color) -> None:
    canvas.blob(
        [(-26, -22), (-23, -50), (-12, -59), (0, -53), (12, -59), (23, -50), (26, -22)],
        Gradient(lighter(color, 0.12), color),
    )
    canvas.stroke([(-25, -28), (0, -24), (25, -28)], 5, darker(color, 0.4))
    canvas.blob(
        [
            (-56, -36),
            (-46, -27),
            (-24, -23),
            (0, -20),
            (24, -23),
            (46, -27),
            (56, -36),
            (47, -19),
            (24, -14),
            (0, -14),
            (-24, -14),
            (-47, -19),
        ],
        darker(color, 0.1),
    )


def _crown(canvas: Canvas, _color: Color) -> None:
    canvas.polygon(
        [
            (-26, -18),
            (-31, -50),
            (-16, -36),
            (0, -56),
            (16, -36),
            (31, -50),
            (26, -18),
            (0, -22),
        ],
        Gradient((255, 226, 110), (244, 184, 48)),
    )
    for x, y in ((-31, -51), (0, -57), (31, -51)):
        canvas.circle(x, y, 3.6, (255, 236, 150))
    for x, y, tone in (
        (-16, -26, (226, 56, 70)),
        (0, -30, (64, 128, 220)),
        (16, -26, (226, 56, 70)),
    ):
        canvas.circle(x, y, 3.6, tone)


def _party_hat(canvas: Canvas, color: Color) -> None:
    canvas.polygon([(-20, -27), (0, -74), (20, -27), (0, -23)], color)
    for x, y in ((-8, -34), (7, -37), (-3, -47), (4, -55), (0, -29)):
        canvas.circle(x, y, 2.7, lighter(color, 0.75))
    for x, y in ((0, -74), (-4, -72), (4, -72), (0, -69)):
        canvas.circle(x, y, 3.6, lighter(color, 0.6))


def _wizard_hat(canvas: Canvas, color: Color) -> None:
    canvas.blob(
        [
            (-27, -20),
            (-18, -44),
            (-4, -68),
            (12, -82),
            (10, -66),
            (17, -44),
            (27, -20),
            (0, -17),
        ],
        Gradient(lighter(color, 0.12), color),
    )
    canvas.blob(
        [
            (-46, -17),
            (-24, -25),
            (0, -27),
            (24, -25),
            (46, -17),
            (22, -14),
            (0, -16),
            (-22, -14),
        ],
        darker(color, 0.18),
    )
    for x, y, size in ((-8, -36, 5.5), (8, -46, 4.2), (-1, -58, 3.4), (15, -32, 3)):
        with canvas.placed(x, y, scale=size):
            canvas.polygon(SPARK, GOLD)


SPARK = [
    (0, -1),
    (0.25, -0.25),
    (1, 0),
    (0.25, 0.25),
    (0, 1),
    (-0.25, 0.25),
    (-1, 0),
    (-0.25, -0.25),
]


def _fire_helmet(canvas: Canvas, color: Color) -> None:
    canvas.blob(_dome(-50, -17), Gradient(lighter(color, 0.14), color))
    for dx in (-15, 0, 15):
        canvas.stroke(
            [(dx * 0.4, -49), (dx * 0.9, -36), (dx * 1.15, -22)],
            2.4,
            darker(color, 0.2),
        )
    canvas.blob(
        [
            (-44, -12),
            (-28, -22),
            (0, -25),
            (28, -22),
            (44, -12),
            (26, -14),
            (0, -17),
            (-26, -14),
        ],
        darker(color, 0.16),
    )
    canvas.blob([(-9, -42), (0, -46), (9, -42), (8, -28), (0, -23), (-8, -28)], GOLD)
    canvas.blob(
        [(-4, -30), (-2, -38), (1, -41), (4, -34), (3, -28), (-2, -27)], (222, 64, 48)
    )


def _toque(canvas: Canvas, _color: Color) -> None:
    white, shade = (252, 252, 250), (226, 230, 236)
    for x, y, r in ((-20, -52, 14), (20, -52, 14), (-9, -62, 14), (9, -62, 14)):
        canvas.circle(x, y, r, shade)
        canvas.circle(x, y - 1.5, r - 1.5, white)
    canvas.polygon([(-26, -50), (26, -50), (25, -20), (-25, -20)], white)
    canvas.polygon(
        [(-26, -32), (0, -35), (26, -32), (25.5, -19), (0, -23), (-25.5, -19)], shade
    )


def _bowler(canvas: Canvas, color: Color) -> None:
    dark = darker(color, 0.6)
    with canvas.placed(5, -33, angle=12):
        canvas.blob([(-13, 2), (-12, -12), (0, -19), (12, -12), (13, 2)], dark)
        canvas.stroke([(-13, -2), (13, -2)], 4, lighter(color, 0.4), bend=False)
        canvas.stroke([(-20, 2), (20, 2)], 4, dark, bend=False)
    with canvas.part("flower"):
        for x, y in ((14, -40), (18, -44), (22, -40), (18, -36)):
            canvas.circle(x, y, 3, WHITE)
        canvas.circle(18, -40, 2.4, GOLD)


def _mirror(canvas: Canvas, _color: Color) -> None:
    canvas.stroke([(-29, -19), (0, -27), (29, -19)], 4, (72, 78, 92))
    canvas.circle(0, -29, 8, (186, 194, 206))
    canvas.circle(0, -29, 6, (232, 238, 244))
    canvas.circle(0, -29, 1.6, (110, 118, 130))


HATS: dict[str, Callable[[Canvas, Color], None]] = {
    "cap": _cap,
    "beanie": _beanie,
    "top hat": _top_hat,
    "sun hat": _sun_hat,
    "cowboy hat": _cowboy_hat,
    "crown": _crown,
    "party hat": _party_hat,
}
HEADGEAR: dict[str, tuple[tuple[str, ...], Callable[[Canvas, Color], None]]] = {
    **{name: (("hat", name), draw) for name, draw in HATS.items()},
    "crown": (("crown",), _crown),
    "wizard": (("hat",), _wizard_hat),
    "firefighter": (("helmet",), _fire_helmet),
    "chef": (("hat",), _toque),
    "clown": (("hat",), _bowler),
    "doctor": (("head mirror",), _mirror),
}
"""By kind of hat or by role: the names of the part, and how it is drawn."""


def draw_hat(canvas: Canvas, kind: str, color: Color) -> None:
    """Put a hat on a head, if there is one of the kind."""
    if kind not in HEADGEAR:
        return
    names, draw = HEADGEAR[kind]
    with canvas.part(*dict.fromkeys(names)):
        draw(canvas, color)
