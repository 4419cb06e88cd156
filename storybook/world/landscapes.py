"""Mountains, hills and the sea, by day, at sunset and at night."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import COLORS, darker, lighter, mix, vary
from storybook.world.landscape_words import describe
from storybook.world.scene import Face, Group, Picker
from storybook.world.sky import (
    GRASS,
    LEAF,
    LIGHTS,
    PINE,
    TRUNK,
    Light,
    draw_body,
    draw_clouds,
    draw_crown,
    draw_pine,
    draw_stars,
    lit,
)
from storybook.world.words import chance


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
            draw_stars(canvas, rng)
        _sun_or_moon(canvas, rng, attributes)
        if attributes["clouds"] == "yes":
            draw_clouds(canvas, rng, light)
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


def _sun_or_moon(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> None:
    x, y = rng.uniform(22, 106), rng.uniform(18, 30)
    low = attributes["time"] == "sunset"
    if low:
        y = rng.uniform(52, 64) if attributes["place"] != "hills" else 56.0
    draw_body(canvas, attributes["body"], x, y, low=low)


def _mountains(canvas: Canvas, rng: random.Random, light: Light, *, snow: bool) -> None:
    far, near = light.rock, mix(light.rock, lit(light, (62, 92, 92)), 0.55)
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
            color = lit(light, darker(color, 0.04 * i))
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
    wall = lit(light, rng.choice(((248, 236, 214), (240, 214, 184), (226, 230, 236))))
    roof = lit(light, rng.choice(((196, 66, 58), (150, 72, 52), (96, 92, 126))))
    with canvas.placed(x, 106, scale=rng.uniform(0.95, 1.15)), canvas.part("house"):
        canvas.rectangle(7, -29, 11, -16, darker(roof, 0.2))
        canvas.rectangle(-15, -18, 15, 2, Gradient(wall, darker(wall, 0.12)))
        with canvas.part("roof"):
            canvas.polygon([(-19, -17), (0, -33), (19, -17)], roof)
        with canvas.part("door"):
            canvas.rectangle(-4, -10, 4, 2, lit(light, (124, 78, 54)))
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
            canvas.rectangle(-2.2, -14, 2.2, 2, lit(light, TRUNK))
            if attributes["trees"] == "pines":
                draw_pine(canvas, lit(light, vary(rng, PINE, 10)))
            else:
                draw_crown(canvas, lit(light, vary(rng, LEAF, 12)))


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
        sand = lit(light, (240, 214, 160))
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
    hull, sail = lit(light, (140, 86, 58)), mix(sail, light.tint, light.strength / 2)
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
