"""Measure a mask model on fresh scenes: wholes, parts, and what is not there."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from imaginairy.models.companion_files import locate_companion
from imaginairy.models.segmentation import (
    Segmenter,
    load_segmenter,
)
from imaginairy.sources.companions import ROLES
from storybook import settings
from storybook.training.loop import Figures
from storybook.world import Scene, draw_scene
from storybook.world.canvas import OVERSAMPLE, SIZE
from storybook.world.phrases import Asked, absent, present

FOLDER = settings.STATE / "report"
SCENES = 300
ABSENT = 3
"""Phrases a scene for what is not there."""
SHOWN = 48
"""Masks on the contact sheet."""


@dataclass(frozen=True)
class Measured:
    """How good one mask is."""

    kind: str
    name: str
    value: float


def report() -> None:
    """Measure the exported model, print, and save figures and a contact sheet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    spec = locate_companion("mask", ROLES["mask"].bundled)
    segmenter = load_segmenter(spec, torch.device("cpu"))
    rows = measured(segmenter, SCENES)
    named = [(row.name, row.value) for row in rows if row.kind != "absent"]
    figures = {
        **means((row.kind, row.value) for row in rows),
        "by_name": means(sorted(named), digits=3),
    }
    save_sheet(segmenter)
    text = json.dumps(figures, indent=2)
    (FOLDER / "masks.json").write_text(text + "\n")
    print(text)


def figures_of(segmenter: Segmenter, scenes: int) -> Figures:
    """Return the mean overlaps of wholes and of parts, and what is masked in vain."""
    return means((row.kind, row.value) for row in measured(segmenter, scenes))


def measured(segmenter: Segmenter, scenes: int) -> list[Measured]:
    """Measure every mask: its overlap, or, of what is absent, how much it covers."""
    return [
        Measured(
            asked.kind,
            asked.names[0] if asked.names else "",
            float(found.mean()) if asked.kind == "absent" else overlap(found, wanted),
        )
        for _, asked, found, wanted in answers(segmenter, scenes)
    ]


def means(rows: Iterable[tuple[str, float]], digits: int = 4) -> Figures:
    """Return the mean of all values that go by the same name."""
    values: dict[str, list[float]] = defaultdict(list)
    for name, value in rows:
        values[name].append(value)
    return {name: round(float(np.mean(row)), digits) for name, row in values.items()}


def answers(
    segmenter: Segmenter, scenes: int
) -> Iterator[tuple[Scene, Asked, np.ndarray, np.ndarray]]:
    """Ask for all that fresh scenes show and some that they do not.

    Yields:
        A scene, what was asked, what was found, and the truth, (SIZE, SIZE) bool.
    """
    rng = random.Random(f"{settings.SEED}/masks")
    for _ in range(scenes):
        scene = draw_scene(rng, parts=True)
        asked = present(scene) + [absent(rng, scene) for _ in range(ABSENT)]
        phrases = [each.phrase for each in asked]
        masks = segmenter.soft_masks(scene.image, phrases, (SIZE, SIZE))
        for each, mask in zip(asked, masks, strict=True):
            yield scene, each, mask > 0.5, reduced(each.mask(scene))


def reduced(mask: np.ndarray) -> np.ndarray:
    """Return which pixels a mask covers by more than half, (SIZE, SIZE) bool."""
    blocks = mask.reshape(SIZE, OVERSAMPLE, SIZE, OVERSAMPLE)
    return blocks.mean(axis=(1, 3)) > 0.5


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return what two masks share, of all that is in either (IoU)."""
    return float((found & wanted).sum() / max(1, (found | wanted).sum()))


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
