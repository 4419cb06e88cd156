"""Measure a mask model on fresh scenes: wholes, parts, and what is not there."""

from __future__ import annotations

import json

import torch
from PIL import Image

from imaginairy.models.segmentation import (
    Segmenter,
    load_segmenter,
)
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import ROLES
from storybook import settings
from storybook.masks.figures import answers, means, measured
from storybook.training.origin import add_figures
from storybook.world.canvas import SIZE

FOLDER = settings.STATE / "report"
SCENES = 300
SHOWN = 48
"""Masks on the contact sheet."""


def report() -> None:
    """Measure the exported model, print, and save figures and a contact sheet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    spec = locate("mask", ROLES["mask"].bundled)
    segmenter = load_segmenter(spec, torch.device("cpu"))
    rows = measured(segmenter, SCENES)
    named = [(row.name, row.value) for row in rows if row.kind != "absent"]
    overall = means((row.kind, row.value) for row in rows)
    figures = {**overall, "by_name": means(sorted(named), digits=3)}
    add_figures(settings.SEGMENTATION_DATA, {"scenes": SCENES, **overall})
    save_sheet(segmenter)
    text = json.dumps(figures, indent=2)
    (FOLDER / "masks.json").write_text(text + "\n")
    print(text)


def save_sheet(segmenter: Segmenter) -> None:
    """Lay out pictures beside their true and their found masks."""
    sheet = Image.new("RGB", (4 * 3 * SIZE, SHOWN // 4 * SIZE))
    chosen = [row for i, row in enumerate(answers(segmenter, SHOWN)) if i % 9 == 0]
    for i, (scene, _, found, wanted) in enumerate(chosen[:SHOWN]):
        x, y = i % 4 * 3 * SIZE, i // 4 * SIZE
        sheet.paste(scene.image, (x, y))
        for offset, mask in ((SIZE, wanted), (2 * SIZE, found)):
            sheet.paste(Image.fromarray(mask), (x + offset, y))
    sheet.save(FOLDER / "masks.png")
