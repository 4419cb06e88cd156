"""How people describe a character."""

from __future__ import annotations

import random
from collections.abc import Mapping

from storybook.world.lists import tables
from storybook.world.portrait_words import FEELINGS, HAIR_WORDS, NOUNS
from storybook.world.scene import Words
from storybook.world.words import chance, color_word, join, told, with_article

SAID = tables("characters")
ROLE_NOUNS = SAID["roles"]
SEXED = SAID["roles_of"]
BODILY = ("hair", "eyes", "antenna", "beard", "nose", "buttons", "stethoscope")
"""Ends of what one has but does not wear."""
CROWNED = SAID["crowned"]
WORN = SAID["worn"]
PLAIN_WORN = {
    "clown": "{} hair",
    "doctor": "a {} shirt",
    "firefighter": "a {} helmet",
    "astronaut": "a {} suit",
    "wizard": "a {} hat",
    "chef": "a {} scarf",
}
PLAIN_FEELINGS = {"smiling": "smiling", "sad": "sad", "neutral": "serious"}
PEOPLE = "(?:woman|man|girl|boy)"
PLAIN_WORDS = "|".join(PLAIN_FEELINGS.values())


def _with_color(text: str, color: str) -> str:
    return text.replace("a {}", with_article(color)).format(color)


def describe(rng: random.Random, attributes: dict[str, str]) -> str:
    """Write a true caption of a character, mentioning a random part of it."""
    share = rng.choice((0.0, 0.3, 0.5, 0.75))
    role, person, hat = (attributes[key] for key in ("role", "person", "hat"))
    color = color_word(rng, attributes["color"])
    nouns = ROLE_NOUNS.get(role, NOUNS.get(person, ()))
    if person in SEXED.get(role, ()) and chance(rng, 0.35):
        nouns = SEXED[role][person]
    before, after = [], []
    if chance(rng, share + 0.1):
        before.append(rng.choice(FEELINGS[attributes["expression"]]))
    noun = rng.choice(nouns)
    if role == "robot":
        before += [color] if chance(rng, 0.7) else []
        after += _robot_words(rng, attributes, share)
    elif role == "person":
        kind = "hat" if "hat" in hat and chance(rng, 0.45) else hat
        crown = f"a {rng.choice(('golden', 'gold'))} {hat}"
        after.append(
            _hat_words(rng, crown if hat == "crown" else f"{color} {kind}", kind, hat)
        )
        if hat == "crown" and chance(rng, 0.5):
            noun, after = CROWNED[person], after if chance(rng, 0.5) else []
        elif hat == "cowboy hat" and chance(rng, 0.4):
            noun = {"man": "cowboy", "boy": "cowboy"}.get(person, "cowgirl")
            after = after if chance(rng, 0.5) else []
    elif chance(rng, 0.35 + share / 2):
        after.append(_with_color(rng.choice(WORN[role]), color))
    after += told(rng, _face_words(rng, attributes), (0, 0, 0, 1, 2) if share else (0,))
    text = " ".join((*before, noun))
    text = text if chance(rng, 0.12) else with_article(text)
    if after:
        beards = [words for words in after if "beard" in words]
        after = [words for words in after if words not in beards[1:]]
        worn = not any(words.endswith(BODILY) for words in after)
        link = rng.choice(("with", "with", "wearing", "in") if worn else ("with",))
        text = f"{text} {link} {join(after)}"
    return text + _surroundings(rng, attributes, share)


def _hat_words(rng: random.Random, words: str, kind: str, hat: str) -> str:
    if hat == "crown":
        return words if chance(rng, 0.6) else "a crown"
    return with_article(words if chance(rng, 0.8) else kind)


def _robot_words(
    rng: random.Random, attributes: Mapping[str, str], share: float
) -> list[str]:
    eyes = attributes["eyes"]
    seen = {
        f"{eyes} eyes": True,
        f"glowing {eyes} eyes": True,
        "an antenna": True,
        "buttons": True,
    }
    words = told(rng, seen, (1, 1, 2)) if chance(rng, share) else []
    return words[:1] if all("eyes" in word for word in words) else words


def _face_words(rng: random.Random, attributes: Mapping[str, str]) -> dict[str, bool]:
    hair, role = attributes["hair"], attributes["role"]
    named = rng.choice(HAIR_WORDS.get(hair, (hair,)))
    wizard = role == "wizard"
    return {
        "glasses": attributes["glasses"] == "yes",
        "a beard": attributes["beard"] == "yes",
        f"{with_article(named)} beard": attributes["beard"] == "yes" or wizard,
        "a long beard": wizard,
        f"{named} hair": hair != "none" and role not in ("wizard", "astronaut"),
        "a red nose": role == "clown",
        "a stethoscope": role == "doctor",
        "a helmet": role == "astronaut",
    }


def _surroundings(
    rng: random.Random, attributes: Mapping[str, str], share: float
) -> str:
    ground = attributes["ground"]
    if ground == "space":
        places = (" in space", " in space", ", space", ", stars", " among the stars")
        return rng.choice(places) if chance(rng, 0.7) else ""
    if not chance(rng, share * 0.6):
        return ""
    name = color_word(rng, ground)
    behind = with_article(name)
    return rng.choice(
        (
            f", {name} background",
            f" on {behind} background",
            f" in front of {behind} wall",
        )
    )


def _plain(attributes: Mapping[str, str]) -> str:
    role, color = attributes["role"], attributes["color"]
    feeling = PLAIN_FEELINGS[attributes["expression"]]
    person = attributes["person"]
    sexed = f"{person} " if role not in ("person", "robot", "wizard") else ""
    who = {
        "robot": f"{color} robot",
        "person": f"{person} in {with_article(color)} {attributes['hat']}",
    }.get(role, f"{sexed}{role}")
    seen = {
        _with_color(PLAIN_WORN.get(role, ""), color): role in PLAIN_WORN,
        f"{attributes['eyes']} eyes": role == "robot",
        "a beard": attributes["beard"] == "yes",
        f"{attributes['hair']} hair": role not in ("robot", "clown"),
        "glasses": attributes["glasses"] == "yes",
    }
    worn = join([words for words, there in seen.items() if there])
    ground = attributes["ground"]
    place = "in space" if ground == "space" else f"on {with_article(ground)} background"
    return f"a {feeling} {who} with {worn} {place}"


LEXICON = Words(
    plain=_plain,
    main=(
        rf"^a (?:{PLAIN_WORDS}) (?:woman |man )?"
        rf"(?:(\w+ robot) with|({PEOPLE} in an? [\w ]+?) with|"
        rf"({'|'.join(PLAIN_WORN)}) with an? (\w+)|(clown) with (\w+) hair)\b"
    ),
    things=("robot", "clown", "doctor", "firefighter", "astronaut", "wizard", "chef"),
    pieces=(
        *("hat", "crown", "helmet", "cap", "beanie", "antenna", "coat", "ruff", "suit"),
        *("stethoscope", "neckerchief", "buttons"),
    ),
    others={
        "robot": ("android",),
        "firefighter": ("fireman",),
        "doctor": ("physician",),
        "chef": ("cook",),
    },
    also="circus cowboy fighter fire glowing king party prince princess queen space "
    "toy",
    alike=(
        "hat, helmet, cap, beanie, crown",
        "coat, suit, clothes, shirt",
        "scarf, neckerchief, ruff, collar, clothes",
        "buttons, clothes",
    ),
    arguable="wall body collar animal shirt clothes scarf",
)
