"""How people describe a landscape."""

from __future__ import annotations

import random

from storybook.world.words import chance, join, with_article

PLACE_WORDS = {
    "mountains": (
        "mountains",
        "a mountain landscape",
        "a mountain range",
        "tall mountains",
        "a mountain",
        "a landscape with mountains",
        "mountain valley",
        "the mountains",
    ),
    "hills": (
        "hills",
        "green hills",
        "rolling hills",
        "a meadow",
        "a hill landscape",
        "a landscape with hills",
        "fields and hills",
        "the countryside",
    ),
    "sea": (
        "the sea",
        "the ocean",
        "a seascape",
        "sea",
        "ocean",
        "a calm sea",
        "a landscape with the sea",
        "water and sky",
    ),
}
TIME_WORDS = {
    "day": (
        "by day",
        "during the day",
        "on a sunny day",
        "daytime",
        "in daylight",
        "under a blue sky",
        "blue sky",
        "in the morning",
    ),
    "sunset": (
        "at sunset",
        "at sunset",
        "sunset",
        "at dusk",
        "in the evening",
        "with an orange sky",
        "at sundown",
        "at golden hour",
    ),
    "night": (
        "at night",
        "at night",
        "by night",
        "night",
        "under the stars",
        "in the dark",
        "night sky",
        "starry night",
    ),
}


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
