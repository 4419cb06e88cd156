"""Characters: robots, clowns, doctors, wizards and others, and people with hats."""

from __future__ import annotations

import random
from collections.abc import Sequence

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.character_words import LEXICON, describe
from storybook.world.colors import COLORS, WHITE, darker, lighter, mix, vary
from storybook.world.hats import HATS, draw_hat
from storybook.world.portraits import (
    GROUNDS,
    HAIRS,
    SKINS,
    draw_body,
    draw_features,
    draw_glasses,
    draw_head,
    face_of,
    hair_behind,
    hair_front,
)
from storybook.world.robot import EYES, METALS, draw_robot
from storybook.world.scene import Face, Group, Picker
from storybook.world.sky import draw_stars

ROLES = {
    "person": 0.26,
    "robot": 0.17,
    "clown": 0.11,
    "doctor": 0.1,
    "firefighter": 0.1,
    "astronaut": 0.1,
    "wizard": 0.09,
    "chef": 0.07,
}
PEOPLE = {
    "person": ("woman", "man", "girl", "boy"),
    "robot": ("none",),
    "wizard": ("man",),
}
COLORED = {
    "person": ("red", "blue", "green", "yellow", "purple", "black", "brown", "pink"),
    "robot": METALS,
    "clown": ("red", "orange", "green", "blue", "purple", "pink", "yellow"),
    "doctor": ("blue", "green", "teal", "pink", "yellow", "red"),
    "firefighter": ("red", "yellow", "black", "white"),
    "astronaut": ("white", "orange", "blue", "red"),
    "wizard": ("purple", "blue", "green", "red", "black"),
    "chef": ("red", "blue", "green", "orange"),
}
"""Colours of hats, metal, a clown's hair, a doctor's shirt, helmets, suits, robes and
a cook's neckerchief."""
BEARDED = ("person", "doctor", "firefighter", "chef")
STYLES = {
    "woman": ("long", "long", "short"),
    "girl": ("pigtails", "long"),
    "man": ("short",),
    "boy": ("short",),
}
PAINTED: Color = (252, 244, 238)
"""A clown's face."""
CURLS = ((30, -12), (38, 0), (40, 13), (31, 7), (29, 20), (24, -22))


def _choose(pick: Picker) -> None:
    role = pick("role", ROLES)
    person = pick("person", PEOPLE.get(role, ("woman", "man")))
    hat = pick("hat", tuple(HATS) if role == "person" else ("none",))
    pick("color", ("yellow",) if hat == "crown" else COLORED[role])
    pick("expression", {"smiling": 0.55, "sad": 0.2, "neutral": 0.25})
    robot = role == "robot"
    pick("eyes", EYES if robot else ("none",))
    pick(
        "glasses", ("no",) if robot or role == "astronaut" else {"no": 0.7, "yes": 0.3}
    )
    grown = role in BEARDED and person == "man"
    pick("beard", {"no": 0.7, "yes": 0.3} if grown else ("no",))
    free = tuple(name for name in HAIRS if name not in ("gray", "white"))
    hairs = {"wizard": ("gray", "white"), "robot": ("none",), "clown": ("none",)}
    pick("hair", hairs.get(role, free))
    pick("skin", ("none",) if robot else dict.fromkeys(SKINS, 0.25))
    space = {"astronaut": {"space": 2.0}, "robot": {"space": 0.8}}.get(role, {})
    pick("ground", {**dict.fromkeys(GROUNDS, 0.4), **space})


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    _ground(canvas, rng, attributes["ground"])
    role = attributes["role"]
    x, y = 64 + rng.uniform(-4, 4), 68 + rng.uniform(-2, 2)
    size = rng.uniform(0.79, 0.85)
    with canvas.placed(x, y, scale=size):
        if role == "robot":
            draw_robot(canvas, rng, attributes)
            return ()
        names = [attributes["person"], role, "person"]
        with canvas.part(*dict.fromkeys(names)):
            _human(canvas, rng, attributes)
        return (face_of(canvas),)


