"""Vehicles: cars, buses, trains, ships, rockets, planes and balloons, day and night."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from storybook.world.canvas import Canvas, Gradient
from storybook.world.colors import COLORS, vary
from storybook.world.lists import tables
from storybook.world.scene import Face, Group, Picker, Words
from storybook.world.sky import (
    PLAIN_TIMES,
    Light,
    at_time,
    draw_body,
    draw_clouds,
    draw_stars,
    light_of,
    softly,
)
from storybook.world.vehicle_kinds import KINDS
from storybook.world.vehicle_places import (
    BACKDROPS,
    draw_planets,
    draw_rails,
    draw_road,
    draw_waves,
)
from storybook.world.words import chance, color_word, told, with_article

PAINTS = (
    "red",
    "blue",
    "yellow",
    "green",
    "orange",
    "purple",
    "white",
    "black",
    "pink",
)
BRIGHT = ("red", "blue", "yellow", "green", "orange", "purple", "pink")
SHARES = {
    "car": 0.24,
    "boat": 0.16,
    "train": 0.15,
    "rocket": 0.15,
    "bus": 0.1,
    "airplane": 0.1,
    "balloon": 0.1,
}
PLACES = {
    "car": ("country", "city", "desert"),
    "bus": ("city", "country"),
    "train": ("country", "mountains", "snow"),
    "boat": ("sea",),
    "rocket": ("space", "launch"),
    "airplane": ("sky",),
    "balloon": ("sky", "country"),
}
TIMES = {"day": 0.45, "sunset": 0.25, "night": 0.3}


def _choose(pick: Picker) -> None:
    kind = pick("kind", SHARES)
    pick("color", PAINTS if kind in ("car", "boat") else BRIGHT)
    place = pick("place", PLACES[kind])
    pick("time", ("night",) if place == "space" else TIMES)


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    kind, place = attributes["kind"], attributes["place"]
    lit_by = {"time": "day"} if place == "space" else attributes
    light, flip = light_of(lit_by), chance(rng, 0.5)
    _sky(canvas, rng, attributes, light, left=flip)
    if place in BACKDROPS:
        BACKDROPS[place](canvas, rng, light)
    if kind in ("car", "bus"):
        draw_road(canvas, light, sandy=place == "desert")
    elif kind == "train":
        draw_rails(canvas, light)
    names = (kind, "vehicle", f"{attributes['color']} {kind}")
    x, y = 64 + rng.uniform(-5, 5), STANDS[kind] + rng.uniform(-2, 2)
    size = rng.uniform(0.9, 0.98)
    coat = softly(light, vary(rng, COLORS[attributes["color"]], 5))
    with canvas.placed(x, y, scale=size, flip=flip), canvas.part(*names):
        KINDS[kind](canvas, light, coat)
    if kind == "boat":
        draw_waves(canvas, rng, light)
    return ()


STANDS = {
    "car": 110,
    "bus": 111,
    "train": 110,
    "boat": 104,
    "rocket": 62,
    "airplane": 64,
    "balloon": 56,
}


def _sky(
    canvas: Canvas,
    rng: random.Random,
    attributes: Mapping[str, str],
    light: Light,
    *,
    left: bool,
) -> None:
    place, time = attributes["place"], attributes["time"]
    with canvas.part("sky"):
        if place == "space":
            canvas.fill(Gradient((14, 14, 46), (56, 36, 104)))
            draw_stars(canvas, rng)
            draw_planets(canvas, rng)
            return
        top, bottom = (vary(rng, color, 6) for color in light.sky)
        canvas.fill(Gradient(top, bottom))
        if time == "night":
            draw_stars(canvas, rng)
        body = {"night": rng.choice(("moon", "crescent"))}.get(time, "sun")
        low = time == "sunset"
        x = 104 if left else 24
        draw_body(canvas, body, x, 58 if low else 24, low=low)
        if place == "sky" or chance(rng, 0.35):
            with canvas.placed(0, 6):
                draw_clouds(canvas, rng, light)
        if place == "sky":
            for cx in (6, 38, 74, 112):
                size = rng.uniform(1.3, 1.8)
                with (
                    canvas.placed(cx, 122 + rng.uniform(-5, 4), scale=size),
                    canvas.part("clouds", "cloud"),
                ):
                    for dx, dy, r in ((-9, 0, 6), (-2, -4, 8), (7, -1, 6.5)):
                        canvas.circle(dx, dy, r, light.cloud)
                    canvas.ellipse(-1, 3, 16, 6, light.cloud)


SAID = tables("vehicles")
NOUNS = SAID["kinds"]
MOTIONS = SAID["motions"]
PLACE_WORDS = SAID["places"]
PLAIN_PLACES = {
    "country": "in the country",
    "city": "in the city",
    "desert": "in the desert",
    "mountains": "in the mountains",
    "snow": "in the snow",
    "sea": "on the water",
    "space": "in space",
    "launch": "taking off",
    "sky": "in the sky",
}


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    place = attributes["place"]
    words = told(rng, {"small": True, "old": True, "toy": True}, (0, 0, 0, 0, 0, 0, 1))
    if chance(rng, 0.68):
        words.append(color_word(rng, attributes["color"]))
    text = " ".join((*words, rng.choice(NOUNS[attributes["kind"]])))
    text = text if chance(rng, 0.12) else with_article(text)
    if place in MOTIONS and chance(rng, 0.12):
        text += f" {rng.choice(MOTIONS[place])}"
    if chance(rng, 0.62):
        text += f" {rng.choice(PLACE_WORDS[place])}"
    return text if place == "space" else at_time(rng, text, attributes["time"])


def _plain(attributes: Mapping[str, str]) -> str:
    core = with_article(f"{attributes['color']} {attributes['kind']}")
    place, time = attributes["place"], attributes["time"]
    when = "" if place == "space" else f" {PLAIN_TIMES[time]}"
    return f"{core} {PLAIN_PLACES[place]}{when}"


VEHICLES = Group(
    name="vehicles",
    share=0.22,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("kind", "color", "place", "time"),
    media=("photo of", "a photo of"),
    words=Words(
        plain=_plain,
        main=rf"^an? (\w+ (?:{'|'.join(SHARES)})) (?:in|on|taking)\b",
        things=(
            "car",
            "bus",
            "train",
            "boat",
            "rocket",
            "airplane",
            "balloon",
            "road",
            "rails",
            "planet",
            "city",
        ),
        pieces=(
            "wheels",
            "wing",
            "sail",
            "flag",
            "hull",
            "flames",
            "basket",
            "chimney",
            "smoke",
        ),
        others={
            "airplane": ("plane",),
            "boat": ("ship",),
            "balloon": ("hot air balloon",),
            "road": ("street",),
            "rails": ("tracks",),
        },
        colored={"color": ("vehicle", PAINTS)},
        also="cactus desert engine flying space spaceship steam town toy winter",
        alike=(
            "road, street, path",
            "boat, ship, hull",
            "flag, sail",
            "smoke, clouds",
            "planet, moon",
            "city, buildings, house",
        ),
        arguable="wall background body floor leaf leaves field hill roof door house",
    ),
)
