"""How people describe a landscape."""

from __future__ import annotations

import random

from storybook.world.lists import tables
from storybook.world.words import chance, join, with_article

SAID = tables("landscapes")
PLACE_WORDS = SAID["places"]
TIME_WORDS = SAID["times"]


def describe(rng: random.Random, attributes: dict[str, str]) -> str:
    """Write a true caption of a landscape, mentioning a random part of it."""
    place, time = attributes["place"], attributes["time"]
    if chance(rng, 0.16):
        core = rng.choice(
            (
                "a scenic landscape",
                "a landscape",
                "a beautiful landscape",
                "landscape",
                "scenery",
                "a scenic view",
                "nature",
            )
        )
    else:
        core = rng.choice(PLACE_WORDS[place])
    details = [] if chance(rng, 0.3) else _details(rng, attributes)
    if details:
        core = f"{core} {rng.choice(('with', 'with', 'and'))} {join(details)}"
    if chance(rng, 0.72):
        core = rng.choice(
            (
                f"{core} {rng.choice(TIME_WORDS[time])}",
                f"{core}, {rng.choice(TIME_WORDS[time])}",
                f"{core}, {rng.choice(TIME_WORDS[time])}",
            )
        )
    return core


def _details(rng: random.Random, attributes: dict[str, str]) -> list[str]:
    sail = attributes.get("sail", "")
    seen = {
        "sun": attributes["body"] == "sun",
        "the sun": attributes["body"] == "sun",
        "the moon": attributes["body"] in ("moon", "crescent"),
        "a full moon": attributes["body"] == "moon",
        "a crescent moon": attributes["body"] == "crescent",
        "stars": attributes["stars"] == "yes",
        "clouds": attributes["clouds"] == "yes",
        "trees": attributes.get("trees") in ("trees", "pines"),
        "pine trees": attributes.get("trees") == "pines",
        "a house": attributes.get("house") == "yes",
        "a small house": attributes.get("house") == "yes",
        "snow": attributes.get("snow") == "yes",
        "a boat": attributes.get("boat") == "yes",
        "a sailboat": attributes.get("boat") == "yes",
        f"{with_article(sail or 'red')} boat": attributes.get("boat") == "yes",
    }
    words = [word for word, present in seen.items() if present]
    rng.shuffle(words)
    kept: list[str] = []
    for word in words[: rng.choice((1, 1, 2, 3))]:
        if not any(word[-4:] == other[-4:] for other in kept):
            kept.append(word)
    return kept