def _ground(canvas: Canvas, rng: random.Random, name: str) -> None:
    if name == "space":
        canvas.fill(Gradient((16, 18, 54), (52, 42, 104)))
        draw_stars(canvas, rng)
        return
    wall = lighter(vary(rng, COLORS[name]), 0.25)
    canvas.fill(Gradient(lighter(wall, 0.2), darker(wall, 0.04)))


def _human(canvas: Canvas, rng: random.Random, attributes: dict[str, str]) -> None:
    role, person = attributes["role"], attributes["person"]
    color = vary(rng, COLORS[attributes["color"]], 5)
    skin = vary(rng, SKINS[attributes["skin"]], 6)
    hair = color if role == "clown" else vary(rng, HAIRS[attributes["hair"]], 6)
    style = STYLES[person][rng.randrange(len(STYLES[person]))]
    style = "short" if role == "astronaut" else style
    if role == "astronaut":
        _helmet_behind(canvas)
    if role == "clown":
        _curls(canvas, hair)
    else:
        hair_behind(canvas, style, hair)
    _clothes(canvas, rng, attributes, skin, color)
    face = PAINTED if role == "clown" else skin
    with canvas.part("face", "head"):
        draw_head(canvas, face, earring=False)
        if role == "clown":
            _make_up(canvas, color)
        grown = {"age": "old" if role == "wizard" else "young", "freckles": "no"}
        draw_features(canvas, rng, {**attributes, **grown}, face, hair)
        if role == "clown":
            _red_nose(canvas)
        if role == "wizard":
            _long_beard(canvas, hair, attributes["expression"])
    if role != "clown":
        hair_front(canvas, style, hair)
    draw_hat(canvas, role if role != "person" else attributes["hat"], color)
    if attributes["glasses"] == "yes":
        draw_glasses(canvas, rng)
    if role == "astronaut":
        _helmet_front(canvas)


def _clothes(
    canvas: Canvas,
    rng: random.Random,
    attributes: dict[str, str],
    skin: Color,
    color: Color,
) -> None:
    role = attributes["role"]
    shirts = {
        "person": vary(rng, COLORS[rng.choice(("white", "teal", "orange", "gray"))]),
        "firefighter": (66, 62, 74),
        "clown": vary(rng, COLORS[rng.choice(("yellow", "teal", "white", "orange"))]),
        "chef": (248, 248, 246),
    }
    draw_body(canvas, skin, shirts.get(role, color))
    if role == "doctor":
        _coat(canvas)
    elif role == "firefighter":
        for side in (-1, 1):
            canvas.stroke(
                [(side * 44, 62), (side * 24, 58), (side * 5, 60)], 4.5, (250, 214, 70)
            )
        canvas.stroke([(0, 44), (0, 82)], 2, (44, 40, 50), bend=False)
    elif role == "chef":
        for dx in (-8, 8):
            for dy in (56, 66):
                canvas.circle(dx, dy, 2.2, (120, 124, 132))
        with canvas.part("neckerchief", "scarf"):
            canvas.blob([(-15, 38), (0, 35), (15, 38), (7, 46), (-7, 46)], color)
            for side in (-1, 1):
                canvas.polygon(
                    [(0, 43), (side * 9, 52), (side * 2, 54)], darker(color, 0.12)
                )
    elif role == "clown":
        _ruff(canvas, rng, color)
    elif role == "astronaut":
        _suit(canvas, color)


def _coat(canvas: Canvas) -> None:
    white, shade = (250, 251, 252), (214, 220, 228)
    with canvas.part("coat", "clothes"):
        for side in (-1, 1):
            canvas.blob(
                [
                    (side * 11, 38),
                    (side * 35, 42),
                    (side * 51, 52),
                    (side * 60, 90),
                    (side * 4, 86),
                    (side * 5, 66),
                ],
                white,
            )
            lapel = [(side * 11, 40), (side * 20, 56), (side * 4, 74), (side * 8, 52)]
            canvas.polygon(lapel, shade)
    with canvas.part("stethoscope"):
        tube = (62, 66, 78)
        canvas.stroke([(-15, 40), (-17, 54), (-4, 66), (12, 60), (15, 40)], 2.6, tube)
        canvas.stroke([(-4, 66), (-14, 70)], 2.4, tube)
        canvas.circle(-16, 70, 4.6, (176, 182, 192))
        canvas.circle(-16, 70, 2.4, (232, 236, 242))


