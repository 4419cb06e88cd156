"""Measure a similarity model on scenes that were kept from training."""

from __future__ import annotations

import json

import torch

from imaginairy.models.similarity import load_comparer
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import ROLES
from storybook import settings
from storybook.training.origin import add_figures
from storybook.words.figures import similarity_figures

FOLDER = settings.STATE / "report"
SCENES = 300


def report() -> None:
    """Measure the exported model, print, and save the figures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    spec = locate("similarity", ROLES["similarity"].bundled)
    comparer = load_comparer(spec, torch.device("cpu"))
    figures = similarity_figures(comparer, SCENES)
    add_figures(settings.SIMILARITY_DATA, {"scenes": SCENES, **figures})
    text = json.dumps(figures, indent=2)
    (FOLDER / "similarity.json").write_text(text + "\n")
    print(text)
