"""Cartoon portraits: faces, hair, expressions, glasses, freckles and beards."""

from __future__ import annotations

import random
from collections.abc import Sequence

from storybook.world.canvas import Canvas, Color, Gradient, Point
from storybook.world.colors import COLORS, WHITE, darker, lighter, mix, vary
from storybook.world.portrait_words import describe
from storybook.world.scene import Face, Group, Picker

SKINS: dict[str, Color] = {
    "light": (255, 220, 192),
    "tan": (236, 184, 144),
    "brown": (176, 116, 78),
    "dark": (118, 76, 54),
}
HAIRS: dict[str, Color] = {
    "black": (42, 36, 42),
    "brown": (112, 70, 42),
    "blond": (244, 206, 106),
    "red": (202, 84, 34),
    "gray": (164, 166, 172),
    "white": (238, 238, 240),
}
STYLES = {
    "woman": ("long", "short", "curly", "bun"),
    "girl": ("long", "curly", "pigtails", "bun"),
    "man": ("short", "curly", "bald"),
    "boy": ("short", "curly"),
}
IRISES = ((84, 128, 200), (96, 150, 92), (120, 78, 48), (70, 60, 60))
GROUNDS = (
    "yellow",
    "pink",
    "blue",
    "green",
    "purple",
    "orange",
    "teal",
    "gray",
    "white",
    "red",
)
SHIRTS = (
    "red",
    "green",
    "blue",
    "purple",
    "orange",
    "white",
    "black",
    "yellow",
    "teal",
)
INK: Color = (58, 40, 40)


def _choose(pick: Picker) -> None:
    person = pick("person", {"woman": 0.34, "man": 0.28, "girl": 0.2, "boy": 0.18})
    adult = person in ("woman", "man")
    age = pick("age", {"adult": 0.78, "old": 0.22} if adult else ("young",))
    grays = ("gray", "white")
    free = tuple(name for name in HAIRS if name not in grays)
    pick("hair", grays if age == "old" else free)
    pick("style", STYLES[person])
    pick("skin", {"light": 0.36, "tan": 0.26, "brown": 0.2, "dark": 0.18})
    pick("expression", {"smiling": 0.45, "sad": 0.25, "neutral": 0.3})
    pick("freckles", {"no": 0.68, "yes": 0.32})
    pick("glasses", {"no": 0.66, "yes": 0.34})
    pick("beard", {"no": 0.55, "yes": 0.45} if person == "man" else ("no",))
    pick("earring", {"no": 0.55, "yes": 0.45} if person == "woman" else ("no",))
    pick("ground", GROUNDS)
    pick("shirt", SHIRTS)


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    wall = lighter(vary(rng, COLORS[attributes["ground"]]), 0.25)
    canvas.fill(Gradient(lighter(wall, 0.2), darker(wall, 0.04)))
    skin = vary(rng, SKINS[attributes["skin"]], 6)
    hair = vary(rng, HAIRS[attributes["hair"]], 6)
    small = attributes["person"] in ("girl", "boy")
    x, y = 64 + rng.uniform(-4, 4), 62 + rng.uniform(-2, 2) + (3 if small else 0)
    size = rng.uniform(0.96, 1.06) * (0.95 if small else 1.0)
    person = attributes["person"]
    kind = ("person", person, *(("child",) if small else ()))
    with canvas.part(*kind), canvas.placed(x, y, scale=size):
        hair_behind(canvas, attributes["style"], hair)
        draw_body(canvas, skin, vary(rng, COLORS[attributes["shirt"]]))
        with canvas.part("face", "head"):
            draw_head(canvas, skin, earring=attributes["earring"] == "yes")
            draw_features(canvas, rng, attributes, skin, hair)
        hair_front(canvas, attributes["style"], hair)
        if attributes["glasses"] == "yes":
            draw_glasses(canvas, rng)
        return (face_of(canvas),)


def face_of(canvas: Canvas) -> Face:
    left, top = canvas.locate(-27, -30)
    right, bottom = canvas.locate(27, 31)
    points = ((-11.5, -2), (11.5, -2), (0, 8), (-8, 17), (8, 17))
    landmarks = tuple(canvas.locate(px, py) for px, py in points)
    return Face((left, top, right, bottom), landmarks)


