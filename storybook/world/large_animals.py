"""How a horse and an elephant are drawn, standing and looking right."""

from __future__ import annotations

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import WHITE, darker, lighter, mix

INK: Color = (36, 28, 32)
ROSE: Color = (250, 164, 172)


def draw_horse(canvas: Canvas, coat: Color) -> None:
    dark, mane = (
        darker(coat, 0.16),
        darker(coat, 0.5) if sum(coat) < 600 else (206, 190, 170),
    )
    hoof = (66, 52, 50)
    canvas.ellipse(0, 53, 42, 5, (40, 34, 40), opacity=0.25)
    with canvas.part("tail"):
        canvas.blob(
            [(-32, -4), (-44, 2), (-50, 22), (-46, 40), (-40, 24), (-32, 10)], mane
        )
    with canvas.part("legs"):
        for x, tone in ((-20, dark), (24, dark), (-28, coat), (16, coat)):
            canvas.stroke([(x, 12), (x + 1, 30), (x, 48)], 8, tone, bend=False)
            canvas.rectangle(x - 4.4, 45, x + 4.8, 53, hoof)
    with canvas.part("body"):
        canvas.blob(
            [
                (-38, 4),
                (-30, -9),
                (0, -7),
                (22, -10),
                (34, 2),
                (30, 18),
                (10, 24),
                (-12, 22),
                (-32, 20),
            ],
            Gradient(lighter(coat, 0.08), darker(coat, 0.08)),
        )
    with canvas.part("mane"):
        canvas.blob(
            [(12, -6), (14, -24), (22, -42), (32, -52), (32, -40), (26, -22), (24, -4)],
            mane,
        )
    canvas.blob(
        [(15, 6), (20, -16), (28, -40), (38, -44), (42, -28), (36, -8), (33, 12)], coat
    )
    _horse_head(canvas, coat, mane)


def _horse_head(canvas: Canvas, coat: Color, mane: Color) -> None:
    with canvas.part("head"):
        canvas.blob(
            [
                (26, -40),
                (34, -51),
                (44, -48),
                (60, -28),
                (61, -20),
                (53, -17),
                (42, -26),
                (32, -28),
            ],
            Gradient(lighter(coat, 0.1), coat),
        )
        canvas.ellipse(57, -21.5, 6.4, 5, mix(coat, (255, 226, 206), 0.45), angle=36)
        canvas.circle(58.6, -22.5, 1.2, INK)
        with canvas.part("mouth"):
            canvas.stroke(
                [(57, -17), (52, -18.4), (49.5, -20.6)], 1.3, darker(coat, 0.5)
            )
        with canvas.part("ears"):
            canvas.polygon([(31, -46), (30, -61), (39, -50)], darker(coat, 0.16))
        with canvas.part("eyes"):
            canvas.ellipse(43, -38, 3, 3.6, INK)
            canvas.circle(44, -39.6, 1.1, WHITE)
        with canvas.part("mane"):
            canvas.blob([(30, -52), (38, -53), (44, -45), (37, -44)], mane)


def draw_elephant(canvas: Canvas, coat: Color) -> None:
    dark, nail = darker(coat, 0.12), (240, 236, 230)
    canvas.ellipse(-4, 53, 46, 5, (40, 34, 40), opacity=0.25)
    with canvas.part("tail"):
        canvas.stroke([(-40, 2), (-50, 12), (-50, 24)], 3, dark)
    with canvas.part("legs"):
        for x, tone in ((-20, dark), (20, dark), (-30, coat), (10, coat)):
            canvas.rectangle(x - 8.5, 14, x + 8.5, 52, tone)
            for dx in (-5, 0, 5):
                canvas.ellipse(x + dx, 51, 2, 1.8, nail)
    with canvas.part("body"):
        canvas.blob(
            [
                (-43, 8),
                (-36, -18),
                (-8, -28),
                (20, -22),
                (30, 2),
                (26, 28),
                (0, 34),
                (-34, 30),
            ],
            Gradient(lighter(coat, 0.1), darker(coat, 0.06)),
        )
    _elephant_head(canvas, coat)


def _elephant_head(canvas: Canvas, coat: Color) -> None:
    dark = darker(coat, 0.12)
    with canvas.part("head"):
        with canvas.part("trunk"):
            canvas.stroke([(44, -12), (54, 6), (53, 24), (44, 32), (38, 26)], 11, coat)
            for fold, y in ((53.0, 6), (54.5, 14), (53.0, 22)):
                canvas.stroke([(fold - 4, y), (fold + 3, y)], 1.1, dark, bend=False)
        canvas.circle(34, -20, 25, Gradient(lighter(coat, 0.14), coat))
        with canvas.part("tusks"):
            canvas.stroke([(38, 0), (46, 8), (54, 6)], 4.4, (252, 246, 230))
        with canvas.part("ears"):
            canvas.blob(
                [
                    (22, -38),
                    (6, -46),
                    (-10, -32),
                    (-10, -8),
                    (4, 6),
                    (18, -2),
                    (24, -18),
                ],
                dark,
            )
            canvas.blob(
                [
                    (17, -32),
                    (5, -38),
                    (-5, -28),
                    (-5, -10),
                    (4, -1),
                    (14, -8),
                    (18, -18),
                ],
                mix(coat, ROSE, 0.5),
            )
        with canvas.part("eyes"):
            canvas.ellipse(41, -24, 3.2, 3.8, INK)
            canvas.circle(42.2, -25.6, 1.2, WHITE)
        canvas.ellipse(45, -13, 4.4, 3, (246, 130, 130), opacity=0.4)
