"""Birds: owls, parrots, ducks, penguins, flamingos and songbirds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from storybook.world.bird_kinds import KINDS
from storybook.world.canvas import Canvas, Gradient
from storybook.world.colors import COLORS, darker, lighter, vary
from storybook.world.creature_words import plainly_somewhere, somewhere
from storybook.world.lists import tables
from storybook.world.scene import Face, Group, Picker, Words
from storybook.world.sky import (
    Light,
    draw_body,
    draw_clouds,
    draw_stars,
    light_of,
    lit,
    softly,
)
from storybook.world.words import chance, color_word, told

COATS: dict[str, tuple[str, ...]] = {
    "owl": ("brown", "gray", "white"),
    "parrot": ("red", "green", "blue", "yellow"),
    "duck": ("yellow", "white", "brown"),
    "penguin": ("black", "blue"),
    "flamingo": ("pink",),
    "bird": ("blue", "red", "yellow", "green", "orange", "purple", "pink", "black"),
}
PLACES: dict[str, tuple[str, ...]] = {
    "owl": ("branch", "branch", "plain"),
    "parrot": ("branch", "branch", "plain"),
    "duck": ("water", "water", "grass", "plain"),
    "penguin": ("ice", "ice", "plain"),
    "flamingo": ("shallows", "shallows", "plain"),
    "bird": ("branch", "flying", "flying", "plain"),
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
TIMES = {"day": 0.5, "sunset": 0.22, "night": 0.28}


def _choose(pick: Picker) -> None:
    kind = pick(
        "kind",
        {
            "owl": 0.2,
            "parrot": 0.16,
            "duck": 0.18,
            "penguin": 0.16,
            "flamingo": 0.1,
            "bird": 0.2,
        },
    )
    pick("color", COATS[kind])
    place = pick("place", PLACES[kind])
    pick("time", TIMES if place != "plain" else ("none",))
    plain = place == "plain"
    grounds = GROUNDS if plain else ("none",)
    pick("ground", grounds, avoid=(pick.values["color"],))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    kind, place = attributes["kind"], attributes["place"]
    flip = chance(rng, 0.5)
    light = _backdrop(canvas, rng, attributes, left=flip)
    draw, foot = KINDS["flying" if place == "flying" else kind]
    x, y = 64 + rng.uniform(-6, 6), STANDS[place] - foot
    size = rng.uniform(0.94, 1.05)
    names = dict.fromkeys((kind, f"{attributes['color']} {kind}", "bird", "animal"))
    coat = softly(light, vary(rng, COLORS[attributes["color"]], 5))
    with canvas.placed(x, y, scale=size, flip=flip), canvas.part(*names):
        draw(canvas, coat)
    if place in FRONTS:
        FRONTS[place](canvas, x, light)
    return ()


STANDS = {
    "branch": 101,
    "flying": 84,
    "water": 105,
    "grass": 108,
    "ice": 112,
    "shallows": 112,
    "plain": 110,
}
"""Where the feet are, or the middle of what flies."""


def _backdrop(
    canvas: Canvas, rng: random.Random, attributes: Mapping[str, str], *, left: bool
) -> Light:
    place = attributes["place"]
    if place == "plain":
        wall = lighter(vary(rng, COLORS[attributes["ground"]]), 0.3)
        canvas.fill(Gradient(lighter(wall, 0.15), darker(wall, 0.05)))
        canvas.ellipse(64, 111, 30, 4, darker(wall, 0.5), opacity=0.3)
        return light_of({"time": "day"})
    light, time = light_of(attributes), attributes["time"]
    top, bottom = (vary(rng, color, 6) for color in light.sky)
    with canvas.part("sky"):
        canvas.fill(Gradient(top, bottom))
        if time == "night":
            draw_stars(canvas, rng)
        body = {"night": rng.choice(("moon", "crescent")), "sunset": "sun"}
        x = 106 if left else 22
        height = 60 if time == "sunset" and place != "flying" else 26
        draw_body(canvas, body.get(time, "sun"), x, height, low=time == "sunset")
        if place == "flying" or chance(rng, 0.3):
            with canvas.placed(0, 8):
                draw_clouds(canvas, rng, light)
    GROUNDS_OF[place](canvas, rng, light)
    return light


def _branch(canvas: Canvas, rng: random.Random, light: Light) -> None:
    bark, leaf = lit(light, (124, 84, 56)), lit(light, (86, 158, 76))
    with canvas.part("branch"):
        canvas.stroke([(-6, 108), (40, 101), (88, 103), (136, 98)], 7, bark)
        canvas.stroke([(22, 104), (12, 114), (8, 122)], 3.6, bark)
        canvas.stroke([(108, 100), (118, 90), (122, 80)], 3.6, bark)
        with canvas.part("leaves"):
            for x, y, angle in (
                (8, 98, -40),
                (118, 78, 60),
                (126, 88, -20),
                (14, 116, 40),
                (2, 124, 80),
                (112, 106, 40),
            ):
                turn = angle + rng.uniform(-15, 15)
                canvas.ellipse(x, y, 8, 3.8, vary(rng, leaf, 8), angle=turn)


def _open_air(canvas: Canvas, rng: random.Random, light: Light) -> None:
    hill = lit(light, vary(rng, (112, 184, 84), 8))
    with canvas.part("meadow", "grass"):
        canvas.ellipse(30 + rng.uniform(-14, 14), 136, 90, 20, lighter(hill, 0.1))
        canvas.ellipse(110, 138, 70, 18, hill)


def _lake(canvas: Canvas, rng: random.Random, light: Light) -> None:
    bank = lit(light, vary(rng, (112, 184, 84), 8))
    with canvas.part("grass"):
        canvas.ellipse(64, 80, 100, 13, bank)
    with canvas.part("water", "lake"):
        canvas.rectangle(0, 80, 128, 128, Gradient(light.sea[1], light.sea[0]))
        for _ in range(9):
            x, y = rng.uniform(0, 112), rng.uniform(86, 124)
            size = rng.uniform(8, 16)
            crest = lighter(light.sea[1], 0.3)
            canvas.stroke([(x, y), (x + size / 2, y - 1), (x + size, y)], 1, crest)


def _grass(canvas: Canvas, rng: random.Random, light: Light) -> None:
    with canvas.part("grass"):
        green = lit(light, vary(rng, (112, 184, 84), 8))
        canvas.ellipse(64, 122, 112, 32, Gradient(lighter(green, 0.1), green))
        for _ in range(12):
            x, y = rng.uniform(4, 124), rng.uniform(100, 124)
            canvas.stroke([(x, y), (x + 1, y - 4)], 1, darker(green, 0.12))


def _ice(canvas: Canvas, rng: random.Random, light: Light) -> None:
    snow = lit(light, (240, 246, 253))
    with canvas.part("water", "sea"):
        canvas.rectangle(0, 82, 128, 128, Gradient(*light.sea))
    with canvas.part("ice", "iceberg"):
        x = rng.choice((24, 100))
        berg = [(x - 20, 86), (x - 8, 62), (x + 4, 70), (x + 10, 66), (x + 22, 86)]
        canvas.polygon(berg, lit(light, (206, 228, 244)))
    with canvas.part("ice", "snow"):
        canvas.ellipse(
            64, 118, 74, 22, Gradient(lighter(snow, 0.1), darker(snow, 0.06))
        )


GROUNDS_OF: dict[str, Callable[[Canvas, random.Random, Light], None]] = {
    "branch": _branch,
    "flying": _open_air,
    "water": _lake,
    "grass": _grass,
    "ice": _ice,
    "shallows": _lake,
}


def _waves(canvas: Canvas, x: float, light: Light) -> None:
    """Draw the water line before a swimming duck."""
    with canvas.part("water", "lake"):
        canvas.blob(
            [
                (x - 44, 97),
                (x - 26, 95),
                (x - 10, 97.5),
                (x + 8, 95.5),
                (x + 26, 97.5),
                (x + 44, 96),
                (x + 36, 106),
                (x, 108),
                (x - 36, 106),
            ],
            light.sea[1],
        )
        canvas.stroke(
            [(x - 30, 101), (x, 103.5), (x + 30, 101)], 1.2, lighter(light.sea[1], 0.4)
        )


def _ripples(canvas: Canvas, x: float, light: Light) -> None:
    """Draw rings around legs that stand in water."""
    with canvas.part("water", "lake"):
        for half in (9, 15):
            ring = [(x - half, 112), (x, 114 + half / 9), (x + half, 112)]
            canvas.stroke(ring, 1.1, lighter(light.sea[1], 0.45))


FRONTS = {"water": _waves, "shallows": _ripples}
SAID = tables("birds")
NOUNS = SAID["kinds"]
PLACE_WORDS = SAID["places"]
PLAIN_PLACES = {
    "branch": "on a branch",
    "flying": "flying",
    "water": "on water",
    "grass": "on grass",
    "ice": "on ice",
    "shallows": "in water",
}


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    kind = attributes["kind"]
    words = told(rng, {"cute": True, "little": True, "happy": True}, (0, 0, 0, 0, 0, 1))
    if chance(rng, 0.65):
        words.append(color_word(rng, attributes["color"]))
    noun = rng.choice(NOUNS[kind])
    text = " ".join((*words, noun)).replace("little little", "little")
    return somewhere(rng, text, attributes, PLACE_WORDS)


def _plain(attributes: Mapping[str, str]) -> str:
    creature = f"{attributes['color']} {attributes['kind']}"
    return plainly_somewhere(creature, attributes, PLAIN_PLACES)


BIRDS = Group(
    name="birds",
    share=0.18,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("kind", "color", "place", "time", "ground"),
    media=("photo of", "a photo of"),
    words=Words(
        plain=_plain,
        main=rf"^an? (\w+ (?:{'|'.join(COATS)}))\b",
        things=(
            "bird",
            *(kind for kind in COATS if kind != "bird"),
            "branch",
            "lake",
            "ice",
        ),
        pieces=("beak", "wings", "feet", "belly", "crest"),
        others={"bird": ("birds",), "wings": ("wing",), "beak": ("bill",)},
        colored={"color": ("bird", tuple(dict.fromkeys(sum(COATS.values(), ()))))},
        also="flying swimming",
        alike=(
            "lake, water, sea, pond",
            "ice, snow",
            "branch, trees, stem",
            "wings, wing, arms",
            "beak, bill, nose",
        ),
        arguable="wall background body face hair hills field floor leaf",
    ),
)
