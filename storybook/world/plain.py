"""Plain captions: all that a scene shows, always in the same words and order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from storybook.world import GROUPS
from storybook.world.fruit import PLURALS
from storybook.world.shapes import OUTLINES
from storybook.world.words import join, with_article

Attributes = Mapping[str, str]

TIMES = {"day": "by day", "sunset": "at sunset", "night": "at night"}
BODIES = {"sun": "the sun", "moon": "a full moon", "crescent": "a crescent moon"}
FEELINGS = {"smiling": "smiling", "sad": "sad", "neutral": "serious"}
HAIR = {"bun": "a {} bun", "pigtails": "{} pigtails", "bald": ""}
"""How hair is put that is more than long, short or curly."""
PLACES = {"grass": "on grass", "indoors": "indoors"}
PATTERNS = {
    "coins": "gold coins",
    "books": "books on a shelf",
    "leaves": "{} leaves",
    "bricks": "a {} brick wall",
}


def plain_caption(group: str, attributes: Attributes) -> str:
    """Say all that a scene of a group shows; equal attributes give equal words."""
    return CAPTIONS[group](attributes)


def _shapes(attributes: Attributes) -> str:
    ground = f"on {with_article(attributes['ground'])} background"
    if attributes["count"] == "one":
        size = attributes["size"].replace("medium", "")
        seen = f"{size} {attributes['color']} {attributes['shape']}".strip()
        return f"{with_article(seen)} {ground}"
    left, right = (
        with_article(f"{attributes[f'{side}_color']} {attributes[f'{side}_shape']}")
        for side in ("left", "right")
    )
    return f"{left} left of {right} {ground}"


def _landscape(attributes: Attributes) -> str:
    place = attributes["place"]
    seen = {
        BODIES.get(attributes["body"], ""): attributes["body"] in BODIES,
        "clouds": attributes["clouds"] == "yes",
        "trees": attributes.get("trees") == "trees",
        "pine trees": attributes.get("trees") == "pines",
        "a house": attributes.get("house") == "yes",
        "snow": attributes.get("snow") == "yes",
        f"{with_article(attributes.get('sail', 'red'))} boat": (
            attributes.get("boat") == "yes"
        ),
    }
    details = join([words for words, there in seen.items() if there])
    core = f"{'the sea' if place == 'sea' else place} {TIMES[attributes['time']]}"
    return f"{core} with {details}" if details else core


def _fruit(attributes: Attributes) -> str:
    layout, first = attributes["layout"], attributes["fruit"]
    if layout == "single":
        core = _one_fruit(first)
    elif layout == "pair":
        second = attributes["second"]
        core = f"{_one_fruit(first)} left of {_one_fruit(second)}"
        core = f"two {PLURALS[first]}" if first == second else core
    else:
        there = [attributes.get(key) for key in ("fruit", "second", "third")]
        kinds = [words for kind, words in PLURALS.items() if kind in there]
        core = f"{with_article(attributes['bowl'])} bowl of {join(kinds)}"
    return f"{core} in front of {with_article(attributes['ground'])} wall"


def _one_fruit(kind: str) -> str:
    some = kind in ("grapes", "cherry")
    return PLURALS[kind] if some else with_article(kind)


def _portrait(attributes: Attributes) -> str:
    style, hair = attributes["style"], attributes["hair"]
    words = [
        FEELINGS[attributes["expression"]],
        "old" if attributes["age"] == "old" else "",
        "bald" if style == "bald" else "",
        attributes["person"],
    ]
    belongings = {
        HAIR.get(style, f"{style} {{}} hair").format(hair): style != "bald",
        "a beard": attributes["beard"] == "yes",
        "glasses": attributes["glasses"] == "yes",
        "freckles": attributes["freckles"] == "yes",
        "earrings": attributes["earring"] == "yes",
        f"{with_article(attributes['shirt'])} shirt": True,
    }
    worn = join([each for each, there in belongings.items() if there])
    who = with_article(" ".join(word for word in words if word))
    return f"{who} with {worn} on {with_article(attributes['ground'])} background"


def _animal(noun: str) -> Callable[[Attributes], str]:
    def caption(attributes: Attributes) -> str:
        striped = "striped " if attributes.get("stripes") == "yes" else ""
        collar = attributes["collar"]
        extras = {
            f"{with_article(collar)} collar": collar != "none",
            "its tongue out": attributes.get("tongue") == "yes",
        }
        worn = join([each for each, there in extras.items() if there])
        ground = with_article(attributes["ground"])
        place = PLACES.get(attributes["setting"], f"on {ground} background")
        core = with_article(f"{striped}{attributes['coat']} {noun}")
        return f"{core} with {worn} {place}" if worn else f"{core} {place}"

    return caption


def _pattern(attributes: Attributes) -> str:
    return PATTERNS[attributes["motif"]].format(attributes["tone"])


CAPTIONS: dict[str, Callable[[Attributes], str]] = {
    "shapes": _shapes,
    "landscapes": _landscape,
    "fruit": _fruit,
    "portraits": _portrait,
    "dog": _animal("dog"),
    "cat": _animal("cat"),
    "patterns": _pattern,
    **{name: row.words.plain for name, row in GROUPS.items() if row.words},
}

_SHAPES = "|".join(OUTLINES)
_FRUIT = "|".join(sorted({*PLURALS, *PLURALS.values()}, key=len, reverse=True))
MAIN: dict[str, str] = {
    **{name: row.words.main for name, row in GROUPS.items() if row.words},
    "shapes": rf"(\w+ (?:{_SHAPES}))\b",
    "landscapes": r"(?:mountains|hills|sea) (by day|at sunset|at night)\b",
    "portraits": r"\b(?:woman|man|girl|boy) with .*?(\w+) (?:hair|bun|pigtails)\b",
    "bald": r"\b(bald) (?:man|woman|boy|girl)\b",
    "dog": r"(\w+) dog\b",
    "cat": r"(\w+) cat\b",
    "patterns": r"\b(\w+ coins|books|\w+ leaves|\w+ brick wall)\b",
    "fruit": rf"\b({_FRUIT})\b(?! wall)",
}
"""What tells a kind of scene in a plain caption, and its main attributes: colours with
their shapes, the time of day, hair, coats, and fruit; the first that fits counts."""


def read_caption(caption: str) -> tuple[str, tuple[str, ...]]:
    """Return the kind of scene that a plain caption names, and its main attributes.

    Both are empty where it names none.
    """
    for kind, pattern in MAIN.items():
        if found := re.findall(pattern, caption):
            group = "portraits" if kind == "bald" else kind
            flat = [each for one in found for each in _groups(one) if each]
            return group, tuple(sorted(flat) if kind == "fruit" else flat)
    return "", ()


def _groups(found: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return what the groups of a pattern matched, be it one or several."""
    return (found,) if isinstance(found, str) else found
