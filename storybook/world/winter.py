"""Winter: snowy mountains or hills with pines, a snowman, a cabin or a frozen lake."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import COLORS, darker, lighter, mix, vary
from storybook.world.lists import tables
from storybook.world.scene import Face, Group, Picker, Words
from storybook.world.sky import (
    PINE,
    TRUNK,
    Light,
    choose_sky,
    draw_pine,
    draw_sky,
    draw_weather,
    lit,
    plain_view,
    sky_details,
    softly,
    with_details,
)
from storybook.world.words import chance, told, with_article

SNOW: Color = (240, 245, 253)
SCARVES = ("red", "blue", "green", "orange", "purple")
INK: Color = (44, 40, 50)


def _choose(pick: Picker) -> None:
    choose_sky(pick, {"clear": 0.5, "snow": 0.32, "cloudy": 0.18})
    pick("place", {"mountains": 0.5, "hills": 0.5})
    pick("pines", {"yes": 0.65, "no": 0.35})
    thing = pick("thing", {"none": 0.28, "snowman": 0.3, "cabin": 0.26, "lake": 0.16})
    pick("scarf", SCARVES if thing == "snowman" else ("none",))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    light = draw_sky(canvas, rng, attributes, low=56.0)
    white = _cold(light)
    if attributes["place"] == "mountains":
        _mountains(canvas, rng, light)
        levels: tuple[float, ...] = (96.0,)
    else:
        levels = (72.0, 84.0, 97.0)
    for i, level in enumerate(levels):
        _drift(
            canvas, rng, mix(white, light.sky[1], 0.3 * (len(levels) - 1 - i)), level
        )
    thing = attributes["thing"]
    side = rng.choice((-1, 1))
    if attributes["pines"] == "yes":
        _pines(canvas, rng, light, 0 if thing == "none" else side)
    if thing == "lake":
        _lake(canvas, rng, light)
    elif thing == "cabin":
        _cabin(canvas, rng, light, 64 + side * rng.uniform(14, 20))
    elif thing == "snowman":
        x, size = 64 + side * rng.uniform(8, 18), rng.uniform(1.0, 1.15)
        with canvas.placed(x, 119, scale=size, flip=chance(rng, 0.5)):
            _snowman(canvas, light, COLORS[attributes["scarf"]])
    draw_weather(canvas, rng, attributes, light)
    return ()


def _cold(light: Light) -> Color:
    """Return the colour of snow, which is blue rather than gray at night."""
    return mix(
        SNOW, lighter(mix(light.tint, (40, 70, 190), 0.3), 0.1), light.strength * 0.84
    )


def _drift(canvas: Canvas, rng: random.Random, color: Color, level: float) -> None:
    turn, wave = rng.uniform(0, 6.3), rng.uniform(70, 110)
    edge = [
        (x, level + 5 * math.sin(turn + x / wave * 2 * math.pi))
        for x in range(-4, 133, 4)
    ]
    with canvas.part("snow", "ground"):
        paint = Gradient(lighter(color, 0.2), mix(color, (120, 150, 210), 0.2))
        canvas.polygon([*edge, (132, 132), (-4, 132)], paint)


def _mountains(canvas: Canvas, rng: random.Random, light: Light) -> None:
    rock, white = lit(light, (112, 128, 166)), _cold(light)
    for low, high, fade in ((36, 50, 0.35), (54, 68, 0.0)):
        start = rng.uniform(-16, 0)
        for i in range(4):
            x, y = start + i * rng.uniform(42, 48), rng.uniform(low, high)
            width, base = rng.uniform(36, 44), 106.0
            color = mix(rock, light.sky[1], fade)
            with canvas.part("mountains", "mountain"):
                canvas.polygon([(x, y), (x + width, base), (x - width, base)], color)
                side = [(x, y), (x + width, base), (x + width * 0.2, base)]
                canvas.polygon(side, darker(color, 0.9), opacity=0.14)
                slope, depth = width / (base - y), 22.0
                half = slope * depth
                with canvas.part("snow"):
                    canvas.polygon(
                        [
                            (x, y),
                            (x + half, y + depth),
                            (x + half * 0.55, y + depth * 0.75),
                            (x + half * 0.2, y + depth * 1.15),
                            (x - half * 0.2, y + depth * 0.8),
                            (x - half * 0.6, y + depth * 1.1),
                            (x - half, y + depth),
                        ],
                        mix(white, light.sky[1], fade * 0.6),
                    )


def _pines(canvas: Canvas, rng: random.Random, light: Light, side: int) -> None:
    spots = {0: (12, 34, 92, 116), -1: (84, 104, 120), 1: (8, 24, 44)}[side]
    for x in sorted(rng.sample(spots, rng.choice((2, 3)))):
        place = canvas.placed(
            x + rng.uniform(-4, 4), rng.uniform(100, 114), scale=rng.uniform(0.9, 1.25)
        )
        with place, canvas.part("pine trees", "trees", "tree"):
            canvas.rectangle(-2.2, -10, 2.2, 2, lit(light, TRUNK))
            draw_pine(canvas, lit(light, vary(rng, PINE, 8)))
            with canvas.part("snow"):
                for y, half in ((-8, 12), (-18, 10), (-28, 7.5)):
                    canvas.polygon(
                        [
                            (0, y - 16),
                            (half * 0.72, y - 4.5),
                            (half * 0.35, y - 7),
                            (0, y - 4),
                            (-half * 0.35, y - 7),
                            (-half * 0.72, y - 4.5),
                        ],
                        _cold(light),
                    )


def _lake(canvas: Canvas, rng: random.Random, light: Light) -> None:
    with canvas.part("lake", "ice"):
        ice = lit(light, (150, 206, 236))
        x = 64 + rng.uniform(-8, 8)
        canvas.ellipse(x, 113, 44, 10, Gradient(lighter(ice, 0.35), ice))
        for dx, dy, size in ((-18, 2, 12), (6, -2, 15), (12, 5, 9)):
            canvas.stroke(
                [(x + dx, 113 + dy), (x + dx + size, 111 + dy)], 1, lighter(ice, 0.75)
            )


def _cabin(canvas: Canvas, rng: random.Random, light: Light, x: float) -> None:
    log, white = softly(light, (150, 96, 60)), _cold(light)
    for i, (dx, dy) in enumerate(((0, 0), (3, -7), (-1, -14), (4, -22))):
        size = 3 + i * 0.9
        canvas.circle(
            x + 11 + dx, 68 + dy, size, lighter(light.sky[1], 0.4), opacity=0.7
        )
    with canvas.placed(x, 113), canvas.part("cabin", "house"):
        with canvas.part("chimney"):
            canvas.rectangle(8, -42, 14, -26, softly(light, (150, 74, 62)))
            canvas.rectangle(7, -44, 15, -41, white)
        canvas.rectangle(-20, -22, 20, 3, log)
        for y in (-17, -12, -7, -2):
            canvas.stroke([(-20, y), (20, y)], 1, darker(log, 0.25), bend=False)
        with canvas.part("roof"):
            canvas.polygon([(-20, -20), (0, -38), (20, -20)], darker(log, 0.2))
            with canvas.part("snow"):
                canvas.stroke([(-24, -19), (0, -40), (24, -19)], 5.5, white, bend=False)
        with canvas.part("door"):
            canvas.rectangle(-4, -13, 5, 3, softly(light, (96, 60, 46)))
            canvas.circle(3, -5, 0.9, (248, 214, 110))
        with canvas.part("windows", "window"):
            for left in (-16, 9):
                canvas.rectangle(left, -16, left + 8, -8, (255, 222, 120))
                canvas.stroke([(left + 4, -16), (left + 4, -8)], 0.9, log)
    with canvas.part("snow"):
        canvas.ellipse(x, 117, 27, 3.5, lighter(white, 0.2))


def _snowman(canvas: Canvas, light: Light, scarf: Color) -> None:
    white = mix(SNOW, light.tint, light.strength * 0.35)
    shade = Gradient(lighter(white, 0.3), mix(white, (120, 150, 210), 0.3))
    wood = softly(light, (116, 78, 52))
    canvas.ellipse(0, 0, 22, 3.5, (40, 60, 110), opacity=0.22)
    with canvas.part("snowman"):
        with canvas.part("arms"):
            for side in (-1, 1):
                canvas.stroke([(side * 11, -30), (side * 26, -40)], 1.8, wood)
                canvas.stroke([(side * 22, -37.5), (side * 27, -34)], 1.4, wood)
        canvas.circle(0, -15, 17, shade)
        canvas.circle(0, -36, 13, shade)
        with canvas.part("head", "face"):
            canvas.circle(0, -54, 10.5, shade)
            with canvas.part("eyes"):
                for side in (-1, 1):
                    canvas.circle(side * 4, -57, 1.5, INK)
            for x, y in ((-5, -50.5), (-2.6, -49), (0, -48.4), (2.6, -49), (5, -50.5)):
                canvas.circle(x, y, 0.9, INK)
            with canvas.part("nose"):
                canvas.polygon(
                    [(0, -55.5), (0, -52), (10, -52.5)], softly(light, (244, 130, 40))
                )
        with canvas.part("buttons"):
            for y in (-38, -32, -26):
                canvas.circle(0, y, 1.6, INK)
        with canvas.part("scarf"):
            cloth = softly(light, scarf)
            canvas.stroke([(-9, -46), (0, -43.5), (9, -46)], 5, cloth)
            canvas.stroke([(6, -44), (9, -36), (8, -31)], 4.6, darker(cloth, 0.1))
        with canvas.part("hat"):
            canvas.rectangle(-7.5, -78, 7.5, -63, softly(light, INK))
            canvas.rectangle(-7.5, -67.5, 7.5, -64.5, cloth)
            canvas.stroke([(-12, -63), (12, -63)], 3, softly(light, INK), bend=False)


SAID = tables("winter")
CORES = SAID["landscapes"]
ANY = SAID["any"]
LEADS = SAID["things"]


def _seen(attributes: Mapping[str, str]) -> dict[str, bool]:
    thing, scarf = attributes["thing"], attributes["scarf"]
    return {
        "pine trees": attributes["pines"] == "yes",
        f"a snowman in {with_article(scarf)} scarf": thing == "snowman",
        "a cabin": thing == "cabin",
        "a frozen lake": thing == "lake",
    }


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    thing, seen = attributes["thing"], _seen(attributes)
    if thing != "none" and chance(rng, 0.5):
        core = rng.choice(LEADS[thing])
        if thing == "snowman" and chance(rng, 0.4):
            core += f" with {with_article(attributes['scarf'])} scarf"
        core += rng.choice((" in the snow", " in winter", "", ", snow"))
        seen = {"pine trees": seen["pine trees"]}
    else:
        kind = attributes["place"]
        core = rng.choice(CORES[kind] if chance(rng, 0.7) else ANY)
        seen["trees"] = seen["pine trees"]
        seen["a snowman"] = thing == "snowman"
    details = told(rng, seen, (0, 0, 1, 1, 2))
    details = [d for d in details if not (d == "trees" and "pine trees" in details)]
    details = [d for d in details if d != "a snowman" or len(details) == 1]
    details += told(rng, sky_details(attributes), (0, 0, 0, 1))
    return with_details(rng, core, details, attributes)


def _plain(attributes: Mapping[str, str]) -> str:
    return plain_view(f"winter {attributes['place']}", _seen(attributes), attributes)


WINTER = Group(
    name="winter",
    share=0.12,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("time", "weather", "place", "pines", "thing", "scarf"),
    media=("photo of", "a painting of"),
    words=Words(
        plain=_plain,
        main=r"^winter (mountains|hills) (by day|at sunset|at night)\b",
        things=("pine trees", "lake", "cabin", "snowman"),
        pieces=("scarf", "buttons", "arms", "hat", "chimney"),
        others={"cabin": ("log cabin",), "lake": ("frozen lake",)},
        colored={"scarf": ("scarf", SCARVES)},
        also="falling winter",
        alike=(
            "cabin, log cabin, house, chimney",
            "lake, frozen lake, ice, water, sea",
            "pine trees, trees",
        ),
        arguable="wall background leaf leaves body floor meadow hills hill field water",
    ),
)
