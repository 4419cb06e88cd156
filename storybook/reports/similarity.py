"""Measure a similarity model on scenes that were kept from training."""

from __future__ import annotations

import json
import random

import numpy as np
import torch

from imaginairy.enhancers.similarity import similarities
from imaginairy.models.companion_files import locate_companion
from imaginairy.models.similarity import Comparer, load_comparer
from imaginairy.sources.companions import ROLES
from storybook import settings
from storybook.training.loop import Figures
from storybook.training.sight import held_back_scenes
from storybook.world.plain import plain_caption

FOLDER = settings.STATE / "report"
SCENES = 300
OTHERS = 10
"""Captions of other scenes that a scene's own is picked out of."""


def report() -> None:
    """Measure the exported model, print, and save the figures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    spec = locate_companion("similarity", ROLES["similarity"].bundled)
    figures = figures_of(load_comparer(spec, torch.device("cpu")), SCENES)
    text = json.dumps(figures, indent=2)
    (FOLDER / "similarity.json").write_text(text + "\n")
    print(text)


def figures_of(comparer: Comparer, scenes: int) -> Figures:
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
