"""A sitting dog and a sitting cat, outdoors, indoors or on a plain ground."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from contextlib import AbstractContextManager

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import COLORS, WHITE, darker, lighter, mix, vary
from storybook.world.scene import Face, Group, Picker
from storybook.world.words import chance, with_article

INK: Color = (36, 28, 32)
COATS: dict[str, tuple[Color, Color]] = {
    "brown": ((140, 90, 56), (206, 164, 124)),
    "golden": ((230, 178, 96), (250, 222, 166)),
    "black": ((58, 52, 60), (136, 128, 132)),
    "white": ((246, 242, 236), (255, 255, 255)),
    "gray": ((142, 146, 154), (206, 208, 212)),
    "orange": ((244, 150, 62), (255, 216, 170)),
    "spotted": ((248, 244, 238), (255, 255, 255)),
}
DOG_COATS = ("brown", "golden", "black", "white", "gray", "spotted")
CAT_COATS = ("orange", "black", "gray", "white", "brown")
SETTINGS = {"grass": 0.38, "indoors": 0.27, "plain": 0.35}
GROUNDS = ("blue", "purple", "pink", "yellow", "teal", "green", "red", "gray", "white")
COLLARS = ("red", "blue", "green", "yellow", "none")


def _choose_dog(pick: Picker) -> None:
    pick("coat", DOG_COATS)
    pick("tongue", ("yes", "no"))
    _choose_rest(pick)


def _choose_cat(pick: Picker) -> None:
    pick("coat", CAT_COATS)
    pick("stripes", {"yes": 0.4, "no": 0.6})
    _choose_rest(pick)


def _choose_rest(pick: Picker) -> None:
    setting = pick("setting", SETTINGS)
    pick("ground", GROUNDS if setting == "plain" else ("none",))
    pick("collar", COLLARS)


def _draw_dog(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    draw_setting(canvas, rng, attributes)
    coat, pale = _coat(rng, attributes)
    dark = (96, 66, 48) if attributes["coat"] == "spotted" else darker(coat, 0.28)
    with pose(canvas, rng), canvas.part("dog", "animal"):
        with canvas.part("tail"):
            canvas.stroke([(20, 42), (34, 36), (38, 20)], 7, darker(coat, 0.12))
        draw_body(canvas, coat, pale)
        if attributes["coat"] == "spotted":
            canvas.ellipse(-13, 24, 6, 8, dark)
            canvas.ellipse(16, 36, 5, 6, dark)
        _collar(canvas, attributes["collar"])
        with canvas.part("head", "face"):
            canvas.blob(
                [
                    (0, -52),
                    (20, -46),
                    (27, -28),
                    (20, -10),
                    (0, -3),
                    (-20, -10),
                    (-27, -28),
                    (-20, -46),
                ],
                Gradient(lighter(coat, 0.08), darker(coat, 0.05)),
            )
            if attributes["coat"] == "spotted":
                canvas.ellipse(12, -32, 9, 11, dark)
            _dog_face(canvas, pale, tongue=attributes["tongue"] == "yes")
        with canvas.part("ears"):
            for side in (-1, 1):
                canvas.blob(
                    [
                        (side * 17, -49),
                        (side * 28, -46),
                        (side * 36, -24),
                        (side * 32, -8),
                        (side * 24, -12),
                        (side * 22, -34),
                    ],
                    Gradient(dark, darker(dark, 0.12)),
                )
    return ()


def _dog_face(canvas: Canvas, pale: Color, *, tongue: bool) -> None:
    _round_eyes(canvas, 10, -32)
    canvas.ellipse(0, -16, 14, 11, lighter(pale, 0.15))
    if tongue:
        with canvas.part("tongue"):
            canvas.blob(
                [(-5, -10), (0, -9.5), (5, -10), (4.5, -1), (0, 2), (-4.5, -1)],
                (240, 116, 134),
            )
    canvas.stroke([(-8, -13), (-4, -9.5), (0, -12.5), (4, -9.5), (8, -13)], 1.8, INK)
    with canvas.part("nose"):
        canvas.blob(
            [(-6, -23), (0, -24.5), (6, -23), (3, -17.5), (0, -16.5), (-3, -17.5)], INK
        )
    canvas.circle(-1.8, -21.8, 1.2, (150, 140, 146))


def _round_eyes(canvas: Canvas, apart: float, y: float) -> None:
    with canvas.part("eyes"):
        for side in (-1, 1):
            canvas.circle(side * apart, y, 5.6, WHITE)
            canvas.circle(side * apart, y + 0.4, 4.3, INK)
            canvas.circle(side * apart + 1.5, y - 1.4, 1.5, WHITE)


def _draw_cat(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    draw_setting(canvas, rng, attributes)
    coat, pale = _coat(rng, attributes)
    with pose(canvas, rng), canvas.part("cat", "animal"):
        with canvas.part("tail"):
            canvas.stroke(
                [(16, 47), (33, 44), (40, 28), (33, 12)], 7, darker(coat, 0.14)
            )
        draw_body(canvas, coat, pale)
        _collar(canvas, attributes["collar"])
        with canvas.part("head", "face"):
            with canvas.part("ears"):
                for side in (-1, 1):
                    canvas.polygon(
                        [(side * 25, -62), (side * 27, -28), (side * 5, -46)], coat
                    )
                    canvas.polygon(
                        [(side * 22, -54), (side * 23.5, -38), (side * 11, -46)],
                        (250, 164, 170),
                    )
            canvas.blob(
                [
                    (0, -49),
                    (19, -46),
                    (30, -26),
                    (22, -9),
                    (0, -3),
                    (-22, -9),
                    (-30, -26),
                    (-19, -46),
                ],
                Gradient(lighter(coat, 0.08), darker(coat, 0.05)),
            )
            if attributes["stripes"] == "yes":
                _stripes(canvas, darker(coat, 0.4))
            _cat_face(canvas, rng, pale, attributes["coat"])
    return ()


def _stripes(canvas: Canvas, color: Color) -> None:
    for x in (-7, 0, 7):
        canvas.stroke([(x, -46), (x * 0.8, -39)], 2.6, color, bend=False)
    for side in (-1, 1):
        for y in (28, 36, 44):
            canvas.stroke([(side * 22, y), (side * 13, y + 1)], 2.6, color, bend=False)


def _cat_face(canvas: Canvas, rng: random.Random, pale: Color, coat: str) -> None:
    iris = rng.choice(((150, 204, 74), (244, 200, 66), (110, 184, 226)))
    with canvas.part("eyes"):
        for side in (-1, 1):
            x = side * 12
            canvas.ellipse(x, -29, 6.6, 6.8, iris)
            canvas.ellipse(x, -29, 2.4, 5.6, INK)
            canvas.circle(x + 1.8, -31.5, 1.5, WHITE)
    for side in (-1, 1):
        canvas.ellipse(side * 5.5, -14, 7.5, 6.2, lighter(pale, 0.15))
    canvas.stroke([(-6, -11), (-3, -9), (0, -12), (3, -9), (6, -11)], 1.6, INK)
    with canvas.part("nose", reach=0.8):
        canvas.blob([(-4, -19.5), (0, -20.2), (4, -19.5), (0, -14.5)], (238, 120, 134))
    ink = (226, 222, 224) if coat == "black" else (96, 84, 88)
    with canvas.part("whiskers", reach=1.8):
        for side in (-1, 1):
            for y, tilt in ((-15, -3), (-12, 1.5)):
                canvas.stroke(
                    [(side * 14, y), (side * 34, y + tilt)], 0.9, ink, bend=False
                )


def _coat(rng: random.Random, attributes: dict[str, str]) -> tuple[Color, Color]:
    coat, pale = COATS[attributes["coat"]]
    return vary(rng, coat, 6), pale


def pose(canvas: Canvas, rng: random.Random) -> AbstractContextManager[None]:
    size = rng.uniform(0.86, 0.98)
    return canvas.placed(
        64 + rng.uniform(-7, 7),
        64 + rng.uniform(-1, 3),
        scale=size,
        flip=chance(rng, 0.5),
    )


def draw_body(canvas: Canvas, coat: Color, pale: Color) -> None:
    canvas.ellipse(0, 52, 32, 5, (40, 34, 40), opacity=0.25)
    with canvas.part("body"):
        canvas.blob(
            [
                (0, -10),
                (14, -4),
                (22, 24),
                (26, 42),
                (18, 53),
                (0, 54),
                (-18, 53),
                (-26, 42),
                (-22, 24),
                (-14, -4),
            ],
            Gradient(coat, darker(coat, 0.12)),
        )
        canvas.ellipse(0, 17, 9.5, 15, pale)
        for side in (-1, 1):
            canvas.stroke([(side * 8, 26), (side * 8, 48)], 9, mix(coat, pale, 0.15))
            canvas.ellipse(side * 9.5, 51, 8, 5, pale)


def _collar(canvas: Canvas, name: str) -> None:
    if name == "none":
        return
    with canvas.part("collar"):
        canvas.stroke([(-14, -3), (0, 2), (14, -3)], 4.6, COLORS[name])
        canvas.circle(0, 4.5, 3, (252, 208, 70))


def draw_setting(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> None:
    setting = attributes["setting"]
    if setting == "plain":
        wall = lighter(vary(rng, COLORS[attributes["ground"]]), 0.2)
        canvas.fill(Gradient(lighter(wall, 0.12), darker(wall, 0.05)))
    elif setting == "indoors":
        wall = rng.choice(((246, 226, 196), (226, 214, 236), (208, 228, 226)))
        canvas.fill(Gradient(lighter(wall, 0.2), wall))
        with canvas.part("floor"):
            wood = vary(rng, (176, 120, 78), 8)
            canvas.rectangle(0, 92, 128, 128, Gradient(wood, darker(wood, 0.15)))
            canvas.rectangle(0, 92, 128, 95, lighter(wood, 0.35))
    else:
        with canvas.part("sky"):
            canvas.fill(Gradient((116, 186, 240), (222, 240, 252)))
        turn = rng.uniform(0, 6)
        edge = [(x, 90 + 4 * math.sin(turn + x / 20)) for x in range(-4, 133, 4)]
        grass = vary(rng, (116, 186, 84), 8)
        with canvas.part("grass"):
            canvas.polygon(
                [*edge, (132, 132), (-4, 132)],
                Gradient(lighter(grass, 0.05), darker(grass, 0.12)),
            )


def _describe_dog(rng: random.Random, attributes: dict[str, str]) -> str:
    return _describe(rng, attributes, rng.choice(("dog", "dog", "dog", "puppy")))


def _describe_cat(rng: random.Random, attributes: dict[str, str]) -> str:
    return _describe(rng, attributes, rng.choice(("cat", "cat", "cat", "kitten")))


def _describe(rng: random.Random, attributes: dict[str, str], noun: str) -> str:
    words: list[str] = []
    if attributes.get("stripes") == "yes" and chance(rng, 0.5):
        words.append(rng.choice(("striped", "tabby")))
    if chance(rng, 0.6):
        coat = attributes["coat"]
        words.append("grey" if coat == "gray" and chance(rng, 0.5) else coat)
    if chance(rng, 0.1):
        words.append(rng.choice(("cute", "sitting", "little")))
    text = " ".join((*reversed(words), noun))
    text = text if chance(rng, 0.12) else with_article(text)
    if chance(rng, 0.15):
        text += rng.choice((" sitting", " looking at the camera", " waiting"))
    extras = []
    if attributes["collar"] != "none" and chance(rng, 0.25):
        extras.append(f"a {attributes['collar']} collar")
    if attributes.get("tongue") == "yes" and chance(rng, 0.2):
        extras.append("its tongue out")
    if extras:
        text += f" with {' and '.join(extras)}"
    return text + (place_words(rng, attributes) if chance(rng, 0.6) else "")


def place_words(rng: random.Random, attributes: dict[str, str]) -> str:
    ground = attributes["ground"]
    return rng.choice(
        {
            "grass": (
                " on grass",
                " on the grass",
                " in a meadow",
                " outdoors",
                " in the park",
                " in a green field",
                ", outside",
            ),
            "indoors": (
                " indoors",
                " in a room",
                " on a wooden floor",
                " at home",
                " in the house",
            ),
            "plain": (
                f" on a {ground} background",
                f", {ground} background",
                f" in front of a {ground} wall",
                f" on {ground}",
            ),
        }[attributes["setting"]]
    )


DOG = Group(
    name="dog",
    share=0.09,
    choose=_choose_dog,
    draw=_draw_dog,
    describe=_describe_dog,
    key=("coat", "setting", "ground", "collar", "tongue"),
    media=("photo of", "a photo of"),
)
CAT = Group(
    name="cat",
    share=0.09,
    choose=_choose_cat,
    draw=_draw_cat,
    describe=_describe_cat,
    key=("coat", "setting", "ground", "collar", "stripes"),
    media=("photo of", "a photo of"),
)
