"""List the words that the drawing model's captions are made of, by group."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from imaginairy.models.words import STOP_WORDS, words_of
from imaginairy.sources.layouts import WORDS
from storybook import settings
from storybook.training.saving import write_json
from storybook.world import GROUPS
from storybook.world.scene import Picker
from storybook.world.words import OPENINGS, STYLES

CAPTIONS_EACH = 1_200
"""Captions of each group that are read; after 900 no new word came."""
COMMON = 5
"""A word of so many groups belongs to none of them."""
ANYWHERE, STYLE = "anywhere", "style"


def export() -> None:
    """Write the words beside the exported model."""
    content = {"made_by": "python -m storybook words", "groups": known_words()}
    write_json(settings.DATA / WORDS, content)


def known_words() -> dict[str, list[str]]:
    """Return what means something by group, then words of style; each word once.

    The stray words of captions, which mean nothing in this world, are not among them.
    """
    found = {name: words_of_group(name) for name in GROUPS}
    count = Counter(word for words in found.values() for word in words)
    common = {word for word, groups in count.items() if groups >= COMMON}
    openings = (opening for row in GROUPS.values() for opening in row.media)
    style = words_in([*OPENINGS, *STYLES, *openings]) - set(count)
    return {
        ANYWHERE: sorted(common),
        **{name: sorted(words - common) for name, words in found.items()},
        STYLE: sorted(style),
    }


def words_of_group(name: str) -> set[str]:
    """Return the words of a group's captions, without those that say nothing."""
    rng, row = random.Random(settings.SEED), GROUPS[name]
    captions = []
    for _ in range(CAPTIONS_EACH):
        picker = Picker(rng, {})
        row.choose(picker)
        captions.append(row.describe(rng, picker.finish()))
    return words_in(captions)


def words_in(texts: Iterable[str]) -> set[str]:
    """Return the words of texts that say something."""
    return {word for text in set(texts) for word in words_of(text)} - STOP_WORDS
