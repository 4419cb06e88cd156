"""Draw one sheet of the whole picture world, to look at."""

from __future__ import annotations

import random

from storybook import settings
from storybook.reports.drawing import COLUMNS, save_sheet
from storybook.world import GROUPS, draw_scene

ROWS = 2
"""Rows that each group fills."""


def draw_world() -> None:
    """Save scenes of every group, learnt or not, in `settings.STATE`."""
    settings.STATE.mkdir(parents=True, exist_ok=True)
    rng = random.Random(settings.SEED)
    scenes = [draw_scene(rng, group) for group in GROUPS for _ in range(ROWS * COLUMNS)]
    path = settings.STATE / "world.png"
    save_sheet([scene.image for scene in scenes], path)
    print(path)
