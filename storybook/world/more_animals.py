"""Further animals: rabbit, fox, bear, lion, frog, pig, horse and elephant."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from storybook.world.animal_kinds import KINDS
from storybook.world.animals import COATS
from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import COLORS, darker, lighter, vary
from storybook.world.creature_words import plainly_somewhere, somewhere
from storybook.world.lists import tables
from storybook.world.scene import Face, Group, Picker, Words
from storybook.world.sky import (
    LEAF,
    PINE,
    TRUNK,
    Light,
    draw_body,
    draw_crown,
    draw_pine,
    draw_stars,
    light_of,
    lit,
    softly,
)
from storybook.world.words import chance, color_word, told

TINTS: dict[str, Color] = {
    **{name: coat for name, (coat, _) in COATS.items()},
    "pink": (246, 170, 182),
    "green": (104, 178, 84),
}
COLORS_OF: dict[str, tuple[str, ...]] = {
    "rabbit": ("white", "brown", "gray", "black"),
    "fox": ("orange", "orange", "white", "gray"),
    "bear": ("brown", "black", "white"),
    "lion": ("golden",),
    "frog": ("green",),
    "pig": ("pink",),
    "horse": ("brown", "black", "white", "gray"),
    "elephant": ("gray",),
}
PLACES: dict[str, tuple[str, ...]] = {
    "rabbit": ("meadow", "snow", "plain"),
    "fox": ("forest", "snow", "plain"),
    "bear": ("forest", "snow", "plain"),
    "lion": ("savanna", "savanna", "plain"),
    "frog": ("pond", "pond", "plain"),
    "pig": ("meadow", "meadow", "plain"),
    "horse": ("meadow", "meadow", "plain"),
    "elephant": ("savanna", "savanna", "plain"),
}
GROUNDS = (
    "blue",
    "purple",
    "pink",
    "yellow",
    "teal",
    "green",
    "orange",
    "gray",
    "white",
)
TIMES = {"day": 0.6, "sunset": 0.2, "night": 0.2}


def _choose(pick: Picker) -> None:
    kind = pick("kind", tuple(KINDS))
    coat = pick("coat", COLORS_OF[kind])
    place = pick("place", PLACES[kind])
    plain = place == "plain"
    pick("time", TIMES if not plain else ("none",))
    pick("ground", GROUNDS if plain else ("none",), avoid=(coat,))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    kind, flip = attributes["kind"], chance(rng, 0.5)
    light = _backdrop(canvas, rng, attributes)
    coat = softly(light, vary(rng, TINTS[attributes["coat"]], 6))
    frame = canvas.placed(
        64 + rng.uniform(-5, 5),
        66 + rng.uniform(-1, 2),
        scale=rng.uniform(0.83, 0.91),
        flip=flip,
    )
    with frame, canvas.part(kind, f"{attributes['coat']} {kind}", "animal"):
        KINDS[kind](canvas, coat)
    return ()


def _backdrop(
    canvas: Canvas, rng: random.Random, attributes: Mapping[str, str]
) -> Light:
    place, time = attributes["place"], attributes["time"]
    if place == "plain":
        wall = lighter(vary(rng, COLORS[attributes["ground"]]), 0.25)
        canvas.fill(Gradient(lighter(wall, 0.14), darker(wall, 0.05)))
        return light_of({"time": "day"})
    light = light_of(attributes)
    with canvas.part("sky"):
        top, bottom = (vary(rng, color, 6) for color in light.sky)
        canvas.fill(Gradient(top, bottom))
        if time == "night":
            draw_stars(canvas, rng)
        body = {"night": rng.choice(("moon", "crescent"))}.get(time, "sun")
        low = time == "sunset"
        draw_body(canvas, body, rng.choice((18, 110)), 58 if low else 22, low=low)
    BACKDROPS[place](canvas, rng, light)
    return light


def _ground(canvas: Canvas, light: Light, color: Color, *names: str) -> None:
    tone = lit(light, color)
    with canvas.part(*names):
        canvas.blob(
            [
                (-30, 92),
                (20, 87),
                (64, 90),
                (108, 87),
                (158, 92),
                (158, 140),
                (-30, 140),
            ],
            Gradient(lighter(tone, 0.08), darker(tone, 0.12)),
        )


def _meadow(canvas: Canvas, rng: random.Random, light: Light) -> None:
    with canvas.part("hills", "grass"):
        canvas.ellipse(rng.uniform(10, 50), 98, 70, 22, lit(light, (146, 202, 110)))
    _ground(canvas, light, vary(rng, (116, 186, 84), 8), "grass", "meadow")
    for _ in range(9):
        x, y = rng.uniform(4, 124), rng.uniform(98, 124)
        tone = rng.choice(((255, 244, 160), (250, 170, 190), (255, 255, 255)))
        with canvas.part("flowers"):
            canvas.circle(x, y, 1.7, softly(light, tone))


def _forest(canvas: Canvas, rng: random.Random, light: Light) -> None:
    for x in (4, 24, 44, 66, 86, 106, 126):
        size = rng.uniform(1.3, 1.7)
        with (
            canvas.placed(x + rng.uniform(-3, 3), 94, scale=size),
            canvas.part("forest", "trees", "tree"),
        ):
            canvas.rectangle(-2.2, -16, 2.2, 2, lit(light, TRUNK))
            if x % 4:
                draw_pine(canvas, lit(light, vary(rng, PINE, 10)))
            else:
                draw_crown(canvas, lit(light, vary(rng, LEAF, 12)))
    _ground(canvas, light, vary(rng, (104, 160, 76), 8), "grass")


def _snow(canvas: Canvas, rng: random.Random, light: Light) -> None:
    white = (238, 244, 252)
    for x in rng.sample((10, 30, 98, 118), 3):
        with (
            canvas.placed(x, 92, scale=1.2),
            canvas.part("pine trees", "trees", "tree"),
        ):
            canvas.rectangle(-2.2, -10, 2.2, 2, lit(light, TRUNK))
            draw_pine(canvas, lit(light, vary(rng, PINE, 8)))
            with canvas.part("snow"):
                for y in (-44, -34, -24):
                    canvas.polygon(
                        [(0, y), (5, y + 9), (0, y + 7), (-5, y + 9)], lit(light, white)
                    )
    _ground(canvas, light, white, "snow")


def _savanna(canvas: Canvas, rng: random.Random, light: Light) -> None:
    x = rng.choice((16, 112))
    green = lit(light, (122, 150, 66))
    with canvas.part("trees", "tree"):
        canvas.stroke([(x, 92), (x + 2, 70), (x - 8, 58)], 3.4, lit(light, TRUNK))
        canvas.stroke([(x + 2, 72), (x + 10, 58)], 2.6, lit(light, TRUNK))
        canvas.ellipse(x - 6, 55, 20, 6, green)
        canvas.ellipse(x + 8, 51, 16, 5, lighter(green, 0.1))
    _ground(canvas, light, vary(rng, (226, 188, 104), 8), "grass", "savanna")


def _pond(canvas: Canvas, rng: random.Random, light: Light) -> None:
    with canvas.part("grass"):
        canvas.ellipse(64, 88, 110, 16, lit(light, vary(rng, (116, 186, 84), 8)))
    with canvas.part("water", "pond"):
        canvas.rectangle(0, 86, 128, 128, Gradient(light.sea[1], light.sea[0]))
    leaf = lit(light, (84, 166, 92))
    with canvas.part("lily pad", "leaf"):
        for x, y, rx in ((64, 112, 46), (8, 98, 14), (118, 100, 12)):
            canvas.ellipse(x, y, rx, rx * 0.24, darker(leaf, 0.15))
            canvas.ellipse(x, y - 1, rx, rx * 0.22, leaf)


BACKDROPS: dict[str, Callable[[Canvas, random.Random, Light], None]] = {
    "meadow": _meadow,
    "forest": _forest,
    "snow": _snow,
    "savanna": _savanna,
    "pond": _pond,
}
SAID = tables("animals")
NOUNS = SAID["kinds"]
PLACE_WORDS = SAID["places"]
PLAIN_PLACES = {
    "meadow": "on grass",
    "forest": "in the forest",
    "snow": "in the snow",
    "savanna": "in the savanna",
    "pond": "on a lily pad",
}


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    kind, coat = attributes["kind"], attributes["coat"]
    words = told(rng, {"cute": True, "happy": True, "little": True}, (0, 0, 0, 0, 0, 1))
    noun = rng.choice(NOUNS[kind])
    if kind == "bear" and coat == "white" and chance(rng, 0.5):
        noun = "polar bear"
    elif chance(rng, 0.6):
        words.append(color_word(rng, coat))
    text = " ".join((*words, noun)).replace("little little", "little")
    return somewhere(rng, text, attributes, PLACE_WORDS)


def _plain(attributes: Mapping[str, str]) -> str:
    creature = f"{attributes['coat']} {attributes['kind']}"
    return plainly_somewhere(creature, attributes, PLAIN_PLACES)


ANIMALS = Group(
    name="animals",
    share=0.2,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("kind", "coat", "place", "time", "ground"),
    media=("photo of", "a photo of"),
    words=Words(
        plain=_plain,
        main=rf"^an? (\w+ (?:{'|'.join(KINDS)}))\b",
        things=(*KINDS, "savanna", "pond", "lily pad"),
        pieces=("mane", "trunk", "tusks", "snout", "legs", "arms"),
        others={"rabbit": ("bunny",), "horse": ("pony",)},
        colored={"coat": ("animal", tuple(TINTS))},
        also="forest teddy winter",
        alike=(
            "legs, arms, feet, belly, body",
            "trunk, snout, nose",
            "pond, water, lake, sea",
            "savanna, grass, field, meadow",
            "mane, hair",
            "lily pad, leaf, leaves",
        ),
        arguable="wall background hair neck field hill floor leaf stem forest",
    ),
)
