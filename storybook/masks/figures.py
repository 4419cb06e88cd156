"""How good masks are on fresh scenes: of wholes, of parts, and of what is absent."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from imaginairy.models.segmentation import Segmenter
from storybook import settings
from storybook.training.loop import Figures
from storybook.world import Scene, draw_scene
from storybook.world.canvas import OVERSAMPLE, SIZE
from storybook.world.phrases import Asked, absent, present

ABSENT = 3
"""Phrases a scene for what is not there."""


@dataclass(frozen=True)
class Measured:
    """How good one mask is."""

    kind: str
    name: str
    value: float


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
