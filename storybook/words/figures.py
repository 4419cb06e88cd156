"""How good captions and similarities are, on scenes that were kept from training."""

from __future__ import annotations

import random

import numpy as np

from imaginairy.enhancers.caption import caption_of
from imaginairy.enhancers.similarity import similarities
from imaginairy.models.captioning import Captioner
from imaginairy.models.similarity import Comparer
from storybook import settings
from storybook.training.loop import Figures
from storybook.training.sight import held_back_scenes
from storybook.world.plain import plain_caption, read_caption

OTHERS = 10
"""Captions of other scenes that a scene's own is picked out of."""


def caption_figures(
    captioner: Captioner, scenes: int, beams: int | None = 1
) -> Figures:
    """Return the shares of captions that name the right kind of scene, also its main
    attributes, and everything."""
    kind, main, whole = [], [], []
    for scene in held_back_scenes(scenes):
        wanted = plain_caption(scene.group, scene.attributes)
        said = caption_of(scene.image, captioner, beams)
        kind.append(read_caption(said)[0] == scene.group)
        main.append(read_caption(said) == read_caption(wanted))
        whole.append(said == wanted)
    shares = {"kind": kind, "main": main, "whole": whole}
    return {name: round(float(np.mean(each)), 4) for name, each in shares.items()}


def similarity_figures(comparer: Comparer, scenes: int) -> Figures:
    """Return how often a scene's caption is picked out of those of other scenes.

    Measured with plain captions, which say all that a scene shows, and with captions as
    people write them, which may fit other scenes too.
    """
    drawn = list(held_back_scenes(scenes))
    rng = random.Random(f"{settings.SEED}/others")
    kinds = {
        "plain": [plain_caption(each.group, each.attributes) for each in drawn],
        "as_people_do": [each.caption for each in drawn],
    }
    figures = {}
    for kind, captions in kinds.items():
        picked = []
        for number, scene in enumerate(drawn):
            others = [each for each in captions if each != captions[number]]
            offered = [captions[number], *rng.sample(others, OTHERS)]
            found = similarities(scene.image, offered, comparer)
            picked.append(int(np.argmax(found)) == 0)
        figures[kind] = round(float(np.mean(picked)), 4)
    return figures
