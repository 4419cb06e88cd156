"""Faces to learn restoring from: each worn, and as it should be, cut out alike."""

from __future__ import annotations

import json
import multiprocessing
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from imaginairy.enhancers.face_alignment import aligning, cut_out
from storybook import settings
from storybook.drawing.decoder import load_finished
from storybook.faces.pictures import MIRRORED, Pixels, fresh_portraits, through_jpeg
from storybook.training.cache import to_tensor
from storybook.training.loop import step_random
from storybook.upscaler.network import DECODED_AT_ONCE, KINDS, decoded
from storybook.world import Scene, draw_scene
from storybook.world.canvas import SIZE
from storybook.world.words import chance

LARGE = settings.STATE / "faces_large.npy"
SMALL = settings.STATE / "faces_small.npy"
LANDMARKS = settings.STATE / "faces.json"
DETAIL = 4
"""How many times as large as the world's own the faces are drawn that are learnt."""
OFF = 0.6
"""Deviation of landmarks, in pixels of the small picture, as a detector has it."""


def draw_cache() -> None:
    """Draw portraits at both sizes, and decode the small ones from their latents."""
    if LANDMARKS.exists():
        return
    settings.STATE.mkdir(parents=True, exist_ok=True)
    count = settings.FACES
    large, small = (
        np.lib.format.open_memmap(Path(f"{path}.partial"), "w+", np.uint8, shape)
        for path, shape in (
            (LARGE, (count, DETAIL * SIZE, DETAIL * SIZE, 3)),
            (SMALL, (count, len(KINDS), SIZE, SIZE, 3)),
        )
    )
    landmarks = []
    with multiprocessing.get_context("spawn").Pool(settings.WORKERS) as pool:
        for index, drawn in enumerate(pool.imap(_draw_one, range(count), 4)):
            small[index, 0], large[index], points = drawn
            landmarks.append(points)
    generator = torch.Generator().manual_seed(settings.SEED)
    model = load_finished().to(memory_format=torch.channels_last)
    for first in range(0, count, DECODED_AT_ONCE):
        batch = slice(first, first + DECODED_AT_ONCE)
        small[batch, 1], small[batch, 2] = decoded(model, small[batch, 0], generator)
    for array, path in ((large, LARGE), (small, SMALL)):
        array.flush()
        Path(f"{path}.partial").replace(path)
    LANDMARKS.write_text(json.dumps(landmarks))


def _draw_one(index: int) -> tuple[Pixels, Pixels, Sequence[tuple[float, float]]]:
    rng = random.Random(f"{settings.SEED}/faces/{index}")
    while (scene := draw_scene(rng, "portraits", detail=DETAIL)).held_out:
        pass
    assert scene.large is not None
    landmarks = scene.faces[0].landmarks
    return np.asarray(scene.image), np.asarray(scene.large), landmarks


@dataclass(frozen=True)
class Pair:
    """One aligned face, (side, side, 3) uint8 both times."""

    worn: Pixels
    good: Pixels


def pair_of(
    rng: random.Random, small: Pixels, large: Pixels, landmarks: object
) -> Pair:
    """Cut a face out of a portrait drawn large, and out of a worn copy of it.

    Landmarks are a little off, as a detector's are, and some portraits are mirrored.
    """
    points = np.array(landmarks) - 0.5  # pixels by their middles
    points += np.array([rng.gauss(0, OFF) for _ in range(10)]).reshape(5, 2)
    if chance(rng, 0.5):
        small, large = (np.ascontiguousarray(each[:, ::-1]) for each in (small, large))
        points = (points * (-1, 1) + (SIZE - 1, 0))[list(MIRRORED)]
    seen = worn(rng, small)
    if chance(rng, 0.4):  # as an upscaler leaves it
        seen = cv2.resize(seen, large.shape[:2], interpolation=cv2.INTER_CUBIC)
    side = settings.CODEFORMER.image_size

    def cut(pixels: Pixels) -> Pixels:
        scale = len(pixels) / SIZE
        return cut_out(pixels, aligning((points + 0.5) * scale - 0.5, side), side)

    return Pair(cut(seen), cut(large))


def worn(rng: random.Random, pixels: Pixels) -> Pixels:
    """Blur, shrink, roughen and save a picture badly, each more or less or not."""
    side = len(pixels)
    if chance(rng, 0.6):
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.3, 2.2))
    if chance(rng, 0.6):
        small = round(side / rng.uniform(1, 4))
        pixels = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA)
    if chance(rng, 0.6):
        noise = np.random.default_rng(rng.getrandbits(32))
        rough = noise.normal(0, rng.uniform(1, 22), pixels.shape)
        pixels = (pixels + rough).clip(0, 255).astype(np.uint8)
    if chance(rng, 0.4):
        pixels = through_jpeg(pixels, rng.randint(25, 95))
    if len(pixels) != side:
        kind = rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC))
        pixels = cv2.resize(pixels, (side, side), interpolation=kind)
    return pixels


def fresh_pairs(count: int) -> list[Pair]:
    """Return faces of combinations that training never shows, always the same."""
    rng = random.Random(f"{settings.SEED}/fresh pairs")
    return [fresh_pair(rng, scene) for scene in fresh_portraits(count, detail=DETAIL)]


def fresh_pair(rng: random.Random, scene: Scene) -> Pair:
    """Wear a scene's face and cut it out."""
    small, large = np.asarray(scene.image), np.asarray(scene.large)
    return pair_of(rng, small, large, scene.faces[0].landmarks)


def batch_of(pairs: Sequence[Pair], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return worn and good faces in [-1, 1], (batch, 3, side, side) each."""
    return (
        to_tensor(np.stack([pair.worn for pair in pairs]), device),
        to_tensor(np.stack([pair.good for pair in pairs]), device),
    )


class Pairs:
    """Gives the batches of a worker, the same ones after a resume."""

    def __init__(self, rank: int, batch: int) -> None:
        self.rank, self.batch = rank, batch
        self.large, self.small = (
            np.load(each, mmap_mode="r") for each in (LARGE, SMALL)
        )
        self.landmarks = json.loads(LANDMARKS.read_text())

    def __reduce__(self) -> tuple[type, tuple[int, int]]:
        """Let another process read the cache by itself."""
        return Pairs, (self.rank, self.batch)

    def __call__(self, step: int) -> tuple[int, Tensor, Tensor]:
        """Return a step's number, worn faces and good ones, in [-1, 1]."""
        rng = step_random(step, self.rank)
        pairs = [self._choose(rng) for _ in range(self.batch)]
        return step, *batch_of(pairs, torch.device("cpu"))

    def some_good(
        self, count: int, step: int, device: torch.device
    ) -> Iterator[Tensor]:
        """Yield good faces (1, 3, side, side), the same ones to every worker."""
        rng = random.Random(f"{settings.SEED}/good/{step}")
        for _ in range(count):
            yield batch_of([self._choose(rng)], device)[1]

    def _choose(self, rng: random.Random) -> Pair:
        index, kind = rng.randrange(len(self.large)), rng.randrange(len(KINDS))
        small, large = self.small[index, kind], self.large[index]
        return pair_of(rng, np.array(small), np.array(large), self.landmarks[index])
