"""Where vehicles are: roads, rails, the sea, the sky and space."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from storybook.world.canvas import Canvas, Gradient
from storybook.world.colors import darker, lighter, vary
from storybook.world.sky import (
    LEAF,
    PINE,
    TRUNK,
    Light,
    draw_crown,
    draw_pine,
    lit,
    softly,
)
from storybook.world.words import chance


def draw_planets(canvas: Canvas, rng: random.Random) -> None:
    x, y = rng.choice(((22, 30), (106, 34), (24, 96))), rng.uniform(0.8, 1.1)
    with canvas.part("planet"), canvas.placed(*x, scale=y):
        canvas.circle(0, 0, 13, Gradient((250, 190, 110), (222, 130, 84)))
        canvas.stroke([(-21, 5), (0, 3), (21, -5)], 3, (252, 226, 172))
    with canvas.part("moon"):
        canvas.circle(104, 104, 15, (226, 226, 232))
        for dx, dy, r in ((-5, -4, 3), (5, 2, 2.2), (-2, 7, 1.8)):
            canvas.circle(104 + dx, 104 + dy, r, (198, 200, 210))


def _hills(canvas: Canvas, rng: random.Random, light: Light) -> None:
    green = lit(light, vary(rng, (112, 184, 84), 8))
    with canvas.part("hills", "meadow", "grass"):
        for level, swing, tone in ((74, 7, 0.2), (88, 5, 0.05)):
            turn = rng.uniform(0, 6)
            edge = [
                (x, level + swing * math.sin(turn + x / 15)) for x in range(-4, 133, 4)
            ]
            canvas.polygon([*edge, (132, 132), (-4, 132)], lighter(green, tone))
    for x in rng.sample((10, 30, 98, 118), rng.choice((1, 2, 3))):
        with canvas.placed(x, 94, scale=0.9), canvas.part("trees", "tree"):
            canvas.rectangle(-2.2, -14, 2.2, 2, lit(light, TRUNK))
            draw_crown(canvas, lit(light, vary(rng, LEAF, 10)))


def _peaks(canvas: Canvas, rng: random.Random, light: Light) -> None:
    with canvas.part("mountains", "mountain"):
        start = rng.uniform(-10, 10)
        for i in range(4):
            x, y = start + i * 40, rng.uniform(36, 54)
            canvas.polygon([(x, y), (x + 36, 100), (x - 36, 100)], light.rock)
            canvas.polygon(
                [(x, y), (x + 36, 100), (x + 8, 100)], darker(light.rock, 0.12)
            )
            snow = lit(light, (250, 252, 255))
            with canvas.part("snow"):
                canvas.polygon(
                    [
                        (x, y),
                        (x + 9, y + 15),
                        (x + 3, y + 12),
                        (x - 3, y + 16),
                        (x - 9, y + 15),
                    ],
                    snow,
                )
    with canvas.part("meadow", "grass"):
        green = lit(light, vary(rng, (112, 184, 84), 8))
        canvas.rectangle(0, 92, 128, 128, Gradient(green, darker(green, 0.12)))


def _white_hills(canvas: Canvas, rng: random.Random, light: Light) -> None:
    snow = lit(light, (240, 245, 253))
    with canvas.part("snow"):
        canvas.ellipse(28, 104, 80, 26, darker(snow, 0.05))
        canvas.ellipse(104, 108, 90, 24, snow)
        canvas.rectangle(0, 100, 128, 128, snow)
    for x in rng.sample((10, 32, 96, 118), 3):
        with (
            canvas.placed(x, 94, scale=0.95),
            canvas.part("trees", "tree", "pine trees"),
        ):
            canvas.rectangle(-2.2, -10, 2.2, 2, lit(light, TRUNK))
            draw_pine(canvas, lit(light, PINE))
            with canvas.part("snow"):
                canvas.polygon([(0, -44), (5, -34), (0, -36), (-5, -34)], snow)


def _houses(canvas: Canvas, rng: random.Random, light: Light) -> None:
    x = rng.uniform(-10, 0)
    while x < 128:
        width, top = rng.uniform(16, 26), rng.uniform(34, 66)
        tone = rng.choice(
            ((120, 140, 176), (176, 126, 104), (150, 150, 160), (96, 130, 150))
        )
        wall = softly(light, tone)
        with canvas.part("city", "buildings", "building"):
            canvas.rectangle(
                x, top, x + width, 100, Gradient(lighter(wall, 0.08), wall)
            )
            shut = lighter(wall, 0.4) if light.strength < 0.2 else darker(wall, 0.3)
            with canvas.part("windows", "window"):
                for y in range(int(top) + 5, 92, 9):
                    for dx in range(3, int(width) - 4, 7):
                        shine = chance(rng, light.strength)
                        canvas.rectangle(
                            x + dx,
                            y,
                            x + dx + 3.6,
                            y + 4.6,
                            light.window if shine else shut,
                        )
        x += width + rng.uniform(0, 3)


def _sands(canvas: Canvas, rng: random.Random, light: Light) -> None:
    sand = lit(light, vary(rng, (240, 202, 128), 6))
    with canvas.part("desert", "sand"):
        canvas.ellipse(24, 98, 84, 18, darker(sand, 0.06))
        canvas.ellipse(108, 102, 80, 22, sand)
        canvas.rectangle(0, 96, 128, 128, sand)
    green = softly(light, (84, 150, 84))
    with canvas.part("cactus", "plant"):
        x = rng.choice((12, 116))
        canvas.stroke([(x, 96), (x, 64)], 7, green, bend=False)
        canvas.stroke([(x, 84), (x + 9, 82), (x + 9, 72)], 4.6, green)
        canvas.stroke([(x, 78), (x - 9, 76), (x - 9, 66)], 4.6, green)


def _open_sea(canvas: Canvas, rng: random.Random, light: Light) -> None:
    with canvas.part("sea", "water"):
        canvas.rectangle(0, 82, 128, 128, Gradient(*light.sea))


def draw_waves(canvas: Canvas, rng: random.Random, light: Light) -> None:
    crest = lighter(light.sea[0], 0.3)
    with canvas.part("sea", "water"):
        edge = [(x, 104 + 1.6 * math.sin(x / 5)) for x in range(-4, 133, 2)]
        canvas.polygon([*edge, (132, 132), (-4, 132)], light.sea[1])
        for _ in range(7):
            x, y = rng.uniform(0, 116), rng.uniform(109, 124)
            canvas.stroke([(x, y), (x + 5, y - 1), (x + 10, y)], 1, crest)


def _pad(canvas: Canvas, rng: random.Random, light: Light) -> None:
    with canvas.part("ground"):
        earth = lit(light, (166, 148, 124))
        canvas.rectangle(0, 112, 128, 128, Gradient(earth, darker(earth, 0.15)))
    with canvas.part("smoke"):
        puff = softly(light, (240, 240, 244))
        for x, r in ((20, 10), (38, 14), (56, 15), (74, 15), (92, 14), (108, 10)):
            canvas.circle(x + rng.uniform(-2, 2), 118, r, puff)
            canvas.circle(x - 2, 114, r * 0.6, lighter(puff, 0.4))


BACKDROPS: dict[str, Callable[[Canvas, random.Random, Light], None]] = {
    "country": _hills,
    "mountains": _peaks,
    "snow": _white_hills,
    "city": _houses,
    "desert": _sands,
    "sea": _open_sea,
    "launch": _pad,
}


def draw_road(canvas: Canvas, light: Light, *, sandy: bool) -> None:
    tar = lit(light, (150, 128, 104) if sandy else (98, 102, 112))
    with canvas.part("road", "street"):
        canvas.rectangle(0, 98, 128, 122, Gradient(tar, darker(tar, 0.1)))
        for x in range(2, 128, 22):
            canvas.rectangle(x, 115.5, x + 12, 117.5, lighter(tar, 0.65))
    side = lit(light, (232, 192, 120) if sandy else (120, 180, 90))
    with canvas.part("grass" if not sandy else "sand"):
        canvas.rectangle(0, 122, 128, 128, side)


def draw_rails(canvas: Canvas, light: Light) -> None:
    with canvas.part("rails", "tracks"):
        for x in range(-4, 132, 9):
            canvas.rectangle(x, 112, x + 5, 116, lit(light, (122, 86, 60)))
        canvas.rectangle(0, 110.5, 128, 112.5, lit(light, (120, 126, 136)))
