"""The sky over a scene: times of day, weather, sun, moon, stars and clouds."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from storybook.world.canvas import Canvas, Color, Gradient, Point
from storybook.world.colors import darker, lighter, mix, vary
from storybook.world.landscape_words import TIME_WORDS
from storybook.world.lists import tables
from storybook.world.scene import Picker
from storybook.world.words import chance, join, said


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
LINKS = ("at", "by", "in", "on", "under", "with", "during")
OPEN = ("clear", "cloudy")
"""Weathers that show sun, moon and stars."""
GLOOM: dict[str, tuple[Color, float]] = {
    "rain": ((112, 124, 142), 0.66),
    "snow": ((206, 216, 230), 0.6),
    "fog": ((208, 213, 216), 0.72),
}
"""The colour that a weather puts over everything, and how much of it."""
MOMENTS = {"day": ("day",), "sunset": ("evening",), "night": ("night",)}
SAID = tables("sky")
MOMENT_WORDS = SAID["moments"]
OUTDOORS = SAID["outdoors"]
"""What is said of the time where a picture is about something else."""
WEATHER_WORDS = SAID["weathers"]
PLAIN_TIMES = {"day": "by day", "sunset": "at sunset", "night": "at night"}
PLAIN_WEATHERS = {
    "clear": "",
    "cloudy": " under clouds",
    "rain": " in the rain",
    "snow": " in falling snow",
    "fog": " in the fog",
}
SUN, MOON = (255, 214, 74), (250, 240, 202)
GRASS, LEAF, PINE, TRUNK = (112, 184, 84), (66, 146, 74), (38, 106, 78), (112, 76, 52)


def lit(light: Light, color: Color) -> Color:
    return mix(color, light.tint, light.strength)


def softly(light: Light, color: Color) -> Color:
    """Light what a picture is about, which stays easier to see than the rest."""
    return mix(color, light.tint, light.strength * 0.36)


def draw_stars(canvas: Canvas, rng: random.Random) -> None:
    with canvas.part("stars", reach=1.8):
        for _ in range(rng.randint(16, 28)):
            x, y = rng.uniform(2, 126), rng.uniform(2, 62)
            canvas.circle(x, y, rng.choice((0.6, 0.8, 1.1)), (255, 250, 226))


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


def draw_clouds(canvas: Canvas, rng: random.Random, light: Light) -> None:
    with canvas.part("clouds", "cloud"):
        for x in rng.sample((18, 50, 80, 110), rng.choice((2, 2, 3))):
            size = rng.uniform(0.8, 1.2)
            with canvas.placed(x + rng.uniform(-6, 6), rng.uniform(14, 40), scale=size):
                for dx, dy, r in ((-8, 0, 5), (-2, -3, 6.5), (6, -1, 5.5)):
                    canvas.circle(dx, dy, r, light.cloud)
                canvas.ellipse(-1, 2, 14, 4, light.cloud)


def draw_pine(canvas: Canvas, color: Color) -> None:
    for y, half in ((-8, 12), (-18, 10), (-28, 7.5)):
        paint = Gradient(lighter(color, 0.1), darker(color, 0.1))
        canvas.polygon([(0, y - 16), (half, y), (-half, y)], paint)


def draw_crown(canvas: Canvas, color: Color) -> None:
    for dx, dy, r in ((-7, -20, 8), (7, -20, 8), (0, -28, 9), (0, -18, 8)):
        canvas.circle(dx, dy, r, darker(color, 0.08))
    canvas.circle(-2, -27, 6, lighter(color, 0.12))


def draw_body(canvas: Canvas, body: str, x: float, y: float, *, low: bool) -> None:
    """Draw the sun, which is large and orange when `low`, or the moon, or nothing."""
    if body == "sun" and low:
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


def choose_sky(pick: Picker, weathers: Mapping[str, float]) -> None:
    """Choose a time of day, a weather that may be, and what shines."""
    time = pick("time", {"day": 0.4, "sunset": 0.28, "night": 0.32})
    seen = pick("weather", weathers) in OPEN
    bodies = {"day": ("sun",), "sunset": ("sun",), "night": ("moon", "crescent")}
    pick("body", bodies[time] if seen else ("none",))


def light_of(attributes: Mapping[str, str]) -> Light:
    """Return the colours of the time of day, paled or dulled by the weather."""
    light = LIGHTS[attributes["time"]]
    weather = attributes.get("weather", "clear")
    if weather not in GLOOM:
        return light
    gloom, share = GLOOM[weather]
    veil = mix(gloom, light.tint, light.strength)
    top, bottom = (mix(color, veil, share) for color in light.sky)
    tint = mix(light.tint, veil, 0.5) if light.strength else veil
    cloud = mix(lighter(veil, 0.35), darker(veil, 0.2), light.strength)
    strength = min(0.72, light.strength + 0.14)
    return replace(light, sky=(top, bottom), tint=tint, strength=strength, cloud=cloud)


def draw_sky(
    canvas: Canvas,
    rng: random.Random,
    attributes: Mapping[str, str],
    *,
    low: float = 58.0,
    span: tuple[float, float] = (22, 106),
) -> Light:
    """Fill the picture with a sky; a setting sun stands about as `low` as that.

    Sun and moon stand between the two places of `span`.
    """
    light = light_of(attributes)
    top, bottom = (vary(rng, color, 6) for color in light.sky)
    weather, time = attributes.get("weather", "clear"), attributes["time"]
    x, y, down = rng.uniform(*span), rng.uniform(18, 30), time == "sunset"
    with canvas.part("sky"):
        canvas.rectangle(0, 0, 128, 98, Gradient(top, bottom))
        canvas.rectangle(0, 97.5, 128, 128, bottom)
        if time == "night" and weather in OPEN:
            draw_stars(canvas, rng)
        height = low + rng.uniform(-4, 4) if down else y
        draw_body(canvas, attributes["body"], x, height, low=down)
        below = 16 if not down and attributes["body"] != "none" else 0
        if weather in ("cloudy", "rain", "snow"):
            with canvas.placed(0, below):
                draw_clouds(canvas, rng, light)
    return light


def draw_weather(
    canvas: Canvas, rng: random.Random, attributes: Mapping[str, str], light: Light
) -> None:
    """Draw what falls or hangs before a scene; leaves the parts alone."""
    weather = attributes.get("weather", "clear")
    if weather == "rain":
        drop = mix((206, 226, 246), light.tint, light.strength / 3)
        for _ in range(44):
            x, y, size = rng.uniform(0, 128), rng.uniform(-4, 124), rng.uniform(5, 9)
            fall = [(x, y), (x + 0.9, y), (x + 0.9 - size / 4, y + size)]
            canvas.polygon([*fall, (x - size / 4, y + size)], drop, opacity=0.75)
    elif weather == "snow":
        flake = mix((255, 255, 255), light.tint, light.strength / 5)
        for _ in range(54):
            x, y = rng.uniform(0, 128), rng.uniform(0, 128)
            size = rng.choice((0.9, 1.2, 1.6))
            canvas.circle(x, y, size, flake, opacity=0.95)
    elif weather == "fog":
        veil = mix((236, 240, 243), light.tint, light.strength * 0.75)
        for _ in range(8):
            x, y = rng.uniform(0, 128), rng.uniform(44, 114)
            canvas.ellipse(
                x, y, rng.uniform(60, 96), rng.uniform(7, 13), veil, opacity=0.27
            )


def sky_words(rng: random.Random, attributes: Mapping[str, str]) -> list[str]:
    """Return what may be said about time and weather, in the order it is said."""
    time, weather = attributes["time"], attributes.get("weather", "clear")
    moment = rng.choice(MOMENTS[time])
    if weather == "clear":
        return [rng.choice(TIME_WORDS[time])] if chance(rng, 0.72) else []
    words = [each.format(moment) for each in WEATHER_WORDS[weather]]
    said = [rng.choice(words)] if chance(rng, 0.7) else []
    named = any(each in " ".join(said) for each in MOMENTS[time])
    if not named and chance(rng, 0.6):
        said.append(rng.choice(MOMENT_WORDS[time]))
    if chance(rng, 0.5):
        said.reverse()
    return said


def under_sky(rng: random.Random, core: str, attributes: Mapping[str, str]) -> str:
    """Add to a caption what may be said about time and weather."""
    for words in sky_words(rng, attributes):
        if words.split()[-1] in core:
            continue
        joined = words.split()[0] in LINKS and chance(rng, 0.6)
        core += f"{' ' if joined else ', '}{words}"
    return core


def with_details(
    rng: random.Random,
    core: str,
    details: list[str],
    attributes: Mapping[str, str],
) -> str:
    """Add to a view's caption what else is to be seen, and the sky over it."""
    if details:
        core = f"{core} {'and' if ' with ' in core else 'with'} {join(details)}"
    return under_sky(rng, core, attributes)


