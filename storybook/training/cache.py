"""Draw the training pictures once and keep them with what they show."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from storybook import settings
from storybook.training.naming import shares_of
from storybook.training.workers import open_pool
from storybook.world import draw_training_scene
from storybook.world.canvas import OVERSAMPLE, SIZE
from storybook.world.phrases import NAMES

PICTURES = settings.STATE / "pictures.npy"
PLACES = settings.STATE / "places.npy"
SCENES = settings.STATE / "scenes.json"
AT_ONCE = 64
"""Pictures that a process is given at a time."""

Content = tuple[str, dict[str, str]]
"""A scene's group and attributes, from which captions are written."""


def draw_cache() -> None:
    """Draw `settings.PICTURES` pictures and write down what they show."""
    if SCENES.exists():
        return
    settings.STATE.mkdir(parents=True, exist_ok=True)
    side = settings.PLACES_ACROSS
    pictures, places = (
        np.lib.format.open_memmap(Path(f"{path}.partial"), "w+", np.uint8, shape)
        for path, shape in (
            (PICTURES, (settings.PICTURES, SIZE, SIZE, 3)),
            (PLACES, (settings.PICTURES, len(NAMES), side, side)),
        )
    )
    scenes: list[Content] = []
    with open_pool(-(-settings.PICTURES // AT_ONCE)) as pool:
        for row in pool.imap(_draw_one, range(settings.PICTURES), AT_ONCE):
            pictures[len(scenes)], places[len(scenes)], content = row
            scenes.append(content)
    for array, path in ((pictures, PICTURES), (places, PLACES)):
        array.flush()
        Path(f"{path}.partial").replace(path)
    SCENES.write_text(json.dumps(scenes))


def _draw_one(index: int) -> tuple[np.ndarray, np.ndarray, Content]:
    torch.set_num_threads(1)
    scene = draw_training_scene(random.Random(f"{settings.SEED}/{index}"), parts=True)
    assert scene.parts is not None
    labels = scene.parts.labels[::OVERSAMPLE, ::OVERSAMPLE]
    shares = shares_of(labels, scene.parts.paths, settings.PLACES_ACROSS)
    places = (shares * 255).round().byte().numpy()
    return np.asarray(scene.image), places, (scene.group, scene.attributes)


def load_pictures() -> np.ndarray:
    """Return all pictures, (count, height, width, 3) uint8, mapped from disk."""
    return np.load(PICTURES, mmap_mode="r")


def load_places() -> np.ndarray:
    """Return how much of each place of each picture every name fits, mapped from disk.

    Returns:
        (count, NAMES, PLACES_ACROSS, PLACES_ACROSS) uint8, of 255.
    """
    return np.load(PLACES, mmap_mode="r")


def chances_of(
    scenes: Sequence[Content], focus: Mapping[str, float] = settings.FOCUS
) -> Tensor:
    """Return how often each picture is taken, by its group, (count,)."""
    return torch.tensor([focus.get(group, 1.0) for group, _ in scenes])


def pick_pictures(chances: Tensor, count: int, generator: Generator) -> list[int]:
    """Return the numbers of some pictures."""
    drawn = torch.multinomial(chances, count, replacement=True, generator=generator)
    picked: list[int] = drawn.tolist()
    return picked


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
