"""Flowers: a single one, a bunch, a vase of them, or a whole field."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import COLORS, WHITE, darker, lighter, mix, vary
from storybook.world.flower_kinds import GREEN, KINDS
from storybook.world.lists import tables
from storybook.world.scene import Face, Group, Picker, Words
from storybook.world.sky import draw_sky, lit, softly
from storybook.world.words import chance, color_word, told, with_article

TONES: dict[str, tuple[str, ...]] = {
    "rose": ("red", "pink", "white", "yellow", "orange"),
    "tulip": ("red", "yellow", "pink", "purple", "orange", "white"),
    "sunflower": ("yellow",),
    "daisy": ("white", "pink", "blue", "purple", "orange"),
}
GROUNDS = ("blue", "pink", "yellow", "purple", "teal", "orange", "gray", "white")
VASES = ("blue", "white", "green", "teal", "brown", "purple", "red")
PLURALS = {
    "rose": "roses",
    "tulip": "tulips",
    "sunflower": "sunflowers",
    "daisy": "daisies",
}


def _choose(pick: Picker) -> None:
    layout = pick("layout", {"single": 0.3, "bunch": 0.2, "vase": 0.25, "field": 0.25})
    kind = pick("kind", {"rose": 0.3, "tulip": 0.27, "sunflower": 0.2, "daisy": 0.23})
    many = layout != "single" and len(TONES[kind]) > 1
    color = pick("color", (*TONES[kind], *(("mixed",) if many else ())))
    field = layout == "field"
    pick("time", {"day": 0.65, "sunset": 0.35} if field else ("none",))
    pick("body", ("sun",) if field else ("none",))
    pick("ground", ("none",) if field else GROUNDS, avoid=(color,))
    pick("vase", VASES if layout == "vase" else ("none",))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    layout = attributes["layout"]
    if layout == "field":
        _field(canvas, rng, attributes)
        return ()
    wall = lighter(vary(rng, COLORS[attributes["ground"]]), 0.36)
    canvas.fill(Gradient(lighter(wall, 0.15), wall))
    if layout == "single":
        _single(canvas, rng, attributes)
    elif layout == "bunch":
        _bunch(canvas, rng, attributes)
    else:
        _vase(canvas, rng, attributes)
    return ()


def _tone(rng: random.Random, attributes: Mapping[str, str]) -> Color:
    name = attributes["color"]
    if name == "mixed":
        name = rng.choice(TONES[attributes["kind"]])
    return vary(rng, COLORS[name], 6)


def _head(
    canvas: Canvas,
    attributes: Mapping[str, str],
    place: tuple[float, float, float, float],
    color: Color,
) -> None:
    x, y, size, angle = place
    kind = attributes["kind"]
    named = {} if attributes["color"] == "mixed" else {attributes["color"]: None}
    names = ["flowers", "flower", kind, *(f"{each} {kind}" for each in named)]
    with canvas.placed(x, y, scale=size, angle=angle), canvas.part(*names):
        KINDS[kind](canvas, color)


def _leaf(
    canvas: Canvas, x: float, y: float, size: float, angle: float, green: Color
) -> None:
    with canvas.placed(x, y, scale=size, angle=angle), canvas.part("leaves", "leaf"):
        canvas.blob(
            [(0, 0), (0.35, -0.3), (0.8, -0.26), (1.15, 0), (0.75, 0.16), (0.3, 0.16)],
            green,
        )
        canvas.stroke([(0.05, 0), (0.9, -0.04)], 0.05, lighter(green, 0.3))


def _single(canvas: Canvas, rng: random.Random, attributes: Mapping[str, str]) -> None:
    x, y, bow = 64 + rng.uniform(-6, 6), 48 + rng.uniform(-3, 3), rng.uniform(-6, 6)
    green = vary(rng, GREEN, 8)
    with canvas.part("stem"):
        canvas.stroke([(x, y), (x + bow, 92), (x, 134)], 4.4, darker(green, 0.1))
    size = 26.0 if attributes["kind"] == "tulip" else 20.0
    _leaf(canvas, x + bow * 0.9, 100, size, -38, green)
    _leaf(canvas, x + bow * 0.8, 110, size, 218, green)
    _head(
        canvas,
        attributes,
        (x, y, 33 * rng.uniform(0.95, 1.06), rng.uniform(-7, 7)),
        _tone(rng, attributes),
    )


SPREAD = ((0, -4), (-24, 4), (24, 4), (-13, 16), (13, 16), (-12, -19), (12, -19))


def _bunch(canvas: Canvas, rng: random.Random, attributes: Mapping[str, str]) -> None:
    green = vary(rng, GREEN, 8)
    for angle in (-150, -120, -90, -60, -30, 175, 5):
        a = math.radians(angle)
        _leaf(
            canvas,
            64 + 24 * math.cos(a),
            54 + 22 * math.sin(a),
            20,
            angle,
            darker(green, 0.08),
        )
    paper = rng.choice(((250, 238, 222), (232, 214, 190), (246, 220, 226)))
    with canvas.part("paper"):
        canvas.polygon(
            [(28, 60), (64, 126), (100, 60), (80, 74), (64, 66), (48, 74)], paper
        )
    for dx, dy in SPREAD:
        place = (64 + dx, 52 + dy, 15.5 * rng.uniform(0.95, 1.05), rng.uniform(-10, 10))
        _head(canvas, attributes, place, _tone(rng, attributes))
    with canvas.part("paper"):
        canvas.polygon([(26, 62), (64, 126), (66, 82)], darker(paper, 0.05))
        canvas.polygon([(102, 62), (64, 126), (60, 82)], darker(paper, 0.1))
    ribbon = vary(rng, rng.choice((COLORS["red"], COLORS["blue"], COLORS["purple"])))
    with canvas.part("ribbon"):
        for side in (-1, 1):
            canvas.blob(
                [(64, 104), (64 + side * 14, 96), (64 + side * 15, 108)], ribbon
            )
            canvas.stroke([(64, 104), (64 + side * 7, 118)], 3, darker(ribbon, 0.12))
        canvas.circle(64, 104, 4, darker(ribbon, 0.2))


def _vase(canvas: Canvas, rng: random.Random, attributes: Mapping[str, str]) -> None:
    green, wood = vary(rng, GREEN, 8), vary(rng, (166, 112, 70), 10)
    with canvas.part("table"):
        canvas.rectangle(0, 104, 128, 128, Gradient(lighter(wood, 0.12), darker(wood)))
        canvas.rectangle(0, 104, 128, 105.5, lighter(wood, 0.25))
    canvas.ellipse(64, 117, 24, 4, (60, 34, 16), opacity=0.35)
    heads = ((64, 30), (36, 42), (92, 42), (48, 54), (80, 54))
    with canvas.part("stem", "stems"):
        for x, y in heads:
            canvas.stroke([(x, y), ((x + 64) / 2, 70), (64, 88)], 3, darker(green, 0.1))
    for x, y, angle in ((56, 72, 200), (72, 72, -20), (60, 66, 232), (68, 66, -52)):
        _leaf(canvas, x, y, 20, angle, green)
    for x, y in heads:
        place = (
            x + rng.uniform(-2, 2),
            y + rng.uniform(-2, 2),
            16.5,
            (x - 64) * 0.5 + rng.uniform(-6, 6),
        )
        _head(canvas, attributes, place, _tone(rng, attributes))
    color = vary(rng, COLORS[attributes["vase"]])
    with canvas.part("vase"):
        canvas.blob(
            [
                (52, 74),
                (64, 76),
                (76, 74),
                (74, 84),
                (84, 98),
                (80, 114),
                (64, 118),
                (48, 114),
                (44, 98),
                (54, 84),
            ],
            Gradient(lighter(color, 0.08), darker(color, 0.16)),
        )
        canvas.stroke([(52, 75), (64, 77), (76, 75)], 3, lighter(color, 0.25))
        canvas.blob(
            [(52, 94), (56, 88), (57, 104), (53, 108)],
            mix(color, WHITE, 0.7),
            opacity=0.45,
        )


def _field(canvas: Canvas, rng: random.Random, attributes: Mapping[str, str]) -> None:
    light = draw_sky(canvas, rng, attributes, low=50.0)
    green = vary(rng, GREEN, 8)
    with canvas.part("hills", "grass"):
        canvas.ellipse(
            24 + rng.uniform(-10, 10), 78, 70, 18, lit(light, lighter(green, 0.3))
        )
        canvas.ellipse(112, 80, 66, 18, lit(light, lighter(green, 0.22)))
    with canvas.part("field", "meadow", "grass"):
        grass = lit(light, green)
        canvas.rectangle(
            0, 72, 128, 128, Gradient(lighter(grass, 0.1), darker(grass, 0.1))
        )
    far = {}
    for y, step in ((75, 5), (79, 7), (84, 9)):
        for i in range(int(128 / step) + 2):
            far[i * step + (y % 2) * step / 2 + rng.uniform(-1, 1), y] = step * 0.3
    with canvas.part("flowers", attributes["kind"]):
        for (x, y), size in far.items():
            canvas.circle(x, y, size, softly(light, _tone(rng, attributes)))
    for y, size, step in ((92, 6.0, 14), (102, 8.5, 19), (116, 11.5, 25)):
        shift = rng.uniform(0, step)
        for i in range(-1, int(128 / step) + 2):
            x, foot = i * step + shift + rng.uniform(-2, 2), y + rng.uniform(-2, 2)
            with canvas.part("stem", "stems"):
                canvas.stroke(
                    [(x, foot), (x, foot + size * 1.7)],
                    size * 0.17,
                    lit(light, darker(green, 0.25)),
                    bend=False,
                )
            _leaf(
                canvas,
                x,
                foot + size * 1.5,
                size * 0.9,
                -40,
                lit(light, darker(green, 0.15)),
            )
            tone = softly(light, _tone(rng, attributes))
            _head(canvas, attributes, (x, foot, size, rng.uniform(-8, 8)), tone)


SAID = tables("flowers")
NOUNS = SAID["kinds"]
MIXED = SAID["mixed"]
LAYOUTS = SAID["layouts"]
TIME_WORDS = SAID["times"]


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    layout, kind, color = (attributes[key] for key in ("layout", "kind", "color"))
    name = rng.choice(MIXED) if color == "mixed" else color_word(rng, color)
    named = f"{name} " if chance(rng, 0.65) else ""
    if layout == "single":
        words = "flower" if chance(rng, 0.12) else rng.choice(NOUNS[kind])
        lone = told(rng, {"single": True, "lone": True}, (0, 0, 0, 0, 1))
        text = with_article(" ".join((*lone, f"{named}{words}")))
    else:
        vase = color_word(rng, attributes["vase"])
        vase = with_article(f"{vase} vase" if chance(rng, 0.5) else "vase")
        many = "flowers" if chance(rng, 0.14) else PLURALS[kind]
        text = rng.choice(LAYOUTS[layout]).format(f"{named}{many}", vase=vase)
    if layout == "field":
        extra = rng.choice(TIME_WORDS[attributes["time"]])
        return f"{text}{rng.choice((' ', ', '))}{extra}" if chance(rng, 0.6) else text
    if layout == "vase" and chance(rng, 0.2):
        text += " on a table"
    if chance(rng, 0.4):
        ground = color_word(rng, attributes["ground"])
        text += rng.choice(
            (
                f", {ground} background",
                f" on {with_article(ground)} background",
                f" in front of {with_article(ground)} wall",
            )
        )
    return text


def _plain(attributes: Mapping[str, str]) -> str:
    layout, kind, color = (attributes[key] for key in ("layout", "kind", "color"))
    many = f"{color} {PLURALS[kind]}"
    if layout == "field":
        when = {"day": "by day", "sunset": "at sunset"}[attributes["time"]]
        return f"a field of {many} {when}"
    ground = f"on {with_article(attributes['ground'])} background"
    core = {
        "single": f"{with_article(color)} {kind}",
        "bunch": f"a bunch of {many}",
        "vase": f"{with_article(attributes['vase'])} vase of {many}",
    }[layout]
    return f"{core} {ground}"


FLOWERS = Group(
    name="flowers",
    share=0.16,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("layout", "kind", "color", "time", "ground", "vase"),
    media=("photo of", "still life of", "close up of"),
    words=Words(
        plain=_plain,
        main=(
            r"^an? (?:field of |bunch of |\w+ vase of )?"
            r"(\w+ (?:roses?|tulips?|sunflowers?|daisy|daisies))\b"
        ),
        things=("flowers", *PLURALS, "vase", "ribbon", "paper", "field"),
        pieces=("petals", "leaves", "stems"),
        others={
            **{name: (plural,) for name, plural in PLURALS.items()},
            "flowers": ("flower",),
            "stem": ("stems",),
        },
        colored={"vase": ("vase", VASES)},
        also="bouquet",
        alike=(
            "petals, flowers, flower",
            "leaves, leaf",
            "field, meadow, grass, hills",
            "stems, stem",
        ),
        arguable="wall plant bowl leaf leaves trees orange oranges hill floor stem",
    ),
)
