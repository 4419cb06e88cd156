"""The wording around captions: articles, openings, style words and stray words."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from storybook.world.lists import lines

OPENINGS = lines("openings")
STYLES = lines("styles")
STRAYS = lines("strays")
"""Words that mean nothing in this world, so that the model learns to pass over them."""
LETTERS = "aabcdeeefghiijklmnoopqrstuuvwxyz"


def with_article(noun: str) -> str:
    """Put "a" or "an" in front."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def join(parts: list[str]) -> str:
    """Return "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def color_word(rng: random.Random, name: str) -> str:
    """Spell gray as half the people do."""
    return "grey" if name == "gray" and chance(rng, 0.5) else name


def told(
    rng: random.Random, seen: Mapping[str, bool], counts: tuple[int, ...]
) -> list[str]:
    """Return as many as one of `counts` of what is true, in any order."""
    words = [word for word, true in seen.items() if true]
    rng.shuffle(words)
    return words[: rng.choice(counts)]


def said(seen: Mapping[str, bool]) -> str:
    """Return all that is true, as " with a, b and c", or nothing."""
    words = join([word for word, true in seen.items() if true])
    return f" with {words}" if words else ""


def chance(rng: random.Random, share: float) -> bool:
    """Be true in this share of the cases."""
    return rng.random() < share


def dress(
    rng: random.Random,
    core: str,
    media: tuple[str, ...] = (),
    strays: Sequence[str] = STRAYS,
) -> str:
    """Put a caption the way people type it: opening, style words, stray words."""
    text = core
    if chance(rng, 0.35):
        opening = rng.choice((*media, *OPENINGS))
        text = f"{opening} {text}"
        if opening.endswith(" of") and chance(rng, 0.15):
            text = f"{opening} {core.removeprefix('a ').removeprefix('an ')}"
    elif chance(rng, 0.15):
        text = text.removeprefix("a ").removeprefix("an ").replace(" a ", " ")
    if chance(rng, 0.22):
        styles = rng.sample(STYLES, rng.choice((1, 1, 1, 2, 3)))
        text = f"{text}, {', '.join(styles)}"
    if chance(rng, 0.09):
        stray = _invented(rng) if chance(rng, 0.15) else rng.choice(strays)
        text = f"{text}, {stray}" if chance(rng, 0.5) else f"{stray} {text}"
    if chance(rng, 0.05):
        text += "."
    return text


def _invented(rng: random.Random) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(3, 9)))
