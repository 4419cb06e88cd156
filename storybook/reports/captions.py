"""Measure a caption model on scenes that were kept from training."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import torch

from imaginairy.enhancers.caption import caption_of
from imaginairy.models.captioning import load_captioner
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import ROLES
from storybook import settings
from storybook.training.origin import add_figures
from storybook.training.sight import held_back_scenes
from storybook.words.figures import caption_figures
from storybook.world.plain import plain_caption, read_caption

FOLDER = settings.STATE / "report"
SCENES = 300


def report() -> None:
    """Measure the exported model, print, and save figures and captions."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    spec = locate("captioner", ROLES["captioner"].bundled)
    captioner = load_captioner(spec, torch.device("cpu"))
    by_group: dict[str, list[bool]] = defaultdict(list)
    lines = []
    for scene in held_back_scenes(SCENES):
        wanted = plain_caption(scene.group, scene.attributes)
        said = caption_of(scene.image, captioner)
        by_group[scene.group].append(read_caption(said) == read_caption(wanted))
        lines.append(f"{'=' if said == wanted else '!'} {said} | {wanted}")
    figures = {
        "usual": caption_figures(captioner, SCENES, beams=None),
        "greedy": caption_figures(captioner, SCENES),
        "by_group": {k: round(float(np.mean(v)), 3) for k, v in by_group.items()},
    }
    add_figures(settings.CAPTION_DATA, {"scenes": SCENES, **figures["usual"]})
    text = json.dumps(figures, indent=2)
    (FOLDER / "captions.json").write_text(text + "\n")
    (FOLDER / "captions.txt").write_text("\n".join(lines) + "\n")
    print(text)
