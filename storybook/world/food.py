"""Food: cakes, pizza, ice cream, burgers, cups, donuts and bread on a table."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from storybook.world.canvas import Canvas, Gradient
from storybook.world.colors import COLORS, darker, lighter, vary
from storybook.world.food_kinds import KINDS
from storybook.world.food_words import COLORS_OF, describe, plain
from storybook.world.scene import Face, Group, Picker, Words

SHARES = {
    "cake": 0.2,
    "pizza": 0.16,
    "ice cream": 0.18,
    "burger": 0.12,
    "cup": 0.16,
    "donut": 0.1,
    "bread": 0.08,
}
TOPPINGS: dict[str, tuple[str, ...]] = {
    "cake": ("candles", "cherries", "strawberries", "none"),
    "pizza": ("pepperoni", "mushrooms", "olives", "basil"),
    "ice cream": ("one scoop", "two scoops", "three scoops"),
    "burger": ("cheese", "tomato", "cheese and tomato"),
    "cup": ("coffee", "tea", "cocoa"),
    "donut": ("sprinkles", "none"),
    "bread": ("loaf", "croissant", "toast"),
}
"""What is on it, in it, or what sort it is."""
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
PLATED = ("cake", "pizza", "burger", "donut", "bread")


def _choose(pick: Picker) -> None:
    kind = pick("kind", SHARES)
    pick("topping", TOPPINGS[kind])
    pick("color", COLORS_OF.get(kind, ("none",)))
    pick("part", ("whole", "slice") if kind == "pizza" else ("whole",))
    pick("plate", {"yes": 0.6, "no": 0.4} if kind in PLATED else ("no",))
    pick("ground", GROUNDS, avoid=("white",) if kind in ("cake", "cup") else ())


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    kind = attributes["kind"]
    wall = lighter(vary(rng, COLORS[attributes["ground"]]), 0.38)
    wood = vary(rng, (166, 112, 70), 10)
    canvas.fill(Gradient(lighter(wall, 0.15), wall))
    with canvas.part("table"):
        canvas.rectangle(0, 90, 128, 128, Gradient(lighter(wood, 0.12), darker(wood)))
        canvas.rectangle(0, 90, 128, 91.5, lighter(wood, 0.25))
    x = 64 + rng.uniform(-4, 4)
    draw, half = KINDS[kind]
    canvas.ellipse(x, 112, half, 5, (60, 34, 16), opacity=0.35)
    if attributes["plate"] == "yes":
        with canvas.part("plate"):
            canvas.ellipse(x, 110, half + 14, 9, (206, 214, 224))
            canvas.ellipse(x, 108.5, half + 14, 8.5, (248, 250, 252))
            canvas.ellipse(x, 108, half + 5, 5.6, (230, 235, 242))
    size = rng.uniform(0.95, 1.04)
    with canvas.placed(x, 109, scale=size), canvas.part("food", *_names(attributes)):
        draw(canvas, rng, attributes)
    return ()


def _names(attributes: Mapping[str, str]) -> tuple[str, ...]:
    kind, topping = attributes["kind"], attributes["topping"]
    return (kind, topping) if kind == "bread" and topping != "loaf" else (kind,)


FOOD = Group(
    name="food",
    share=0.2,
    choose=_choose,
    draw=_draw,
    describe=describe,
    key=("kind", "topping", "color", "part", "plate", "ground"),
    media=("photo of", "still life of", "close up of"),
    words=Words(
        plain=plain,
        main=(
            r"^(?:an?|two|three) (?:slice of |scoops of )?(?:(\w+) )?"
            r"(cake|pizza|ice cream|burger|cup of \w+|donut|loaf|croissant|toast)\b"
        ),
        things=(*KINDS, "croissant", "toast", "plate"),
        pieces=(
            "candles",
            "cherries",
            "strawberries",
            "pepperoni",
            "mushrooms",
            "olives",
            "basil",
            "cone",
            "cheese",
            "tomato",
            "lettuce",
            "steam",
            "sprinkles",
            "handle",
            "icing",
            "flames",
            "crust",
        ),
        others={"donut": ("doughnut",), "burger": ("hamburger",), "cup": ("mug",)},
        also="chocolate coffee french fresh hot sandwich tea",
        alike=(
            "cherries, cherry",
            "strawberries, strawberry",
            "bread, toast, loaf, crust",
            "cream, icing",
            "plate, bowl",
        ),
        arguable="wall background fruit leaf stem bowl floor body cherry strawberry",
    ),
)
