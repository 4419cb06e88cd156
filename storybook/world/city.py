"""The city: a skyline over a street, a river or a park, its windows lit at night."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import COLORS, darker, lighter, mix, vary
from storybook.world.lists import tables
from storybook.world.scene import Face, Group, Picker, Words
from storybook.world.sky import (
    LEAF,
    TRUNK,
    Light,
    choose_sky,
    draw_crown,
    draw_sky,
    draw_weather,
    lit,
    sky_details,
    sky_plain,
    sky_seen,
    softly,
    with_details,
)
from storybook.world.words import chance, said, told, with_article

TONES: dict[str, tuple[Color, ...]] = {
    "gray": ((126, 134, 148), (150, 156, 166), (106, 114, 130)),
    "blue": ((84, 126, 186), (64, 104, 166), (110, 152, 204)),
    "brown": ((168, 112, 84), (144, 92, 72), (188, 136, 100)),
    "colorful": ((232, 110, 96), (246, 190, 84), (94, 172, 164), (140, 112, 190)),
}
SNOW: Color = (240, 244, 252)
CARS = ("none", "red", "yellow", "blue", "white", "green")


def _choose(pick: Picker) -> None:
    choose_sky(pick, {"clear": 0.55, "rain": 0.18, "snow": 0.13, "fog": 0.14})
    pick("buildings", {"gray": 0.25, "blue": 0.25, "brown": 0.2, "colorful": 0.3})
    front = pick("front", {"street": 0.45, "river": 0.3, "park": 0.25})
    pick("car", CARS if front == "street" else ("none",))
    pick("bridge", ("yes", "no") if front == "river" else ("no",))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    light = draw_sky(canvas, rng, attributes, low=42.0)
    snowy, front = attributes["weather"] == "snow", attributes["front"]
    with canvas.part("city", "buildings", "building"):
        _skyline(canvas, rng, light, attributes, 0.45)
        _skyline(canvas, rng, light, attributes, 0.0)
    FRONTS[front](canvas, rng, light, attributes)
    if snowy and front == "park":
        with canvas.part("snow"):
            canvas.ellipse(64, 128, 84, 13, lit(light, SNOW))
    draw_weather(canvas, rng, attributes, light)
    return ()


def _skyline(
    canvas: Canvas,
    rng: random.Random,
    light: Light,
    attributes: Mapping[str, str],
    haze: float,
) -> None:
    """Draw a row of buildings, the far ones paler and without windows."""
    x, tones = rng.uniform(-8, 0), TONES[attributes["buildings"]]
    last = tones[0]
    while x < 128:
        width = rng.uniform(13, 18) if haze else rng.uniform(15, 22)
        top = rng.uniform(40, 60) if haze else rng.uniform(54, 80)
        tone = rng.choice([each for each in tones if each != last])
        color = mix(softly(light, vary(rng, tone, 5)), light.sky[1], haze)
        last = tone
        _tower(canvas, rng, light, (x, x + width, top), color, far=haze > 0)
        if attributes["weather"] == "snow" and not haze:
            with canvas.part("snow"):
                canvas.rectangle(
                    x - 0.5, top - 2, x + width + 0.5, top + 1.2, lit(light, SNOW)
                )
        x += width + (rng.uniform(-2, 0) if haze else rng.uniform(0, 3))


def _tower(
    canvas: Canvas,
    rng: random.Random,
    light: Light,
    box: tuple[float, float, float],
    color: Color,
    *,
    far: bool,
) -> None:
    left, right, top = box
    middle = (left + right) / 2
    roof = rng.choice(("flat", "flat", "step", "point", "mast"))
    if roof == "step":
        canvas.rectangle(left + 3, top - 6, right - 3, top + 1, darker(color, 0.08))
    elif roof == "point":
        canvas.polygon(
            [(left, top), (middle, top - 11), (right, top)], darker(color, 0.15)
        )
    elif roof == "mast":
        canvas.stroke([(middle, top), (middle, top - 12)], 1.1, darker(color, 0.2))
    canvas.rectangle(left, top, right, 112, Gradient(lighter(color, 0.06), color))
    if far:
        return
    canvas.rectangle(right - 2.5, top, right, 112, darker(color, 0.13))
    columns = 3 if right - left > 18 else 2
    step = (right - left - 3) / columns
    glass = mix(lighter(color, 0.45), light.sky[0], 0.35)
    dim = darker(color, 0.3)
    share = 0.62 if light.strength > 0.5 else 0.4 if light.strength > 0.2 else 0.0
    with canvas.part("windows", "window"):
        y = top + 4.0
        while y < 104:
            for i in range(columns):
                x = left + 1.8 + i * step
                shut = dim if share else glass
                shine = light.window if chance(rng, share) else shut
                canvas.rectangle(x, y, x + step - 1.8, y + 3.6, shine)
            y += 6.8


def _street(
    canvas: Canvas, rng: random.Random, light: Light, attributes: Mapping[str, str]
) -> None:
    snowy = attributes["weather"] == "snow"
    with canvas.part("sidewalk"):
        stone = lit(light, SNOW if snowy else (196, 194, 190))
        canvas.rectangle(0, 100, 128, 106, stone)
    with canvas.part("street", "road"):
        tar = lit(light, (190, 196, 208) if snowy else (92, 96, 106))
        canvas.rectangle(0, 106, 128, 128, Gradient(tar, darker(tar, 0.12)))
        for x in range(4, 128, 24):
            canvas.rectangle(x, 116, x + 12, 118, lighter(tar, 0.6))
    for x in (16, 106):
        _lamp(canvas, light, x + rng.uniform(-4, 4))
    if attributes["car"] != "none":
        place = canvas.placed(
            rng.uniform(46, 84), 121, scale=1.05, flip=chance(rng, 0.5)
        )
        with place, canvas.part("car"):
            _car(canvas, light, COLORS[attributes["car"]])


def _lamp(canvas: Canvas, light: Light, x: float) -> None:
    pole = lit(light, (56, 60, 70))
    if light.strength > 0.5:
        canvas.glow(x, 76, 13, (255, 226, 140))
    with canvas.part("lamp"):
        canvas.stroke([(x, 106), (x, 79)], 1.6, pole, bend=False)
        bulb = (255, 232, 150) if light.strength > 0.2 else (250, 248, 236)
        canvas.circle(x, 76, 3.2, bulb)
        canvas.polygon([(x - 3.4, 74), (x, 71), (x + 3.4, 74)], pole)


def _car(canvas: Canvas, light: Light, color: Color) -> None:
    paint = softly(light, color)
    canvas.ellipse(0, 1.5, 19, 2, (30, 30, 40), opacity=0.3)
    with canvas.part("windows"):
        glass = softly(light, (190, 222, 240))
        canvas.polygon([(-11, -9), (-7, -16), (6, -16), (12, -9)], glass)
    for line in (
        [(-12, -9), (-7.5, -16.5), (6, -16.5), (12.5, -9)],
        [(0, -16), (0, -9)],
    ):
        canvas.stroke(line, 1.8, paint, bend=False)
    canvas.blob(
        [(-17, -8), (-12, -9.5), (11, -9.5), (18, -7), (18.5, -1), (0, 0), (-18, -1)],
        Gradient(paint, darker(paint, 0.15)),
    )
    for x in (-10, 10):
        with canvas.part("wheels"):
            canvas.circle(x, -0.6, 4.2, softly(light, (44, 42, 50)))
            canvas.circle(x, -0.6, 1.9, softly(light, (200, 204, 210)))
    canvas.circle(17.3, -5.4, 1.3, (255, 240, 170))


def _river(
    canvas: Canvas, rng: random.Random, light: Light, attributes: Mapping[str, str]
) -> None:
    with canvas.part("river", "water"):
        canvas.rectangle(0, 98, 128, 128, Gradient(*light.sea))
        lamp = light.window if light.strength > 0.2 else lighter(light.sea[0], 0.4)
        for _ in range(14):
            x, y = rng.uniform(0, 120), rng.uniform(102, 126)
            size = rng.uniform(4, 9)
            canvas.stroke([(x, y), (x + size, y)], 0.9, mix(light.sea[0], lamp, 0.6))
    with canvas.part("quay"):
        canvas.rectangle(0, 96, 128, 100, lit(light, (150, 140, 132)))
    if attributes["bridge"] == "yes":
        _bridge(canvas, light)


def _bridge(canvas: Canvas, light: Light) -> None:
    red = softly(light, (206, 84, 64))
    with canvas.part("bridge"):
        for x in (32, 96):
            canvas.rectangle(x - 2.5, 66, x + 2.5, 124, red)
        for x0, x1 in ((-32, 32), (32, 96), (96, 160)):
            middle = (x0 + x1) / 2
            canvas.stroke([(x0, 68), (middle, 96), (x1, 68)], 1.4, red)
        for x in range(4, 128, 8):
            height = 96 - 28 * (1 - abs(x % 64 - 32) / 32) ** 2
            canvas.stroke([(x, 107), (x, height)], 0.7, red, bend=False)
        canvas.rectangle(-2, 105, 130, 109.5, darker(red, 0.12))


def _park(
    canvas: Canvas, rng: random.Random, light: Light, attributes: Mapping[str, str]
) -> None:
    with canvas.part("park", "grass"):
        grass = lit(light, vary(rng, (112, 184, 84), 8))
        canvas.ellipse(64, 124, 104, 28, Gradient(lighter(grass, 0.1), grass))
    for x in (8, 28, 52, 78, 102, 122):
        place = canvas.placed(
            x + rng.uniform(-5, 5), rng.uniform(106, 112), scale=rng.uniform(0.6, 0.85)
        )
        with place, canvas.part("trees", "tree"):
            canvas.rectangle(-2.2, -14, 2.2, 2, lit(light, TRUNK))
            draw_crown(canvas, lit(light, vary(rng, LEAF, 12)))


FRONTS = {"street": _street, "river": _river, "park": _park}
SAID = tables("city")
CORES = SAID["any"]
TONED = SAID["toned"]
PLACES = SAID["places"]


def _seen(attributes: Mapping[str, str]) -> dict[str, bool]:
    car = attributes["car"]
    return {
        f"{with_article(car)} car": car != "none",
        "a bridge": attributes["bridge"] == "yes",
    }


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    core = rng.choice(CORES)
    tone, front = attributes["buildings"], attributes["front"]
    if chance(rng, 0.3):
        core = rng.choice(TONED).format(tone)
    elif chance(rng, 0.45):
        place = rng.choice(PLACES[front])
        core = rng.choice(("a city", "city", "the city")) + place
    seen = _seen(attributes)
    if attributes["car"] != "none":
        seen["a car"] = True
    if attributes["time"] == "night":
        seen["lit windows"] = seen["city lights"] = True
    details = told(rng, seen, (0, 0, 1, 1))
    details += told(rng, sky_details(attributes), (0, 0, 0, 1))
    return with_details(rng, core, details, attributes)


def _plain(attributes: Mapping[str, str]) -> str:
    core = f"{with_article(attributes['buildings'])} city {sky_plain(attributes)}"
    seen = said(sky_seen(attributes) | _seen(attributes))
    return f"{core} by a {attributes['front']}{seen}"


CITY = Group(
    name="city",
    share=0.14,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("time", "weather", "buildings", "front", "car", "bridge"),
    media=("photo of", "a painting of"),
    words=Words(
        plain=_plain,
        main=r"^an? (\w+) city (by day|at sunset|at night)\b",
        things=(
            *("city", "buildings", "street", "river", "park", "car", "bridge", "lamp"),
        ),
        pieces=("wheels",),
        others={
            "city": ("skyline", "skyscrapers"),
            "street": ("road",),
            "buildings": ("building", "houses"),
            "lamp": ("street lamp",),
        },
        colored={"car": ("car", CARS)},
        also="falling fog mist misty rain snow",
        alike=(
            "city, buildings, building, house, houses",
            "river, water, sea, lake",
            "street, road, path",
            "park, grass, meadow, trees",
        ),
        arguable="wall background leaf leaves body floor house door roof meadow field",
    ),
)
