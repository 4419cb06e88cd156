"""Draw pairs of pictures that differ in one attribute alone, and encode them.

The error of a whole picture hardly falls when a model learns to tell a smile from a
frown; between twins there is nothing else to learn.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.tokenizer import ClipTokenizer
from storybook import settings
from storybook.drawing import tokenizer
from storybook.drawing.autoencoder import load_autoencoder
from storybook.drawing.latents import encode, load_spread, save_whole
from storybook.training.cache import (
    Content,
    chances_of,
    load_scenes,
    pick_pictures,
    to_tensor,
)
from storybook.training.loop import pick_device
from storybook.training.workers import open_pool
from storybook.world import GROUPS, draw_scene
from storybook.world.plain import plain_caption
from storybook.world.scene import Picker

LATENTS = settings.STATE / "twins.npy"
SCENES = settings.STATE / "twins.json"
AT_ONCE = 32
"""Pairs that a process is given at a time."""

Pair = tuple[Content, Content]
Values = dict[str, dict[str, list[str]]]
"""By group and attribute: what it may be."""


def draw_twins() -> None:
    """Write `settings.TWINS` pairs: their latents, and what each of them shows."""
    if SCENES.exists():
        return
    pairs = find_pairs(load_scenes())
    device = pick_device()
    model = load_autoencoder().to(device, memory_format=torch.channels_last)
    save_whole(LATENTS, np.stack([*encoded(pairs, model, device)]))
    SCENES.write_text(json.dumps(pairs))


def find_pairs(scenes: Sequence[Content]) -> list[Pair]:
    """Return `settings.TWINS` pairs of what scenes show; the same for the same."""
    rng = random.Random(f"{settings.SEED}/twins")
    values = values_in(scenes)
    reach = chances_of(scenes, settings.TWIN_GROUPS).cumsum(0).tolist()
    pairs: list[Pair] = []
    while len(pairs) < settings.TWINS:
        (scene,) = rng.choices(scenes, cum_weights=reach)
        if twin := twin_of(rng, scene, values):
            pairs.append((scene, twin))
    return pairs


def encoded(
    pairs: Sequence[Pair], model: Autoencoder, device: torch.device
) -> Iterator[np.ndarray]:
    """Draw pairs, and yield the latents of each, (2, channels, height, width)."""
    with open_pool(-(-len(pairs) // AT_ONCE)) as pool:
        for pictures in pool.imap(draw_pair, enumerate(pairs), AT_ONCE):
            yield encode(model, to_tensor(pictures, device))


def values_in(scenes: Sequence[Content]) -> Values:
    """Return all values that the attributes of each group have."""
    found: dict[str, dict[str, set[str]]] = {}
    for group, attributes in scenes:
        for name, value in attributes.items():
            found.setdefault(group, {}).setdefault(name, set()).add(value)
    return {
        group: {name: sorted(each) for name, each in row.items()}
        for group, row in found.items()
    }


def twin_of(rng: random.Random, scene: Content, values: Values) -> Content | None:
    """Return a scene that differs in one attribute that a caption tells.

    None where that attribute cannot be changed alone, or leads to a combination that is
    kept for evaluation.
    """
    group, attributes = scene
    weights = [settings.TWIN_FOCUS.get(name, 1.0) for name in attributes]
    (name,) = rng.choices(list(attributes), weights)
    other = {**attributes, name: rng.choice(values[group][name])}
    pick = Picker(random.Random(0), other)
    try:
        GROUPS[group].choose(pick)
        exists = pick.finish() == other
    except ValueError:
        return None
    if not exists or GROUPS[group].holds_out(other):
        return None
    differ = plain_caption(group, other) != plain_caption(*scene)
    return (group, other) if differ else None


def draw_pair(numbered: tuple[int, Pair]) -> np.ndarray:
    """Draw twins, alike in all else, (2, height, width, 3) uint8."""
    torch.set_num_threads(1)
    number, pair = numbered
    seed = f"{settings.SEED}/twins {number}"
    images = [draw_scene(random.Random(seed), g, **a).image for g, a in pair]
    return np.stack([np.asarray(image) for image in images])


def chances_by_likeness(latents: Tensor) -> Tensor:
    """Return how often each pair is drawn: the oftener, the more alike it looks.

    What differs least, as a hexagon from a circle, is mistaken most. Not at all where
    nothing is to be seen of it, as of the colour of hair under a helmet.

    Args:
        latents: of pairs, standardised, (pairs, 2, channels, height, width)
    """
    size = (latents[:, 0] - latents[:, 1]).square().sum(dim=(1, 2, 3))
    return torch.where(size < settings.TWIN_LEAST**2, 0.0, 1 / size)


class TwinBatch(NamedTuple):
    """Some pairs."""

    latents: Tensor
    """(pairs, 2, channels, height, width), standardised."""
    ids: Tensor
    """(pairs, 2, tokens) of their plain captions."""

    def to(self, device: torch.device) -> TwinBatch:
        """Return the same there."""
        return TwinBatch(*(each.to(device) for each in self))


class Twins:
    """Draw batches of pairs."""

    def __init__(self) -> None:
        mean, deviation = (each[:, None, None] for each in load_spread())
        latents = torch.from_numpy(np.load(LATENTS)).float()
        self.latents = (latents - mean) / deviation
        self.chances = chances_by_likeness(self.latents)
        self.scenes: list[Pair] = json.loads(SCENES.read_text())
        self.tokenizer: ClipTokenizer = tokenizer.load()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Let another process read them by itself."""
        return Twins, ()

    def draw(self, count: int, generator: torch.Generator) -> TwinBatch:
        """Return some pairs."""
        chosen = pick_pictures(self.chances, count, generator)
        ids = [
            [self.tokenizer.windows(plain_caption(*each))[0] for each in self.scenes[i]]
            for i in chosen
        ]
        return TwinBatch(self.latents[chosen], torch.tensor(ids))
