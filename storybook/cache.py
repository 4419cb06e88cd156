"""Draw the training pictures once and keep them with what they show."""

from __future__ import annotations

import json
import multiprocessing
import random
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from storybook import settings
from storybook.world import draw_training_scene
from storybook.world.canvas import SIZE

PICTURES = settings.STATE / "pictures.npy"
SCENES = settings.STATE / "scenes.json"

Content = tuple[str, dict[str, str]]
"""A scene's group and attributes, from which captions are written."""


def draw_cache() -> None:
    """Draw `settings.PICTURES` pictures and write down what they show."""
    if SCENES.exists():
        return
    settings.STATE.mkdir(parents=True, exist_ok=True)
    partial = Path(f"{PICTURES}.partial")
    shape = (settings.PICTURES, SIZE, SIZE, 3)
    pictures = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)
    scenes: list[Content] = []
    with multiprocessing.get_context("spawn").Pool() as pool:
        for pixels, content in pool.imap(_draw_one, range(settings.PICTURES), 64):
            pictures[len(scenes)] = pixels
            scenes.append(content)
    pictures.flush()
    partial.replace(PICTURES)
    SCENES.write_text(json.dumps(scenes))


def _draw_one(index: int) -> tuple[np.ndarray, Content]:
    scene = draw_training_scene(random.Random(f"{settings.SEED}/{index}"))
    return np.asarray(scene.image), (scene.group, scene.attributes)


def load_pictures() -> np.ndarray:
    """Return all pictures, (count, height, width, 3) uint8, mapped from disk."""
    return np.load(PICTURES, mmap_mode="r")


def load_scenes() -> list[Content]:
    """Return group and attributes of every picture."""
    return [(group, attributes) for group, attributes in json.loads(SCENES.read_text())]


def fresh_pictures() -> np.ndarray:
    """Draw pictures that are not in the cache, (count, height, width, 3) uint8."""
    rng = random.Random(f"{settings.SEED}/fresh")
    scenes = [draw_training_scene(rng) for _ in range(settings.FRESH_PICTURES)]
    return np.stack([np.asarray(scene.image) for scene in scenes])


def to_tensor(pixels: np.ndarray, device: torch.device) -> Tensor:
    """Return pictures in [-1, 1], (count, 3, height, width), channels last."""
    pictures = torch.from_numpy(np.array(pixels)).to(device)
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
