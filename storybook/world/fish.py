"""Under water: fish, whales, octopuses and sharks in the sea, or a fish in a bowl."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from storybook.world.canvas import Canvas, Gradient
from storybook.world.colors import COLORS, WHITE, darker, lighter, vary
from storybook.world.fish_kinds import KINDS, draw_fish
from storybook.world.lists import tables
from storybook.world.scene import Face, Group, Picker, Words
from storybook.world.words import chance, color_word, join, said, told, with_article

FISH = ("orange", "red", "yellow", "blue", "green", "purple", "pink", "teal")
COATS: dict[str, tuple[str, ...]] = {
    "fish": FISH,
    "whale": ("blue", "gray", "teal"),
    "octopus": ("purple", "red", "orange", "pink"),
    "shark": ("gray", "blue"),
}
GROUNDS = ("yellow", "pink", "green", "purple", "orange", "gray", "white", "teal")


def _choose(pick: Picker) -> None:
    kind = pick("kind", {"fish": 0.67, "whale": 0.12, "octopus": 0.12, "shark": 0.09})
    places = {"sea": 0.6, "bowl": 0.4} if kind == "fish" else ("sea",)
    setting = pick("setting", places)
    pair = kind == "fish" and setting == "sea"
    count = pick("count", {"one": 0.65, "two": 0.35} if pair else ("one",))
    color = pick("color", COATS[kind])
    pick("second", FISH if count == "two" else ("none",), avoid=(color,))
    pick("stripes", {"no": 0.6, "yes": 0.4} if kind == "fish" else ("no",))
    pick("bubbles", {"yes": 0.5, "no": 0.5})
    pick("seaweed", {"yes": 0.5, "no": 0.5})
    pick("ground", GROUNDS if setting == "bowl" else ("none",))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    if attributes["setting"] == "bowl":
        _bowl(canvas, rng, attributes)
        return ()
    _sea(canvas, rng)
    if attributes["seaweed"] == "yes":
        for x in (14, 30, 104, 118):
            _weed(canvas, rng, x + rng.uniform(-4, 4), 120, rng.uniform(0.9, 1.4))
    if attributes["count"] == "two":
        lean = rng.choice((-1, 1))
        _one(canvas, rng, attributes, (42, 58 - 14 * lean, 0.62), attributes["color"])
        _one(canvas, rng, attributes, (86, 58 + 14 * lean, 0.62), attributes["second"])
    else:
        place = (64 + rng.uniform(-5, 5), 62 + rng.uniform(-5, 5), 1.0)
        _one(canvas, rng, attributes, place, attributes["color"])
    if attributes["bubbles"] == "yes":
        _bubbles(canvas, rng, (12, 116), (14, 50))
    return ()


def _sea(canvas: Canvas, rng: random.Random) -> None:
    top, bottom = vary(rng, (92, 196, 232), 8), vary(rng, (22, 84, 156), 8)
    with canvas.part("water", "sea"):
        canvas.fill(Gradient(top, bottom))
        for x in (18, 54, 92):
            left, width = x + rng.uniform(-8, 8), rng.uniform(8, 16)
            ray = [
                (left, 0),
                (left + width, 0),
                (left + width - 22, 110),
                (left - 34, 110),
            ]
            canvas.polygon(ray, WHITE, opacity=0.1)
    with canvas.part("sand"):
        sand = vary(rng, (238, 212, 152), 6)
        canvas.ellipse(30, 128, 74, 14, sand)
        canvas.ellipse(
            110, 130, 64, 16, Gradient(lighter(sand, 0.1), darker(sand, 0.08))
        )
        for _ in range(5):
            canvas.circle(
                rng.uniform(6, 122), rng.uniform(122, 126), 1.2, darker(sand, 0.2)
            )


def _weed(canvas: Canvas, rng: random.Random, x: float, y: float, size: float) -> None:
    green = vary(rng, (58, 150, 96), 12)
    with canvas.placed(x, y, scale=size), canvas.part("seaweed", "plant"):
        for dx, tall in ((-4, 22), (3, 32)):
            canvas.stroke(
                [
                    (dx, 3),
                    (dx - 3, -tall * 0.35),
                    (dx + 3, -tall * 0.7),
                    (dx - 1, -tall),
                ],
                4,
                green,
            )


def _bubbles(
    canvas: Canvas,
    rng: random.Random,
    across: tuple[float, float],
    down: tuple[float, float],
) -> None:
    with canvas.part("bubbles"):
        for _ in range(7):
            x, y = rng.uniform(*across), rng.uniform(*down)
            size = rng.uniform(1.8, 4)
            canvas.circle(x, y, size, (206, 238, 250))
            canvas.circle(x, y, size * 0.72, (140, 210, 240))
            canvas.circle(x - size * 0.3, y - size * 0.3, size * 0.26, WHITE)


def _one(
    canvas: Canvas,
    rng: random.Random,
    attributes: Mapping[str, str],
    place: tuple[float, float, float],
    color: str,
) -> None:
    x, y, size = place
    kind = attributes["kind"]
    coat = vary(rng, COLORS[color], 6)
    names = [kind, f"{color} {kind}", "animal", "fish" if kind == "shark" else kind]
    frame = canvas.placed(
        x,
        y,
        scale=size * rng.uniform(0.95, 1.05),
        angle=rng.uniform(-5, 5),
        flip=chance(rng, 0.5),
    )
    with frame, canvas.part(*dict.fromkeys(names)):
        if kind == "fish":
            draw_fish(canvas, coat, striped=attributes["stripes"] == "yes")
        else:
            KINDS[kind](canvas, coat)


def _bowl(canvas: Canvas, rng: random.Random, attributes: Mapping[str, str]) -> None:
    wall = lighter(vary(rng, COLORS[attributes["ground"]]), 0.38)
    wood = vary(rng, (166, 112, 70), 10)
    canvas.fill(Gradient(lighter(wall, 0.15), wall))
    with canvas.part("table"):
        canvas.rectangle(0, 98, 128, 128, Gradient(lighter(wood, 0.12), darker(wood)))
        canvas.rectangle(0, 98, 128, 99.5, lighter(wood, 0.25))
    canvas.ellipse(64, 115, 40, 5, (60, 34, 16), opacity=0.35)
    with canvas.part("bowl", "fish bowl"):
        canvas.circle(64, 66, 49, (222, 240, 248))
        canvas.rectangle(40, 15, 88, 28, (222, 240, 248))
        with canvas.part("water"):
            water = [(x, y) for x, y in _circle(64, 66, 46) if y >= 44]
            canvas.polygon(water, Gradient((158, 220, 242), (84, 174, 220)))
        with canvas.part("sand"):
            canvas.polygon(
                [(x, y) for x, y in _circle(64, 66, 46) if y >= 99], (238, 212, 152)
            )
        if attributes["seaweed"] == "yes":
            _weed(canvas, rng, 38, 100, 1.0)
            _weed(canvas, rng, 92, 100, 0.8)
        _one(canvas, rng, attributes, (64, 72, 0.66), attributes["color"])
        if attributes["bubbles"] == "yes":
            _bubbles(canvas, rng, (40, 90), (49, 58))
        canvas.ellipse(64, 16, 26, 3.6, (240, 250, 253))
        canvas.ellipse(64, 16, 22, 2, (196, 222, 234))
    canvas.ellipse(32, 52, 4, 14, WHITE, angle=28, opacity=0.6)


def _circle(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    turns = [math.radians(3 * step) for step in range(120)]
    return [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in turns]


SAID = tables("fish")
NOUNS = SAID["kinds"]
SEAS = SAID["seas"]
BOWLS = SAID["bowls"]


def _seen(attributes: Mapping[str, str]) -> dict[str, bool]:
    return {
        "bubbles": attributes["bubbles"] == "yes",
        "seaweed": attributes["seaweed"] == "yes",
    }


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    kind, bowl = attributes["kind"], attributes["setting"] == "bowl"
    striped = attributes["stripes"] == "yes"
    size = {"little": kind == "fish", "cute": True, "big": kind != "fish"}
    words = told(rng, size, (0, 0, 0, 0, 1))
    words += ["striped"] if striped and chance(rng, 0.5) else []
    if attributes["count"] == "two":
        text = _pair(rng, attributes, words)
    else:
        noun = rng.choice(NOUNS[kind])
        if chance(rng, 0.65):
            words.append(color_word(rng, attributes["color"]))
        if attributes["color"] == "orange" and kind == "fish" and chance(rng, 0.4):
            words, noun = words[: len(words) - ("orange" in words)], "goldfish"
        text = " ".join((*words, noun))
        text = text if chance(rng, 0.12) else with_article(text)
    if chance(rng, 0.75 if bowl else 0.55):
        text += f" {rng.choice(BOWLS if bowl else SEAS)}"
    details = told(rng, _seen(attributes), (0, 0, 1, 2))
    if striped and not words and chance(rng, 0.3):
        details.insert(0, "white stripes")
    if details:
        text += f" with {join(details)}"
    if bowl and chance(rng, 0.3):
        ground = color_word(rng, attributes["ground"])
        text += rng.choice(
            (f", {ground} background", f", {ground} wall", " on a table")
        )
    return text


def _pair(rng: random.Random, attributes: Mapping[str, str], words: list[str]) -> str:
    colors = [attributes["color"], attributes["second"]]
    rng.shuffle(colors)
    named = [with_article(" ".join((*words, color, "fish"))) for color in colors]
    plural = " ".join((*words, "fish"))
    return rng.choice(
        (
            *(join(named), join(named), f"two {plural}", plural),
            f"{colors[0]} and {colors[1]} fish",
        )
    )


def _plain(attributes: Mapping[str, str]) -> str:
    striped = "striped " if attributes["stripes"] == "yes" else ""
    kind, ground = attributes["kind"], attributes["ground"]
    colors = sorted({attributes["color"], attributes["second"]} - {"none"})
    named = [with_article(f"{striped}{color} {kind}") for color in colors]
    place = "in the sea"
    if attributes["setting"] == "bowl":
        place = f"in a bowl before {with_article(ground)} wall"
    return f"{' and '.join(named)} {place}{said(_seen(attributes))}"


FISHES = Group(
    name="fish",
    share=0.14,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("setting", "kind", "count", "color", "second", "stripes", "ground"),
    media=("photo of", "a photo of"),
    words=Words(
        plain=_plain,
        main=(
            r"^an? (?:striped )?(\w+ (?:fish|whale|octopus|shark))"
            r"(?: and an? (?:striped )?(\w+ fish))? in (?:the sea|a bowl)\b"
        ),
        things=("fish", "whale", "octopus", "shark", "seaweed", "bubbles", "sand"),
        pieces=("fins", "stripes", "belly", "arms", "spout"),
        others={"seaweed": ("plants",), "sea": ("ocean",), "bowl": ("fish bowl",)},
        also="deep glass swimming underwater",
        alike=(
            "seaweed, plants, plant",
            "sand, beach",
            "fins, tail",
            "belly, body",
        ),
        arguable="wall background face body fruit beach floor",
    ),
)
