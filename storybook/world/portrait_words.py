"""How people describe a portrait."""

from __future__ import annotations

import random

from storybook.world.lists import tables
from storybook.world.words import chance, join, with_article

SAID = tables("portraits")
NOUNS = SAID["people"]
ELDERS = SAID["elders"]
FEELINGS = SAID["feelings"]
HAIR_WORDS = SAID["hair"]


def describe(rng: random.Random, attributes: dict[str, str]) -> str:
    """Write a true caption of a portrait, mentioning a random part of it."""
    share = rng.choice((0.0, 0.25, 0.45, 0.7))
    before = _adjectives(rng, attributes, share)
    after = _belongings(rng, attributes, share)
    noun = rng.choice(NOUNS[attributes["person"]])
    if attributes["age"] == "old" and chance(rng, 0.25):
        noun = rng.choice(ELDERS[attributes["person"]])
        before = [word for word in before if word not in ("old", "elderly")]
    noun, after = _hair_noun(rng, attributes, noun, after)
    text = " ".join((*before, noun))
    if chance(rng, 0.16):
        text = rng.choice(
            (
                f"face of {with_article(text)}",
                f"{text} face",
                f"portrait of {with_article(text)}",
                f"{text} portrait",
            )
        )
    text = text if chance(rng, 0.12) else with_article(text)
    if after:
        text = f"{text} {rng.choice(('with', 'with', 'with', 'having'))} {join(after)}"
    return text + _surroundings(rng, attributes, share)


def _hair_word(rng: random.Random, attributes: dict[str, str]) -> str:
    hair = attributes["hair"]
    return rng.choice(HAIR_WORDS.get(hair, (hair,)))


def _adjectives(
    rng: random.Random, attributes: dict[str, str], share: float
) -> list[str]:
    words: list[str] = []
    if chance(rng, share + 0.1):
        words.append(rng.choice(FEELINGS[attributes["expression"]]))
    if attributes["age"] == "old" and chance(rng, 0.8):
        words.append(rng.choice(("old", "old", "elderly")))
    if attributes["freckles"] == "yes" and chance(rng, share):
        words.append("freckled")
    if attributes["style"] == "bald" and chance(rng, 0.6):
        words.append("bald")
    if attributes["beard"] == "yes" and chance(rng, share):
        words.append("bearded")
    rng.shuffle(words)
    return words


def _belongings(
    rng: random.Random, attributes: dict[str, str], share: float
) -> list[str]:
    words: list[str] = []
    if attributes["style"] != "bald" and chance(rng, share + 0.1):
        words.append(_hair(rng, attributes))
    if attributes["glasses"] == "yes" and chance(rng, share + 0.25):
        words.append("glasses")
    if attributes["freckles"] == "yes" and chance(rng, share):
        words.append(rng.choice(("freckles", "freckles", "a freckled face")))
    if attributes["beard"] == "yes" and chance(rng, share + 0.1):
        color = f"{_hair_word(rng, attributes)} " if chance(rng, 0.4) else ""
        words.append(with_article(f"{color}beard"))
    if attributes["earring"] == "yes" and chance(rng, share + 0.1):
        words.append(
            rng.choice(("earrings", "an earring", "a pearl earring", "gold earrings"))
        )
    if chance(rng, share * 0.25):
        words.append(f"a {attributes['shirt']} shirt".replace("a o", "an o"))
    rng.shuffle(words)
    return words[:4]


def _hair(rng: random.Random, attributes: dict[str, str]) -> str:
    color, style = _hair_word(rng, attributes), attributes["style"]
    if style == "pigtails" and chance(rng, 0.5):
        return rng.choice(("pigtails", f"{color} pigtails"))
    if style == "bun" and chance(rng, 0.5):
        return rng.choice(("a hair bun", f"a {color} bun"))
    length = style if style in ("long", "short", "curly") else ""
    return rng.choice(
        (
            f"{color} hair",
            f"{length} {color} hair".strip(),
            f"{length} hair" if length else f"{color} hair",
        )
    )


def _hair_noun(
    rng: random.Random, attributes: dict[str, str], noun: str, after: list[str]
) -> tuple[str, list[str]]:
    """Now and then call someone "redhead woman" or "blonde girl"."""
    hair = attributes["hair"]
    if hair not in ("red", "blond") or attributes["style"] == "bald":
        return noun, after
    if not chance(rng, 0.12):
        return noun, after
    word = {"red": ("redhead", "ginger"), "blond": ("blonde", "blond")}[hair]
    return f"{rng.choice(word)} {noun}", [w for w in after if "hair" not in w]


def _surroundings(rng: random.Random, attributes: dict[str, str], share: float) -> str:
    if not chance(rng, share * 0.6):
        return ""
    ground = attributes["ground"]
    return rng.choice(
        (
            f", {ground} background",
            f" on a {ground} background",
            f" in front of a {ground} wall",
        )
    ).replace("a o", "an o")
