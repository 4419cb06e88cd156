"""Mountains, hills and the sea, by day, at sunset and at night."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from storybook.world.canvas import Canvas, Color, Gradient, Point
from storybook.world.colors import COLORS, darker, lighter, mix, vary
from storybook.world.landscape_words import describe
from storybook.world.scene import Face, Group, Picker
from storybook.world.words import chance


@dataclass(frozen=True)
class Light:
    """The colours of a time of day."""

    sky: tuple[Color, Color]
    tint: Color
    """What everything on the ground is mixed with."""
    strength: float
    cloud: Color
    sea: tuple[Color, Color]
    rock: Color
    window: Color


LIGHTS = {
    "day": Light(
        sky=((104, 178, 238), (222, 240, 252)),
        tint=(255, 255, 255),
        strength=0.0,
        cloud=(255, 255, 255),
        sea=((52, 132, 200), (96, 184, 222)),
        rock=(136, 148, 176),
        window=(255, 236, 150),
    ),
    "sunset": Light(
        sky=((104, 66, 136), (255, 164, 84)),
        tint=(112, 62, 96),
        strength=0.32,
        cloud=(250, 168, 150),
        sea=((214, 112, 92), (98, 62, 118)),
        rock=(136, 112, 158),
        window=(255, 224, 110),
    ),
    "night": Light(
        sky=((12, 14, 46), (48, 58, 122)),
        tint=(18, 24, 62),
        strength=0.66,
        cloud=(74, 82, 128),
        sea=((26, 36, 92), (14, 18, 54)),
        rock=(84, 92, 140),
        window=(255, 220, 104),
    ),
}
SUN, MOON = (255, 214, 74), (250, 240, 202)
GRASS, LEAF, PINE, TRUNK = (112, 184, 84), (66, 146, 74), (38, 106, 78), (112, 76, 52)


def _choose(pick: Picker) -> None:
    place = pick("place", {"mountains": 0.36, "hills": 0.34, "sea": 0.3})
    time = pick("time", {"day": 0.38, "sunset": 0.3, "night": 0.32})
    bodies = {"day": ("sun", "none"), "sunset": ("sun",), "night": ("moon", "crescent")}
    pick("body", bodies[time])
    pick("stars", ("yes",) if time == "night" else ("no",))
    pick("clouds", {"no": 0.6, "yes": 0.4})
    if place == "sea":
        pick("boat", {"no": 0.45, "yes": 0.55})
        pick("sail", ("red", "white", "orange", "yellow", "pink"))
    else:
        pick("trees", {"no": 0.3, "trees": 0.4, "pines": 0.3})
        pick("house", {"no": 0.6, "yes": 0.4})
        pick("snow", {"yes": 0.7, "no": 0.3} if place == "mountains" else ("no",))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    light = LIGHTS[attributes["time"]]
    top, bottom = (vary(rng, color, 6) for color in light.sky)
    with canvas.part("sky"):
        canvas.rectangle(0, 0, 128, 96, Gradient(top, bottom))
        if attributes["stars"] == "yes":
            _stars(canvas, rng)
        _sun_or_moon(canvas, rng, attributes)
        if attributes["clouds"] == "yes":
            _clouds(canvas, rng, light)
    place = attributes["place"]
    if place == "sea":
        _sea(canvas, rng, attributes, light)
        return ()
    if place == "mountains":
        _mountains(canvas, rng, light, snow=attributes["snow"] == "yes")
    _meadow(canvas, rng, light, layers=3 if place == "hills" else 1)
    if attributes["house"] == "yes":
        _house(canvas, rng, light)
    if attributes["trees"] != "no":
        _trees(canvas, rng, light, attributes)
    return ()


def _lit(light: Light, color: Color) -> Color:
    return mix(color, light.tint, light.strength)


def _stars(canvas: Canvas, rng: random.Random) -> None:
    with canvas.part("stars"):
        for _ in range(rng.randint(16, 28)):
            x, y = rng.uniform(2, 126), rng.uniform(2, 62)
            canvas.circle(x, y, rng.choice((0.6, 0.8, 1.1)), (255, 250, 226))


def _sun_or_moon(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> None:
    body = attributes["body"]
    x, y = rng.uniform(22, 106), rng.uniform(18, 30)
    if body == "sun" and attributes["time"] == "sunset":
        y = rng.uniform(52, 64) if attributes["place"] != "hills" else 56.0
        canvas.glow(x, y, 44, (255, 190, 100))
        with canvas.part("sun"):
            canvas.circle(x, y, 17, Gradient((255, 230, 130), (255, 172, 70)))
    elif body == "sun":
        canvas.glow(x, y, 26, (255, 244, 190))
        with canvas.part("sun"):
            canvas.circle(x, y, 11, SUN)
    elif body == "moon":
        canvas.glow(x, y, 24, (122, 126, 176))
        with canvas.part("moon"):
            canvas.circle(x, y, 11, MOON)
            for dx, dy, r in ((-3, -3, 2.2), (4, 1, 1.6), (-1, 5, 1.4)):
                canvas.circle(x + dx, y + dy, r, (230, 218, 178))
    elif body == "crescent":
        with canvas.part("moon"):
            canvas.polygon(_crescent(x, y, 11), MOON)


def _crescent(x: float, y: float, radius: float) -> list[Point]:
    outer = [math.radians(a) for a in range(40, 321, 8)]
    inner = [math.radians(a) for a in range(320, 39, -8)]
    outline = [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in outer]
    half, edge = (
        radius * math.sin(math.radians(40)),
        radius * math.cos(math.radians(40)),
    )
    for a in inner:
        share = (math.degrees(a) - 180) / 140
        bulge = edge - 1.05 * radius * math.cos(share * math.pi / 2)
        outline.append((x + bulge, y - half * math.sin(share * math.pi / 2)))
    return outline


def _clouds(canvas: Canvas, rng: random.Random, light: Light) -> None:
    with canvas.part("clouds", "cloud"):
        for x in rng.sample((18, 50, 80, 110), rng.choice((2, 2, 3))):
            size = rng.uniform(0.8, 1.2)
            with canvas.placed(x + rng.uniform(-6, 6), rng.uniform(14, 40), scale=size):
                for dx, dy, r in ((-8, 0, 5), (-2, -3, 6.5), (6, -1, 5.5)):
                    canvas.circle(dx, dy, r, light.cloud)
                canvas.ellipse(-1, 2, 14, 4, light.cloud)


def _mountains(canvas: Canvas, rng: random.Random, light: Light, *, snow: bool) -> None:
    far, near = light.rock, mix(light.rock, _lit(light, (62, 92, 92)), 0.55)
    for color, low, high, base in ((far, 32, 50, 96), (near, 58, 70, 104)):
        start = rng.uniform(-20, 0)
        peaks = [start + i * rng.uniform(38, 46) for i in range(5)]
        with canvas.part("mountains", "mountain"):
            for x in peaks:
                y, width = rng.uniform(low, high), rng.uniform(34, 44)
                paint = Gradient(lighter(color, 0.12), darker(color, 0.1))
                canvas.polygon([(x, y), (x + width, base), (x - width, base)], paint)
                side = [(x, y), (x + width, base), (x + width * 0.2, base)]
                canvas.polygon(side, darker(color, 0.9), opacity=0.14)
                if snow and color == far:
                    _snow_cap(canvas, x, y, width / (base - y), light)


def _snow_cap(canvas: Canvas, x: float, y: float, slope: float, light: Light) -> None:
    depth = 13.0
    half = depth * slope
    white = mix((250, 252, 255), light.tint, light.strength * 0.5)
    with canvas.part("snow"):
        canvas.polygon(
            [
                (x, y),
                (x + half, y + depth),
                (x + half * 0.45, y + depth * 0.72),
                (x + half * 0.05, y + depth * 1.05),
                (x - half * 0.45, y + depth * 0.7),
                (x - half, y + depth),
            ],
            white,
        )


def _meadow(canvas: Canvas, rng: random.Random, light: Light, *, layers: int) -> None:
    with canvas.part("meadow", "grass", "hills"):
        for i in range(layers):
            depth = (i + 1) / layers
            level = 96 - (layers - 1 - i) * 15
            swing = 10 if layers > 1 else 4
            color = mix(lighter(GRASS, 0.25), vary(rng, GRASS, 10), depth)
            color = _lit(light, darker(color, 0.04 * i))
            turn = rng.uniform(0, 6.3)
            wave = rng.uniform(60, 90)
            edge = [
                (x, level + swing * math.sin(turn + x / wave * 2 * math.pi) - 4)
                for x in range(-4, 133, 4)
            ]
            paint = Gradient(lighter(color, 0.08), darker(color, 0.12))
            canvas.polygon([*edge, (132, 132), (-4, 132)], paint)


def _house(canvas: Canvas, rng: random.Random, light: Light) -> None:
    x = rng.choice((rng.uniform(26, 44), rng.uniform(84, 104)))
    wall = _lit(light, rng.choice(((248, 236, 214), (240, 214, 184), (226, 230, 236))))
    roof = _lit(light, rng.choice(((196, 66, 58), (150, 72, 52), (96, 92, 126))))
    with canvas.placed(x, 106, scale=rng.uniform(0.95, 1.15)), canvas.part("house"):
        canvas.rectangle(7, -29, 11, -16, darker(roof, 0.2))
        canvas.rectangle(-15, -18, 15, 2, Gradient(wall, darker(wall, 0.12)))
        with canvas.part("roof"):
            canvas.polygon([(-19, -17), (0, -33), (19, -17)], roof)
        with canvas.part("door"):
            canvas.rectangle(-4, -10, 4, 2, _lit(light, (124, 78, 54)))
        with canvas.part("windows"):
            canvas.rectangle(-12, -13, -6.5, -6, light.window)
            canvas.rectangle(6.5, -13, 12, -6, light.window)


def _trees(
    canvas: Canvas, rng: random.Random, light: Light, attributes: dict[str, str]
) -> None:
    spots = [14, 34, 64, 94, 114] if attributes["house"] == "no" else [8, 64, 120]
    for x in sorted(rng.sample(spots, rng.choice((1, 2, 3)))):
        size, ground = rng.uniform(0.9, 1.2), rng.uniform(106, 120)
        place = canvas.placed(x + rng.uniform(-5, 5), ground, scale=size)
        with place, canvas.part("trees", "tree"):
            canvas.rectangle(-2.2, -14, 2.2, 2, _lit(light, TRUNK))
            if attributes["trees"] == "pines":
                _pine(canvas, _lit(light, vary(rng, PINE, 10)))
            else:
                _crown(canvas, _lit(light, vary(rng, LEAF, 12)))


def _pine(canvas: Canvas, color: Color) -> None:
    for y, half in ((-8, 12), (-18, 10), (-28, 7.5)):
        paint = Gradient(lighter(color, 0.1), darker(color, 0.1))
        canvas.polygon([(0, y - 16), (half, y), (-half, y)], paint)


def _crown(canvas: Canvas, color: Color) -> None:
    for dx, dy, r in ((-7, -20, 8), (7, -20, 8), (0, -28, 9), (0, -18, 8)):
        canvas.circle(dx, dy, r, darker(color, 0.08))
    canvas.circle(-2, -27, 6, lighter(color, 0.12))


def _sea(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str], light: Light
) -> None:
    level = rng.uniform(70, 78)
    with canvas.part("sea", "water"):
        canvas.rectangle(0, level, 128, 128, Gradient(*light.sea))
        crest = lighter(light.sea[0], 0.35)
        for _ in range(9):
            x, y = rng.uniform(0, 118), rng.uniform(level + 6, 116)
            length = rng.uniform(6, 14)
            canvas.stroke([(x, y), (x + length / 2, y - 1), (x + length, y)], 1, crest)
    if chance(rng, 0.5):
        sand = _lit(light, (240, 214, 160))
        edge = [(x, 120 + 3 * math.sin(x / 22)) for x in range(-4, 133, 4)]
        with canvas.part("beach"):
            canvas.polygon(
                [*edge, (132, 132), (-4, 132)], Gradient(sand, darker(sand, 0.1))
            )
    if attributes["boat"] == "yes":
        _boat(canvas, rng, COLORS[attributes["sail"]], light, level)


def _boat(
    canvas: Canvas, rng: random.Random, sail: Color, light: Light, level: float
) -> None:
    x, size = rng.uniform(34, 94), rng.uniform(0.95, 1.25)
    hull, sail = _lit(light, (140, 86, 58)), mix(sail, light.tint, light.strength / 2)
    place = canvas.placed(x, level + 20, scale=size, flip=chance(rng, 0.5))
    with place, canvas.part("boat"):
        canvas.ellipse(0, 1, 20, 2.5, darker(light.sea[0], 0.8), opacity=0.25)
        canvas.stroke([(0, -10), (0, -42)], 1.6, darker(hull, 0.3))
        with canvas.part("sail"):
            canvas.polygon([(2, -41), (19, -14), (2, -14)], sail)
            canvas.polygon([(-2, -37), (-2, -14), (-13, -14)], lighter(sail, 0.25))
        canvas.blob([(-18, -10), (0, -9), (18, -10), (12, 0), (-12, 0)], hull)


LANDSCAPES = Group(
    name="landscapes",
    share=0.18,
    choose=_choose,
    draw=_draw,
    describe=describe,
    key=("place", "time", "body", "clouds", "trees", "house", "boat", "sail"),
    media=("photo of", "a painting of"),
)