def plain_view(
    core: str, seen: Mapping[str, bool], attributes: Mapping[str, str]
) -> str:
    """Say what a view shows, always in the same words."""
    return f"{core} {sky_plain(attributes)}{said(sky_seen(attributes) | dict(seen))}"


def at_time(rng: random.Random, text: str, time: str) -> str:
    """Add to a caption when it is, more often where it is not day."""
    if not chance(rng, 0.27 if time == "day" else 0.66):
        return text
    return f"{text}{rng.choice((' ', ', '))}{rng.choice(OUTDOORS[time])}"


def sky_details(attributes: Mapping[str, str]) -> dict[str, bool]:
    """Return what may be named in the sky, and whether it is there."""
    body, weather = attributes["body"], attributes.get("weather", "clear")
    return {
        "sun": body == "sun",
        "the sun": body == "sun",
        "the moon": body in ("moon", "crescent"),
        "a full moon": body == "moon",
        "a crescent moon": body == "crescent",
        "stars": attributes["time"] == "night" and weather in OPEN,
        "clouds": weather in ("cloudy", "rain", "snow"),
    }


def sky_plain(attributes: Mapping[str, str]) -> str:
    """Say the time of day and the weather, always in the same words."""
    weather = attributes.get("weather", "clear")
    return f"{PLAIN_TIMES[attributes['time']]}{PLAIN_WEATHERS[weather]}"


def sky_seen(attributes: Mapping[str, str]) -> dict[str, bool]:
    """Return what a plain caption says of the moon, and whether it is so."""
    body = attributes["body"]
    return {"a full moon": body == "moon", "a crescent moon": body == "crescent"}
