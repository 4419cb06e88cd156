"""Cached pictures with what they show, for networks that put pictures into words."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from imaginairy.models.picture_input import PictureInput
from storybook import settings
from storybook.training.cache import (
    Content,
    load_pictures,
    load_places,
    load_scenes,
    to_tensor,
)
from storybook.training.loop import step_generator
from storybook.world import GROUPS, Scene, draw_scene
from storybook.world.canvas import SIZE

SHIFT = 4
"""Pixels by which pictures are moved at most."""
WORN_SHARE = 0.4
MOST_NOISE = 0.06
MIDDLE = 0.5
"""What is taken off a picture's values, and what they are divided by."""
PICTURES = PictureInput(
    side=SIZE, resample=3, mean=(MIDDLE,) * 3, deviation=(MIDDLE,) * 3
)
"""How pictures are handed to these networks."""


@dataclass(frozen=True)
class Seen:
    """A batch of pictures, a little worn, and what they show."""

    pictures: Tensor
    """(batch, 3, SIZE, SIZE) in [-1, 1]."""
    contents: list[Content]
    shown: Tensor
    """How much of each place every name fits, (batch, NAMES, places, places)."""


class Sights:
    """Draws batches of cached pictures."""

    def __init__(self) -> None:
        self.pictures, self.places = load_pictures(), load_places()
        self.scenes: list[Content] = load_scenes()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Let another process read the cache by itself."""
        return Sights, ()

    def draw(self, batch: int, generator: torch.Generator) -> Seen:
        """Return so many pictures, chosen at random."""
        chosen = torch.randint(len(self.scenes), (batch,), generator=generator)
        pixels = to_tensor(self.pictures[chosen.numpy()], torch.device("cpu"))
        worn = wear(pixels.contiguous(), generator)
        contents = [self.scenes[index] for index in chosen.tolist()]
        shown = torch.from_numpy(self.places[chosen.numpy()]) / 255
        return Seen(worn, contents, shown)


def draw_sights(sights: Sights, batch: int, rank: int, step: int) -> Seen:
    """Return the pictures of one step of a worker."""
    return sights.draw(batch, step_generator(step, rank))


def wear(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Move pictures a little, and blur, roughen and fade some, as drawing does.

    Args:
        pictures: (batch, 3, side, side) in [-1, 1]; so is what is returned.
    """
    batch, _, side, _ = pictures.shape

    def some(most: float) -> Tensor:
        amount = torch.rand(batch, 1, 1, 1, generator=generator) * most
        worn = torch.rand(batch, 1, 1, 1, generator=generator) < WORN_SHARE
        return amount * worn

    wide = F.pad(pictures, (SHIFT,) * 4, mode="replicate")
    moves = torch.randint(2 * SHIFT + 1, (batch, 2), generator=generator).tolist()
    moved = [wide[i, :, y : y + side, x : x + side] for i, (x, y) in enumerate(moves)]
    pictures = torch.stack(moved)
    blurred = F.avg_pool2d(F.pad(pictures, (1,) * 4, mode="replicate"), 3, stride=1)
    pictures = torch.lerp(pictures, blurred, some(1.0))
    noise = torch.randn(pictures.shape, generator=generator)
    pictures = pictures * (1 - some(0.2)) + some(0.1) - some(0.1)
    return (pictures + noise * some(MOST_NOISE)).clamp(-1, 1)


def held_back_scenes(count: int) -> Iterator[Scene]:
    """Draw scenes whose combination of attributes is kept from training.

    Groups that keep none back give pictures that were not trained on.
    """
    rng = random.Random(f"{settings.SEED}/held back")
    while count:
        scene = draw_scene(rng)
        if scene.held_out or (not GROUPS[scene.group].key and rng.random() < 0.06):
            yield scene
            count -= 1
