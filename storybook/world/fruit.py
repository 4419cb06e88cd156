"""Fruit: a single one, a pair, or a bowl of them, on a table."""

from __future__ import annotations

import random
from collections.abc import Sequence

from storybook.world.canvas import Canvas, Gradient
from storybook.world.colors import COLORS, WHITE, darker, lighter, mix, vary
from storybook.world.fruit_kinds import KINDS
from storybook.world.scene import Face, Group, Picker
from storybook.world.words import chance, with_article

GROUNDS = (
    "white",
    "pink",
    "yellow",
    "green",
    "blue",
    "purple",
    "orange",
    "gray",
    "teal",
)
BOWLS = ("blue", "white", "brown", "red", "green", "yellow", "teal", "pink", "gray")


PLURALS = {
    "apple": "apples",
    "green apple": "green apples",
    "orange": "oranges",
    "banana": "bananas",
    "strawberry": "strawberries",
    "pear": "pears",
    "grapes": "grapes",
    "lemon": "lemons",
    "cherry": "cherries",
}


def _choose(pick: Picker) -> None:
    kinds = tuple(KINDS)
    layout = pick("layout", {"single": 0.32, "pair": 0.16, "bowl": 0.37, "mixed": 0.15})
    first = pick("fruit", kinds)
    if layout in ("pair", "mixed"):
        pick("second", kinds, avoid=(first,) if layout == "mixed" else ())
    if layout == "mixed":
        pick("third", kinds, avoid=(first, pick.values["second"]))
    pick("ground", GROUNDS)
    pick("bowl", BOWLS if layout in ("bowl", "mixed") else ("none",))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    wall = lighter(vary(rng, COLORS[attributes["ground"]]), 0.38)
    wood = vary(rng, (166, 112, 70), 10)
    canvas.fill(Gradient(lighter(wall, 0.15), wall))
    with canvas.part("table"):
        canvas.rectangle(0, 90, 128, 128, Gradient(lighter(wood, 0.12), darker(wood)))
        canvas.rectangle(0, 90, 128, 91.5, lighter(wood, 0.25))
    layout = attributes["layout"]
    if layout == "single":
        _standing(canvas, rng, attributes["fruit"], 64 + rng.uniform(-8, 8), 34)
    elif layout == "pair":
        for name, x in (("fruit", 35), ("second", 93)):
            _standing(canvas, rng, attributes[name], x + rng.uniform(-3, 3), 24)
    else:
        _bowl(canvas, rng, attributes)
    return ()


def _standing(
    canvas: Canvas, rng: random.Random, name: str, x: float, size: float
) -> None:
    size *= rng.uniform(0.9, 1.08)
    bottom = {"banana": 0.42, "lemon": 0.7}.get(name, 0.95)
    ground = 108.0
    canvas.ellipse(x, ground, size, size * 0.16, (60, 34, 16), opacity=0.35)
    with canvas.placed(x, ground - bottom * size, scale=size, angle=rng.uniform(-5, 5)):
        _one(canvas, rng, name)


def _one(canvas: Canvas, rng: random.Random, name: str) -> None:
    draw, color = KINDS[name]
    with canvas.part("fruit", *dict.fromkeys((name, name.split()[-1]))):
        draw(canvas, vary(rng, color, 7))