def _ruff(canvas: Canvas, rng: random.Random, color: Color) -> None:
    for x, y in ((-28, 62), (-6, 60), (18, 66), (34, 58), (4, 72)):
        canvas.circle(x, y + rng.uniform(-1, 1), 4, color)
    with canvas.part("ruff", "collar"):
        for side in (-1, 1):
            for dx, dy in ((28, 34), (19, 38), (9, 41)):
                canvas.circle(side * dx, dy, 8, (236, 240, 246))
                canvas.circle(side * dx, dy - 1.5, 6, WHITE)
        canvas.circle(0, 42, 8, (236, 240, 246))
        canvas.circle(0, 40.5, 6, WHITE)


def _suit(canvas: Canvas, color: Color) -> None:
    with canvas.part("suit", "clothes"):
        pale, dark = mix(color, WHITE, 0.4), darker(color, 0.25)
        canvas.blob([(-38, 36), (0, 46), (38, 36), (40, 46), (0, 57), (-40, 46)], dark)
        canvas.rectangle(-15, 62, 15, 80, pale)
        for x, tone in ((-8, (226, 64, 60)), (0, (250, 206, 70)), (8, (72, 160, 90))):
            canvas.circle(x, 69, 2.6, tone)


def _helmet_behind(canvas: Canvas) -> None:
    with canvas.part("helmet"):
        canvas.circle(0, -3, 48, (230, 234, 240))
        canvas.circle(0, -3, 41, (128, 156, 196))
        for side in (-1, 1):
            canvas.ellipse(side * 47, 0, 5, 11, (176, 184, 196))


def _helmet_front(canvas: Canvas) -> None:
    for x, y, rx, ry in ((-24, -26, 5, 11), (-31, -8, 2.6, 5)):
        canvas.ellipse(x, y, rx, ry, WHITE, angle=38, opacity=0.6)


def _curls(canvas: Canvas, hair: Color) -> None:
    with canvas.part("hair"):
        for side in (-1, 1):
            for i, (x, y) in enumerate(CURLS):
                tone = lighter(hair, 0.1) if i % 2 else darker(hair, 0.06)
                canvas.circle(side * x, y, 11, tone)


def _make_up(canvas: Canvas, color: Color) -> None:
    """Paint rings around the eyes and a wide mouth."""
    for side in (-1, 1):
        canvas.ellipse(side * 11.5, -4, 8.6, 12.5, lighter(color, 0.62))
    mouth = [(-15, 15), (-7, 13), (0, 14), (7, 13), (15, 15), (9, 26), (-9, 26)]
    canvas.blob(mouth, (250, 186, 180))


def _red_nose(canvas: Canvas) -> None:
    with canvas.part("nose"):
        canvas.circle(0, 7, 6.4, Gradient((246, 74, 66), (206, 34, 44)))
        canvas.ellipse(-2, 4.6, 1.6, 1.2, WHITE, opacity=0.8)


def _long_beard(canvas: Canvas, hair: Color, mood: str) -> None:
    with canvas.part("beard"):
        canvas.blob(
            [
                (-26, 8),
                (-16, 17),
                (-11, 24.5),
                (0, 26),
                (11, 24.5),
                (16, 17),
                (26, 8),
                (25, 34),
                (13, 58),
                (0, 72),
                (-13, 58),
                (-25, 34),
            ],
            Gradient(lighter(hair, 0.1), darker(hair, 0.12)),
        )
        for side in (-1, 1):
            canvas.blob(
                [(0, 12), (side * 8, 11), (side * 17, 16), (side * 9, 16.5)],
                lighter(hair, 0.25 if mood != "sad" else 0.15),
            )


CHARACTERS = Group(
    name="characters",
    share=0.28,
    choose=_choose,
    draw=_draw,
    describe=describe,
    key=("role", "person", "hat", "color", "expression", "glasses", "ground"),
    media=("portrait of", "a portrait of", "photo of"),
    words=LEXICON,
    faces=True,
)