def draw_body(canvas: Canvas, skin: Color, shirt: Color) -> None:
    with canvas.part("neck"):
        canvas.rectangle(-9, 18, 9, 42, darker(skin, 0.14))
    with canvas.part("shirt", "clothes"):
        canvas.blob(
            [
                (-52, 84),
                (-48, 54),
                (-34, 44),
                (-12, 38),
                (0, 42),
                (12, 38),
                (34, 44),
                (48, 54),
                (52, 84),
            ],
            Gradient(shirt, darker(shirt, 0.1)),
        )
    with canvas.part("neck"):
        canvas.ellipse(0, 38, 11, 6, darker(skin, 0.14))


def draw_head(canvas: Canvas, skin: Color, *, earring: bool) -> None:
    with canvas.part("ears"):
        for side in (-1, 1):
            canvas.ellipse(side * 27, 3, 5.5, 7.5, darker(skin, 0.06))
    if earring:
        with canvas.part("earring", "earrings", reach=1):
            for side in (-1, 1):
                canvas.circle(side * 28, 13.5, 3.4, (250, 206, 70))
                canvas.circle(side * 28 - 0.8, 12.7, 1.1, (255, 246, 200))
    canvas.blob(
        [
            (0, -31),
            (17, -27),
            (27, -10),
            (26, 8),
            (16, 25),
            (0, 32),
            (-16, 25),
            (-26, 8),
            (-27, -10),
            (-17, -27),
        ],
        Gradient(lighter(skin, 0.08), darker(skin, 0.03)),
    )


def draw_features(
    canvas: Canvas,
    rng: random.Random,
    attributes: dict[str, str],
    skin: Color,
    hair: Color,
) -> None:
    mood = attributes["expression"]
    blush = mix(skin, (236, 92, 92), 0.55)
    for side in (-1, 1):
        canvas.ellipse(side * 17, 10, 6, 4, blush, opacity=0.55)
    if attributes["beard"] == "yes":
        _beard(canvas, hair)
    if attributes["freckles"] == "yes":
        _freckles(canvas, rng, skin)
    if attributes["age"] == "old":
        wrinkle = darker(skin, 0.25)
        for y in (-19, -15):
            canvas.stroke([(-8, y), (0, y - 1), (8, y)], 0.9, wrinkle)
        for side in (-1, 1):
            canvas.stroke(
                [(side * 7, 3.5), (side * 11, 5), (side * 15, 3.5)], 0.8, wrinkle
            )
    iris = rng.choice(IRISES)
    _eyes(canvas, iris, lashes=attributes["person"] in ("woman", "girl"))
    lift = 2.0 if mood == "sad" else 0.0
    brow = darker(hair, 0.3)
    with canvas.part("eyebrows", reach=1.2):
        for side in (-1, 1):
            canvas.stroke(
                [
                    (side * 6.5, -11 - lift),
                    (side * 11.5, -12.5),
                    (side * 16.5, -10.5 + lift),
                ],
                1.9,
                brow,
            )
    with canvas.part("nose", reach=2.2):
        canvas.stroke([(-2.6, 8), (0, 9.6), (2.6, 8)], 1.6, darker(skin, 0.28))
    _mouth(canvas, mood, lips=attributes["person"] == "woman")


def _eyes(canvas: Canvas, iris: Color, *, lashes: bool) -> None:
    with canvas.part("eyes"):
        for side in (-1, 1):
            x = side * 11.5
            if lashes:
                canvas.stroke(
                    [(x - side * 5.5, -4.5), (x, -8), (x + side * 7, -6)], 1.7, INK
                )
            canvas.ellipse(x, -2, 5.4, 5.8, WHITE)
            canvas.circle(x, -1.6, 3.9, iris)
            canvas.circle(x, -1.6, 2.1, (22, 18, 24))
            canvas.circle(x + 1.4, -3.2, 1.2, WHITE)


def _mouth(canvas: Canvas, mood: str, *, lips: bool) -> None:
    red = (206, 64, 74) if lips else (168, 62, 62)
    with canvas.part("mouth", reach=1.2):
        if mood == "smiling":
            canvas.blob(
                [(-9, 15), (0, 16.5), (9, 15), (6, 21.5), (0, 23.5), (-6, 21.5)], red
            )
            canvas.blob([(-6.5, 16.4), (0, 17.4), (6.5, 16.4), (0, 19.2)], WHITE)
        elif mood == "sad":
            canvas.stroke([(-7, 21.5), (0, 17.5), (7, 21.5)], 2.4, red)
        else:
            canvas.stroke([(-6, 19), (6, 19)], 2.4, red, bend=False)


