"""Where creatures are, in the words of captions."""

import random
from collections.abc import Mapping, Sequence

from storybook.world.sky import PLAIN_TIMES, at_time
from storybook.world.words import chance, color_word, with_article


def somewhere(
    rng: random.Random,
    creature: str,
    attributes: Mapping[str, str],
    places: Mapping[str, Sequence[str]],
) -> str:
    """Write a caption of a creature: mostly where it is, and sometimes when."""
    creature = creature if chance(rng, 0.12) else with_article(creature)
    place = attributes["place"]
    if place == "plain":
        ground = color_word(rng, attributes["ground"])
        behind = (
            f", {ground} background",
            f" on {with_article(ground)} background",
            f" on {ground}",
        )
        return creature + (rng.choice(behind) if chance(rng, 0.6) else "")
    if chance(rng, 0.65):
        creature += f" {rng.choice(places[place])}"
    return at_time(rng, creature, attributes["time"])


def plainly_somewhere(
    creature: str, attributes: Mapping[str, str], places: Mapping[str, str]
) -> str:
    """Write the same, always in the same words."""
    core, place = with_article(creature), attributes["place"]
    if place == "plain":
        return f"{core} on {with_article(attributes['ground'])} background"
    return f"{core} {places[place]} {PLAIN_TIMES[attributes['time']]}"