def _bowl(canvas: Canvas, rng: random.Random, attributes: dict[str, str]) -> None:
    names = [
        attributes[key] for key in ("fruit", "second", "third") if key in attributes
    ]
    color = vary(rng, COLORS[attributes["bowl"]])
    canvas.ellipse(64, 116, 32, 4.5, (60, 34, 16), opacity=0.35)
    with canvas.part("bowl"):
        canvas.ellipse(64, 82, 44, 5, darker(color, 0.35))
    rows = ((50, (52, 77)), (63, (39, 64, 89)), (76, (33, 54, 75, 96)))
    order = 0
    for y, xs in rows:
        for x in xs:
            place = canvas.placed(
                x + rng.uniform(-2, 2),
                y + rng.uniform(-1.5, 1.5),
                scale=15.5,
                angle=rng.uniform(-14, 14),
            )
            with place:
                _one(canvas, rng, names[order % len(names)])
            order += 1
        order += rng.randint(0, 1)
    with canvas.part("bowl"):
        canvas.polygon([(50, 108), (78, 108), (82, 116), (46, 116)], darker(color, 0.2))
        canvas.blob(
            [
                (18, 82),
                (64, 84),
                (110, 82),
                (104, 97),
                (86, 111),
                (64, 114),
                (42, 111),
                (24, 97),
            ],
            Gradient(color, darker(color, 0.22)),
        )
        canvas.stroke([(19, 83), (109, 83)], 4.5, lighter(color, 0.18), bend=False)
        sheen = [(28, 91), (38, 92), (42, 105), (34, 101)]
        canvas.blob(sheen, mix(color, WHITE, 0.7), opacity=0.3)


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    layout = attributes["layout"]
    if layout == "single":
        core = _single_words(rng, attributes["fruit"])
    elif layout == "pair":
        core = _pair_words(rng, attributes["fruit"], attributes["second"])
    else:
        core = _bowl_words(rng, attributes)
    ground = (
        "grey"
        if attributes["ground"] == "gray" and chance(rng, 0.5)
        else (attributes["ground"])
    )
    if chance(rng, 0.3):
        core += rng.choice((" on a table", " on a wooden table", " on the table"))
    if chance(rng, 0.3):
        core += rng.choice(
            (
                f", {ground} background",
                f" on a {ground} background",
                f", {ground} wall",
                f" in front of a {ground} wall",
            )
        )
    return core.replace(" a orange", " an orange")


def _single_words(rng: random.Random, fruit: str) -> str:
    if chance(rng, 0.06):
        return rng.choice(("fruit", "a fruit", "a piece of fruit", "still life"))
    if fruit == "grapes":
        return rng.choice(("grapes", "a bunch of grapes", "purple grapes"))
    if fruit == "cherry":
        return rng.choice(("cherries", "two cherries", "red cherries", "a cherry"))
    if fruit == "apple":
        return rng.choice(("an apple", "a red apple", "apple"))
    colors = {
        "banana": "yellow",
        "strawberry": "red",
        "lemon": "yellow",
        "pear": "green",
    }
    adjective = f"{colors[fruit]} " if fruit in colors and chance(rng, 0.2) else ""
    return with_article(f"{adjective}{fruit}")


def _pair_words(rng: random.Random, left: str, right: str) -> str:
    if left == right:
        return f"two {PLURALS[left]}" if chance(rng, 0.7) else PLURALS[left]
    if chance(rng, 0.06):
        return rng.choice(("fruit", "fruits", "two fruits", "two pieces of fruit"))
    some = {"grapes": "grapes", "cherry": "cherries"}
    a, b = (some.get(name, with_article(name)) for name in (left, right))
    return rng.choice(
        (
            f"{a} and {b}",
            f"{b} and {a}",
            f"{a} left of {b}",
            f"{a} next to {b}",
            f"{a} on the left and {b} on the right",
            f"{b} right of {a}",
        )
    )


def _bowl_words(rng: random.Random, attributes: dict[str, str]) -> str:
    color = (
        "grey"
        if attributes["bowl"] == "gray" and chance(rng, 0.5)
        else (attributes["bowl"])
    )
    bowl = with_article(f"{color} bowl" if chance(rng, 0.45) else "bowl")
    if attributes["layout"] == "mixed":
        names = [PLURALS[attributes[key]] for key in ("fruit", "second", "third")]
        rng.shuffle(names)
        content = rng.choice(
            (
                "fruit",
                "fruit",
                "mixed fruit",
                "fruits",
                f"{names[0]} and {names[1]}",
                f"{names[0]}, {names[1]} and {names[2]}",
            )
        )
    else:
        content = "fruit" if chance(rng, 0.08) else PLURALS[attributes["fruit"]]
    return rng.choice(
        (
            f"{bowl} of {content}",
            f"{bowl} of {content}",
            f"{bowl} with {content}",
            f"{bowl} full of {content}",
            f"{content} in {bowl}",
        )
    )


FRUIT = Group(
    name="fruit",
    share=0.18,
    choose=_choose,
    draw=_draw,
    describe=_describe,
    key=("layout", "fruit", "second", "ground", "bowl"),
    media=("photo of", "still life of", "close up of"),
)
