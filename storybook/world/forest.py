"""The forest: oaks, pines, birches or autumn trees, in any weather."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from storybook.world.canvas import Canvas, Color, Gradient
from storybook.world.colors import darker, lighter, mix, vary
from storybook.world.lists import tables
from storybook.world.scene import Face, Group, Picker, Words
from storybook.world.sky import (
    TRUNK,
    Light,
    choose_sky,
    draw_crown,
    draw_pine,
    draw_sky,
    draw_weather,
    lit,
    plain_view,
    sky_details,
    softly,
    with_details,
)
from storybook.world.words import chance, told

LEAVES: dict[str, tuple[Color, ...]] = {
    "oaks": ((66, 146, 74), (84, 160, 70), (52, 128, 70)),
    "pines": ((38, 106, 78), (30, 92, 70), (52, 120, 84)),
    "birches": ((150, 190, 78), (170, 200, 84), (128, 180, 84)),
    "autumn": ((226, 122, 44), (206, 70, 46), (240, 180, 60)),
}
GROUND: Color = (98, 146, 74)
SNOW: Color = (242, 246, 252)
THINGS = {"none": 0.4, "deer": 0.2, "mushrooms": 0.2, "tent": 0.2}


def _choose(pick: Picker) -> None:
    choose_sky(pick, {"clear": 0.5, "rain": 0.17, "fog": 0.17, "snow": 0.16})
    pick("trees", {"oaks": 0.28, "pines": 0.28, "birches": 0.2, "autumn": 0.24})
    pick("path", {"no": 0.5, "yes": 0.5})
    pick("thing", THINGS)


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    light = draw_sky(canvas, rng, attributes, low=54.0, span=(46, 82))
    snowy = attributes["weather"] == "snow"
    floor = SNOW if snowy else vary(rng, GROUND, 8)
    backdrop = mix(lit(light, LEAVES[attributes["trees"]][-1]), light.sky[1], 0.5)
    with canvas.part("forest", "trees"):
        canvas.blob(
            [
                (-20, 84),
                (20, 80),
                (64, 84),
                (108, 80),
                (148, 84),
                (148, 110),
                (-20, 110),
            ],
            mix(backdrop, lit(light, SNOW), 0.5) if snowy else backdrop,
        )
    rows = ((88, 0.8, 0.42, 9), (96, 1.0, 0.2, 7))
    for level, size, haze, count in rows:
        _row(canvas, rng, light, attributes, (level, size, haze, count))
    with canvas.part("grass" if not snowy else "snow", "ground"):
        color = lit(light, floor)
        canvas.blob(
            [
                (-20, 96),
                (30, 92),
                (64, 94),
                (98, 92),
                (148, 96),
                (148, 140),
                (-20, 140),
            ],
            Gradient(lighter(color, 0.1), darker(color, 0.14)),
        )
    if attributes["path"] == "yes":
        _path(canvas, rng, light, snowy=snowy)
    for x in (rng.uniform(-4, 10), rng.uniform(118, 132)):
        _tree(canvas, rng, light, attributes, (x, rng.uniform(112, 118), 2.0, 0.0))
    if attributes["thing"] != "none":
        x = 64 + rng.choice((-1, 1)) * rng.uniform(18, 24)
        with canvas.placed(x, rng.uniform(112, 116), flip=chance(rng, 0.5)):
            DRAWINGS[attributes["thing"]](canvas, rng, light)
    draw_weather(canvas, rng, attributes, light)
    return ()


def _row(
    canvas: Canvas,
    rng: random.Random,
    light: Light,
    attributes: Mapping[str, str],
    row: tuple[float, float, float, int],
) -> None:
    """Draw a row of trees that leaves the middle open."""
    level, size, haze, count = row
    for i in range(count):
        x = (i + 0.5) * 128 / count + rng.uniform(-4, 4)
        near = abs(x - 64) / 64
        height = size * (0.75 + 0.6 * near) * rng.uniform(0.92, 1.1)
        _tree(canvas, rng, light, attributes, (x, level + 4 * near, height, haze))


def _tree(
    canvas: Canvas,
    rng: random.Random,
    light: Light,
    attributes: Mapping[str, str],
    stand: tuple[float, float, float, float],
) -> None:
    x, y, size, haze = stand
    kind, snowy = attributes["trees"], attributes["weather"] == "snow"
    leaf = vary(rng, rng.choice(LEAVES[kind]), 8)
    leaf = mix(lit(light, leaf), light.sky[1], haze)
    bark = mix(lit(light, TRUNK), light.sky[1], haze)
    names = ("pine trees",) if kind == "pines" else ()
    with (
        canvas.placed(x, y, scale=size, flip=chance(rng, 0.5)),
        canvas.part("forest", "trees", "tree", *names),
    ):
        if kind == "birches":
            _birch(canvas, light, leaf, haze)
            return
        with canvas.part("trunks", "trunk"):
            canvas.rectangle(-2.4, -16, 2.4, 2, bark)
        if kind == "pines":
            draw_pine(canvas, leaf)
        else:
            draw_crown(canvas, leaf)
        if snowy:
            _cap(canvas, mix(lit(light, SNOW), light.sky[1], haze), kind)


def _birch(canvas: Canvas, light: Light, leaf: Color, haze: float) -> None:
    white = mix(lit(light, (240, 238, 230)), light.sky[1], haze * 0.6)
    for x, y, rx, ry in ((0, -33, 8.5, 11), (-5, -25, 6, 7), (5, -26, 6, 7)):
        canvas.ellipse(x, y, rx, ry, darker(leaf, 0.04 * abs(x) / 5))
    with canvas.part("trunks", "trunk"):
        canvas.polygon([(-1.9, 2), (-1.1, -30), (1.1, -30), (1.9, 2)], white)
        for y, side in ((-3, 1), (-9, -1), (-14, 1), (-20, -1)):
            dash = [(side * 1.8, y), (side * 0.2, y + 0.6), (side * 1.8, y + 1.3)]
            canvas.polygon(dash, lit(light, (70, 66, 66)))


def _cap(canvas: Canvas, white: Color, kind: str) -> None:
    with canvas.part("snow"):
        if kind == "pines":
            for y, half in ((-8, 12), (-18, 10), (-28, 7.5)):
                canvas.polygon(
                    [
                        (0, y - 16),
                        (half * 0.62, y - 6),
                        (half * 0.25, y - 8),
                        (0, y - 5),
                        (-half * 0.3, y - 8),
                        (-half * 0.62, y - 6),
                    ],
                    white,
                )
        else:
            canvas.blob(
                [(-9, -29), (-4, -36.5), (4, -36.5), (9, -29), (4, -31), (-3, -30)],
                white,
            )


def _path(canvas: Canvas, rng: random.Random, light: Light, *, snowy: bool) -> None:
    sand = lit(light, (206, 212, 226) if snowy else (212, 176, 128))
    bend = rng.uniform(-10, 10)
    with canvas.part("path"):
        canvas.blob(
            [
                (62 + bend, 94),
                (67 + bend, 94),
                (70 - bend, 104),
                (88, 134),
                (38, 134),
                (56 - bend, 104),
            ],
            Gradient(lighter(sand, 0.08), darker(sand, 0.1)),
        )


def _deer(canvas: Canvas, rng: random.Random, light: Light) -> None:
    coat = softly(light, vary(rng, (176, 112, 66), 8))
    pale, dark = lighter(coat, 0.5), darker(coat, 0.3)
    with canvas.part("deer", "animal"):
        for x, shade in ((-8, dark), (8, dark), (-11, coat), (11, coat)):
            canvas.stroke([(x, -14), (x, 3)], 2.6, shade, bend=False)
        canvas.ellipse(-15.5, -20, 3, 2.2, pale, angle=-50)
        canvas.ellipse(0, -17, 15, 7.6, coat)
        for x, y in ((-7, -20), (-2, -18), (3, -20.5), (-10, -17)):
            canvas.circle(x, y, 1.0, pale)
        canvas.stroke([(10, -19), (14, -28), (15, -33)], 5.5, coat)
        with canvas.part("antlers"):
            for lean in (0, 4):
                canvas.stroke(
                    [(14, -38), (10 + lean, -45), (13 + lean * 1.5, -51)], 1.5, dark
                )
                canvas.stroke([(11 + lean, -44), (7 + lean, -48)], 1.3, dark)
        with canvas.part("head"):
            canvas.ellipse(9.5, -38, 4, 1.9, coat, angle=20)
            canvas.blob([(12, -40), (18, -40), (24, -34), (22, -31), (13, -31)], coat)
            canvas.circle(23.4, -33.5, 1.4, (40, 30, 30))
            canvas.circle(17.5, -36.5, 1.2, (30, 22, 22))


def _mushrooms(canvas: Canvas, rng: random.Random, light: Light) -> None:
    red = softly(light, vary(rng, (214, 52, 48), 6))
    stem = softly(light, (250, 240, 220))
    with canvas.part("mushrooms", "mushroom"):
        for x, y, size in ((12, 1, 0.75), (-13, 2, 0.6), (0, 4, 1.25)):
            with canvas.placed(x, y, scale=size):
                canvas.blob([(-3, -11), (3, -11), (4.5, 2), (-4.5, 2)], stem)
                canvas.blob(
                    [(-12, -9), (-8, -18), (0, -21), (8, -18), (12, -9), (0, -7)], red
                )
                for dx, dy, r in ((-6, -13, 1.9), (1, -17, 2.1), (6, -12, 1.7)):
                    canvas.circle(dx, dy, r, softly(light, (255, 250, 244)))


def _tent(canvas: Canvas, rng: random.Random, light: Light) -> None:
    cloth = softly(light, rng.choice(((240, 146, 48), (70, 140, 200), (232, 92, 76))))
    with canvas.part("tent"):
        canvas.polygon([(0, -30), (22, 2), (-22, 2)], cloth)
        canvas.polygon([(0, -30), (22, 2), (8, 2)], darker(cloth, 0.16))
        with canvas.part("door"):
            inside = (255, 214, 120) if light.strength > 0.5 else darker(cloth, 0.55)
            canvas.polygon([(-2, -22), (5, 2), (-9, 2)], inside)
        canvas.stroke([(-2, -31.5), (0, -30), (2, -31.5)], 1.2, darker(cloth, 0.4))


DRAWINGS = {"deer": _deer, "mushrooms": _mushrooms, "tent": _tent}
SAID = tables("forest")
CORES = SAID["trees"]
ANY = SAID["any"]
LEADS = SAID["things"]
PLAIN = {
    "oaks": "an oak forest",
    "pines": "a pine forest",
    "birches": "a birch forest",
    "autumn": "an autumn forest",
}


def _seen(attributes: Mapping[str, str]) -> dict[str, bool]:
    return {
        "a path": attributes["path"] == "yes",
        "a deer": attributes["thing"] == "deer",
        "red mushrooms": attributes["thing"] == "mushrooms",
        "a tent": attributes["thing"] == "tent",
    }


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    thing, kind = attributes["thing"], attributes["trees"]
    core = rng.choice(CORES[kind] if chance(rng, 0.6) else ANY)
    seen = _seen(attributes)
    if thing != "none" and chance(rng, 0.45):
        core = f"{rng.choice(LEADS[thing])} in {core}"
        seen = {"a path": seen["a path"]}
    elif seen["a path"] and chance(rng, 0.3):
        core = f"a path {rng.choice(('through', 'in'))} {core}"
        seen["a path"] = False
    details = told(rng, seen, (0, 1, 1, 2))
    details += told(rng, sky_details(attributes), (0, 0, 0, 0, 1))
    return with_details(rng, core, details, attributes)


def _plain(attributes: Mapping[str, str]) -> str:
    return plain_view(PLAIN[attributes["trees"]], _seen(attributes), attributes)


FOREST = Group(
    name="forest",
    share=0.14,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("time", "weather", "trees", "path", "thing"),
    media=("photo of", "a painting of"),
    words=Words(
        plain=_plain,
        main=r"^an? (oak|pine|birch|autumn) forest (by day|at sunset|at night)\b",
        things=("forest", "pine trees", "path", "deer", "mushrooms", "tent"),
        pieces=("antlers", "trunks"),
        others={"forest": ("woods",), "mushrooms": ("mushroom",), "deer": ("stag",)},
        also="falling fog mist misty rain snow",
        alike=(
            "forest, woods, trees, pine trees, trunks",
            "path, road, street",
            "deer, animal",
        ),
        arguable="wall background leaf leaves body floor meadow hills hill field wood",
    ),
)
