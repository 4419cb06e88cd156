"""The desert: dunes with pyramids, a camel, cacti or palms, by day and by night."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import darker, lighter, mix, vary
from storybook.world.lists import tables
from storybook.world.scene import Face, Group, Picker, Words
from storybook.world.sky import (
    Light,
    choose_sky,
    draw_sky,
    lit,
    plain_view,
    sky_details,
    softly,
    with_details,
)
from storybook.world.words import chance, told

SANDS: dict[str, Color] = {
    "golden": (240, 202, 128),
    "red": (222, 134, 84),
    "white": (246, 232, 208),
}
CACTUS, FROND, BARK = (84, 150, 84), (76, 156, 78), (150, 104, 66)
COAT: Color = (178, 118, 66)
PLANTS = {"none": 0.35, "cactus": 0.4, "palms": 0.25}


def _choose(pick: Picker) -> None:
    choose_sky(pick, {"clear": 0.75, "cloudy": 0.25})
    pick("sand", {"golden": 0.6, "red": 0.25, "white": 0.15})
    pick("pyramids", {"no": 0.65, "yes": 0.35})
    pick("camel", {"no": 0.6, "yes": 0.4})
    pick("plants", PLANTS)


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    light = draw_sky(canvas, rng, attributes, low=62.0)
    sand = vary(rng, SANDS[attributes["sand"]], 5)
    side = rng.choice((-1, 1))
    _dune(canvas, rng, _dusky(light, mix(sand, (255, 226, 190), 0.3)), 80, 5)
    if attributes["pyramids"] == "yes":
        _pyramids(canvas, rng, light, sand, 64 + side * rng.uniform(14, 24))
    _dune(canvas, rng, _dusky(light, sand), 90, 5)
    if attributes["plants"] == "palms":
        _oasis(canvas, rng, light, 64 - side * 34)
    if attributes["camel"] == "yes":
        _camel(canvas, rng, light, 64 + side * rng.uniform(16, 24))
    _dune(canvas, rng, _dusky(light, darker(sand, 0.08)), 113, 4)
    if attributes["plants"] == "cactus":
        for x, y, size in ((64 - side * 36, 118, 1.15), (64 + side * 50, 122, 0.7)):
            place = canvas.placed(
                x + rng.uniform(-4, 4), y, scale=size, flip=chance(rng, 0.5)
            )
            with place:
                _cactus(canvas, light)
    return ()


def _dusky(light: Light, color: Color) -> Color:
    """Light sand, which is violet rather than gray at night."""
    return mix(
        color, lighter(mix(light.tint, (92, 50, 150), 0.3), 0.1), light.strength * 0.88
    )


def _dune(
    canvas: Canvas, rng: random.Random, color: Color, level: float, swing: float
) -> None:
    turn, wave = rng.uniform(0, 6.3), rng.uniform(70, 110)
    edge = [
        (x, level + swing * math.sin(turn + x / wave * 2 * math.pi))
        for x in range(-4, 133, 4)
    ]
    with canvas.part("desert", "sand", "dunes"):
        paint = Gradient(lighter(color, 0.12), darker(color, 0.1))
        canvas.polygon([*edge, (132, 132), (-4, 132)], paint)


def _pyramids(
    canvas: Canvas, rng: random.Random, light: Light, sand: Color, x: float
) -> None:
    stone = _dusky(light, mix(sand, (206, 158, 98), 0.55))
    with canvas.part("pyramids", "pyramid"):
        for dx, top, half in ((-26, 58, 19), (24, 62, 16), (0, 44, 29)):
            middle, base = x + dx + rng.uniform(-2, 2), 93
            corner = (middle + half * 0.35, base)
            canvas.polygon(
                [(middle, top), corner, (middle - half, base)], lighter(stone, 0.15)
            )
            canvas.polygon(
                [(middle, top), (middle + half, base), corner], darker(stone, 0.2)
            )


def _camel(canvas: Canvas, rng: random.Random, light: Light, x: float) -> None:
    coat = softly(light, vary(rng, COAT, 8))
    dark, size = darker(coat, 0.22), rng.uniform(0.95, 1.1)
    place = canvas.placed(x, 111, scale=size, flip=chance(rng, 0.5))
    with place, canvas.part("camel", "animal"):
        for dx, shade in ((-9, dark), (11, dark), (-14, coat), (15, coat)):
            canvas.stroke([(dx, -18), (dx + 1, -9), (dx, 3)], 3.6, shade, bend=False)
        with canvas.part("tail"):
            canvas.stroke([(-20, -23), (-23, -17), (-23, -12)], 1.6, dark)
        canvas.stroke([(17, -21), (24, -18), (27, -27), (28, -36)], 6, coat)
        with canvas.part("head"):
            canvas.ellipse(31.5, -37, 6, 3.8, coat, angle=14)
            canvas.polygon([(26, -38), (26.5, -43), (29, -39)], dark)
            canvas.circle(31, -38.5, 1.1, (30, 24, 24))
        canvas.ellipse(0, -21, 20, 9.5, Gradient(lighter(coat, 0.08), coat))
        for dx in (-8, 7):
            canvas.blob(
                [(dx - 9, -25), (dx - 4, -36), (dx + 2, -37), (dx + 9, -25)], coat
            )
        with canvas.part("blanket"):
            red = softly(light, (206, 66, 62))
            canvas.blob(
                [(-8, -29), (0, -27), (8, -29), (8, -17), (0, -15), (-8, -17)], red
            )
            canvas.stroke([(-7, -18.5), (0, -16.5), (7, -18.5)], 1.4, (248, 210, 90))


def _cactus(canvas: Canvas, light: Light) -> None:
    green = softly(light, CACTUS)
    with canvas.part("cactus", "plant"):
        for arm in (
            [(0, -18), (-11, -19), (-12, -32)],
            [(0, -12), (11, -14), (12, -25)],
        ):
            canvas.stroke(arm, 6.5, darker(green, 0.1))
        canvas.stroke([(0, 4), (0, -42)], 9.5, green, bend=False)
        for dx in (-2, 2):
            canvas.stroke([(dx, 2), (dx, -40)], 0.9, darker(green, 0.25), bend=False)
        with canvas.part("flower"):
            canvas.circle(0, -47.5, 2.6, lit(light, (244, 110, 150)))


def _oasis(canvas: Canvas, rng: random.Random, light: Light, x: float) -> None:
    with canvas.part("oasis", "water"):
        canvas.ellipse(x, 104, 27, 5.5, Gradient(light.sea[1], light.sea[0]))
    for dx, lean, size in ((-12, -5, 1.0), (9, 6, 0.85)):
        place = canvas.placed(x + dx + rng.uniform(-2, 2), 102, scale=size)
        with place, canvas.part("palm trees", "palm tree", "trees", "tree"):
            bark, green = softly(light, BARK), softly(light, vary(rng, FROND, 8))
            canvas.stroke([(0, 0), (lean * 0.3, -20), (lean, -38)], 3.4, bark)
            for turn in (-172, -140, -98, -62, -22, 14, 166):
                a = math.radians(turn)
                tip = (lean + 20 * math.cos(a), -38 + 15 * math.sin(a) + 7)
                bow = (lean + 11 * math.cos(a), -40 + 13 * math.sin(a))
                low = (lean + 10 * math.cos(a), -36 + 11 * math.sin(a) + 2)
                canvas.blob([(lean, -38), bow, tip, low], darker(green, 0.06))
            canvas.circle(lean - 1.5, -36, 2, darker(bark, 0.2))
            canvas.circle(lean + 2, -35.5, 2, darker(bark, 0.2))


SAID = tables("desert")
CORES = SAID["sands"]


def _seen(attributes: Mapping[str, str]) -> dict[str, bool]:
    return {
        "pyramids": attributes["pyramids"] == "yes",
        "a camel": attributes["camel"] == "yes",
        "cacti": attributes["plants"] == "cactus",
        "palm trees": attributes["plants"] == "palms",
    }


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    seen = _seen(attributes)
    leads = {
        "a camel": (
            "a camel in the desert",
            "camel in the desert",
            "a camel on a dune",
        ),
        "pyramids": ("pyramids in the desert", "pyramids", "the pyramids of egypt"),
        "cacti": ("a cactus in the desert", "cacti in the desert", "a cactus"),
        "palm trees": ("an oasis in the desert", "a desert oasis", "palm trees"),
    }
    lead = told(rng, seen, (1,))
    if lead and chance(rng, 0.45):
        core = rng.choice(leads[lead[0]])
        seen[lead[0]] = False
    else:
        kind = attributes["sand"] if chance(rng, 0.35) else "any"
        core = rng.choice(CORES[kind])
    details = told(rng, seen, (0, 1, 1, 2, 3)) + told(
        rng, sky_details(attributes), (0, 0, 0, 1)
    )
    return with_details(rng, core, details, attributes)


def _plain(attributes: Mapping[str, str]) -> str:
    core = f"the {attributes['sand']} desert"
    return plain_view(core, _seen(attributes), attributes)


DESERT = Group(
    name="desert",
    share=0.12,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("time", "weather", "sand", "pyramids", "camel", "plants"),
    media=("photo of", "a painting of"),
    words=Words(
        plain=_plain,
        main=r"^the (\w+) desert (by day|at sunset|at night)\b",
        things=(
            *("desert", "sand", "dunes", "pyramids", "camel", "cactus", "oasis"),
            *("palm trees",),
        ),
        pieces=("blanket",),
        others={
            "pyramids": ("pyramid",),
            "cactus": ("cacti",),
            "dunes": ("sand dunes",),
        },
        alike=(
            "sand, beach, desert, dunes",
            "palm trees, trees",
            "oasis, water, sea",
        ),
        arguable="wall background beach meadow hills hill leaf leaves body floor field",
    ),
)
