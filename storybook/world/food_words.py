"""How people describe food."""

from __future__ import annotations

import random
from collections.abc import Mapping

from storybook.world.lists import tables
from storybook.world.words import chance, color_word, join, told, with_article

SAID = tables("food")
FLAVORS: dict[str, tuple[str, ...]] = SAID["flavors"]
COLORS_OF: dict[str, tuple[str, ...]] = {
    "cake": ("brown", "pink", "white", "yellow", "blue", "green"),
    "ice cream": ("brown", "pink", "white", "green", "yellow", "blue", "purple"),
    "cup": ("red", "blue", "white", "yellow", "green", "pink", "teal"),
    "donut": ("pink", "brown", "white", "blue", "yellow", "purple"),
}
"""Colours of icing, ice cream, and of the cup."""
NOUNS: dict[str, tuple[str, ...]] = SAID["kinds"]
TASTES = SAID["tastes"]
CUPS = SAID["cups"]
DRINKS = SAID["drinks"]
SCOOPS = {"one scoop": "one", "two scoops": "two", "three scoops": "three"}


def describe(rng: random.Random, attributes: dict[str, str]) -> str:
    """Write a true caption of food, mentioning a random part of it."""
    core = CORES.get(attributes["kind"], _dish)(rng, attributes)
    if attributes["kind"] != "ice cream":
        core += _served(rng, attributes)
    if chance(rng, 0.3):
        ground = color_word(rng, attributes["ground"])
        core += rng.choice(
            (
                f", {ground} background",
                f" on {with_article(ground)} background",
                f" in front of {with_article(ground)} wall",
            )
        )
    return core


def _taste(rng: random.Random) -> str:
    return f"{rng.choice(TASTES)} " if chance(rng, 0.08) else ""


def _served(rng: random.Random, attributes: Mapping[str, str]) -> str:
    plate = attributes["plate"] == "yes"
    if not chance(rng, 0.4):
        return ""
    places = (" on a plate", " on a white plate") if plate else (" on a table",)
    return rng.choice((*places, " on a wooden table"))


def _dish(rng: random.Random, attributes: Mapping[str, str]) -> str:
    kind, topping = attributes["kind"], attributes["topping"]
    if kind == "bread":
        return rng.choice(NOUNS[topping])
    slice_of = "slice of " if attributes["part"] == "slice" else ""
    noun = rng.choice(NOUNS[kind])
    if kind == "burger" and "cheese" in topping and chance(rng, 0.3):
        return with_article(f"{_taste(rng)}cheeseburger")
    with_it = "" if not chance(rng, 0.5) else f" with {topping}"
    if kind == "pizza" and chance(rng, 0.3):
        noun, with_it = f"{topping.removesuffix('s')} pizza", ""
    if kind == "burger" and "tomato" not in topping and chance(rng, 0.3):
        with_it = " with lettuce"
    return with_article(f"{slice_of}{_taste(rng)}{noun}{with_it}")


def _cake(rng: random.Random, attributes: Mapping[str, str]) -> str:
    topping = attributes["topping"]
    flavor = rng.choice(FLAVORS[attributes["color"]])
    named = f"{flavor} " if chance(rng, 0.65) else ""
    noun = rng.choice(NOUNS["cake"])
    if topping == "candles" and chance(rng, 0.5):
        noun = "birthday cake"
    text = with_article(f"{_taste(rng)}{named}{noun}")
    if topping != "none" and chance(rng, 0.55):
        text += f" with {topping}"
    return text


def _donut(rng: random.Random, attributes: Mapping[str, str]) -> str:
    flavor = rng.choice(FLAVORS[attributes["color"]])
    noun = rng.choice(NOUNS["donut"])
    named = f"{flavor} " if chance(rng, 0.65) else ""
    text = with_article(f"{_taste(rng)}{named}{noun}")
    extras = {
        "sprinkles": attributes["topping"] == "sprinkles",
        f"{flavor} icing": not named,
    }
    words = told(rng, extras, (0, 1, 1, 2))
    return f"{text} with {join(words)}" if words else text


def _cup(rng: random.Random, attributes: Mapping[str, str]) -> str:
    color = color_word(rng, attributes["color"])
    named = f"{color} " if chance(rng, 0.45) else ""
    drink = rng.choice(DRINKS[attributes["topping"]])
    cup = with_article(f"{named}{rng.choice(CUPS)}")
    text = rng.choice(
        (
            f"{cup} of {drink}",
            f"{cup} of {drink}",
            f"{cup} with {drink}",
            f"{drink} in {cup}",
            drink if not named else cup,
        )
    )
    return text + (
        rng.choice((" with steam", ", steaming")) if chance(rng, 0.1) else ""
    )


def _ice_cream(rng: random.Random, attributes: Mapping[str, str]) -> str:
    flavor = rng.choice(FLAVORS[attributes["color"]])
    count = SCOOPS[attributes["topping"]]
    cream = f"{flavor} ice cream" if chance(rng, 0.68) else "ice cream"
    plural = "scoop" if count == "one" else "scoops"
    scoops = f"{count} {plural} of {cream}"
    return rng.choice(
        (
            cream,
            with_article(f"{_taste(rng)}{cream}"),
            with_article(f"{cream} cone"),
            f"{cream} in a cone",
            scoops,
            f"{cream} with {count} {plural}",
            f"a cone with {cream}",
        )
    )


CORES = {"cake": _cake, "donut": _donut, "cup": _cup, "ice cream": _ice_cream}
PLAIN_COUNTS = {
    "one scoop": "a scoop",
    "two scoops": "two scoops",
    "three scoops": "three scoops",
}


def plain(attributes: Mapping[str, str]) -> str:
    """Say all that a picture of food shows, always in the same words."""
    kind, topping, color = (attributes[key] for key in ("kind", "topping", "color"))
    extra = f" with {topping}" if topping != "none" else ""
    count = SCOOPS.get(topping, "")
    scoops = f" in {count} scoop{'s' if count != 'one' else ''}"
    slice_of = "slice of " if attributes["part"] == "slice" else ""
    core = {
        "cake": with_article(f"{color} cake{extra}"),
        "pizza": with_article(f"{slice_of}pizza{extra}"),
        "ice cream": with_article(f"{color} ice cream{scoops}"),
        "burger": f"a burger{extra}",
        "cup": with_article(f"{color} cup of {topping}"),
        "donut": with_article(f"{color} donut{extra}"),
        "bread": f"a {topping}" + (" of bread" if topping == "loaf" else ""),
    }[kind]
    plate = " on a plate" if attributes["plate"] == "yes" else ""
    return f"{core}{plate} before {with_article(attributes['ground'])} wall"