def _beard(canvas: Canvas, hair: Color) -> None:
    with canvas.part("beard"):
        canvas.blob(
            [
                (-26.5, 2),
                (-22, 8),
                (-14, 13),
                (0, 12),
                (14, 13),
                (22, 8),
                (26.5, 2),
                (26, 16),
                (16, 31),
                (0, 38),
                (-16, 31),
                (-26, 16),
            ],
            Gradient(hair, darker(hair, 0.1)),
        )


def _freckles(canvas: Canvas, rng: random.Random, skin: Color) -> None:
    color = mix(darker(skin, 0.3), (150, 70, 30), 0.4)
    with canvas.part("freckles", reach=1.8):
        for side in (-1, 1):
            for dx, dy in ((-4, 0), (0, -2), (4, 0), (-2, 3), (2, 3), (6, -3)):
                x = side * (15.5 + dx) + rng.uniform(-0.6, 0.6)
                canvas.circle(x, 9 + dy + rng.uniform(-0.6, 0.6), 1.0, color)


def draw_glasses(canvas: Canvas, rng: random.Random) -> None:
    frame = rng.choice(((40, 36, 44), (120, 64, 40), (150, 40, 48)))
    with canvas.part("glasses"):
        for side in (-1, 1):
            ring: list[Point] = [
                (side * 11.5 + 9 * u, -1.8 + 8.4 * v)
                for u, v in (
                    (1, 0),
                    (0.71, 0.71),
                    (0, 1),
                    (-0.71, 0.71),
                    (-1, 0),
                    (-0.71, -0.71),
                    (0, -1),
                    (0.71, -0.71),
                    (1, 0),
                )
            ]
            canvas.stroke(ring, 1.8, frame)
            canvas.also(ring, "glasses")
            canvas.stroke([(side * 20.5, -2), (side * 27, -4)], 1.8, frame, bend=False)
        canvas.stroke([(-2.5, -2), (0, -3), (2.5, -2)], 1.8, frame)


def hair_behind(canvas: Canvas, style: str, hair: Color) -> None:
    shade = Gradient(darker(hair, 0.06), darker(hair, 0.16))
    with canvas.part("hair"):
        if style == "long":
            canvas.blob(
                [
                    (0, -38),
                    (24, -32),
                    (34, -8),
                    (35, 24),
                    (37, 48),
                    (20, 50),
                    (-20, 50),
                    (-37, 48),
                    (-35, 24),
                    (-34, -8),
                    (-24, -32),
                ],
                shade,
            )
        elif style == "curly":
            for x, y in (
                (0, -30),
                (-16, -27),
                (16, -27),
                (-27, -16),
                (27, -16),
                (-32, 0),
                (32, 0),
                (-31, 15),
                (31, 15),
                (-26, 28),
                (26, 28),
            ):
                canvas.circle(x, y, 11, darker(hair, 0.1))
        elif style == "bun":
            canvas.circle(0, -42, 12, shade)
            canvas.ellipse(0, -10, 31, 29, shade)
        elif style == "pigtails":
            for side in (-1, 1):
                canvas.ellipse(side * 38, 14, 9, 20, shade, angle=-side * 14)
            canvas.ellipse(0, -8, 31, 29, shade)
        elif style == "short":
            canvas.ellipse(0, -10, 30.5, 27, shade)


def hair_front(canvas: Canvas, style: str, hair: Color) -> None:
    paint = Gradient(lighter(hair, 0.1), hair)
    with canvas.part("hair"):
        if style == "bald":
            return
        if style == "curly":
            for x, y in (
                (-20, -24),
                (-9, -29),
                (4, -30),
                (16, -27),
                (25, -19),
                (-27, -15),
            ):
                canvas.circle(x, y, 8.5, lighter(hair, 0.04))
            return
        drop = 6 if style == "short" else 12
        canvas.blob(
            [
                (-30, drop),
                (-31, -12),
                (-21, -32),
                (0, -39),
                (21, -32),
                (31, -12),
                (30, drop),
                (26, -6),
                (20, -16),
                (4, -21),
                (-8, -23),
                (-20, -15),
                (-26, -4),
            ],
            paint,
        )
        if style == "pigtails":
            for side in (-1, 1):
                canvas.circle(side * 32, -4, 4, (236, 84, 120))


PORTRAITS = Group(
    name="portraits",
    share=0.2,
    choose=_choose,
    draw=_draw,
    describe=describe,
    key=("person", "age", "hair", "style", "expression", "glasses", "ground"),
    media=(
        "portrait of",
        "a portrait of",
        "portrait photo of",
        "photo portrait of",
        "headshot of",
        "close up of",
        "portrait painting of",
    ),
    faces=True,
)
