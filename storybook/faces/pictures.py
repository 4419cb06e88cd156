"""Pictures to learn faces from: portraits among other scenes, and how they are worn."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import cv2
import numpy as np

from storybook import settings
from storybook.world import GROUPS, draw_scene
from storybook.world.canvas import SIZE
from storybook.world.scene import Face, Scene
from storybook.world.words import chance

Pixels = np.ndarray
"""A picture, (height, width, 3) uint8."""
LIKE_FACES = ("dog", "cat", "landscapes")
"""Kinds of scenes with something like a face in them, if only the moon's."""
PEOPLE = [name for name in GROUPS if GROUPS[name].faces]
"""Kinds of scenes with faces."""
MIRRORED = (1, 0, 2, 4, 3)
"""Which landmark each becomes in a mirror."""


def training_portrait(rng: random.Random) -> Scene:
    """Draw somebody with a face whom training may show."""
    while (scene := draw_scene(rng, among=PEOPLE)).held_out or not scene.faces:
        pass
    return scene


def fresh_portraits(
    count: int, group: str = "portraits", *, detail: int = 1
) -> list[Scene]:
    """Draw portraits of combinations that training never shows, always the same.

    Those of a group that have no face, such as robots, are left out.
    """
    rng = random.Random(f"{settings.SEED}/fresh faces")
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = draw_scene(rng, group, detail=detail)
        scenes += [scene] if scene.held_out and scene.faces else []
    return scenes


@dataclass(frozen=True)
class Pool:
    """Scenes drawn once, to compose from."""

    portraits: list[tuple[Pixels, Face]]
    others: list[Pixels]

    @classmethod
    def draw(cls, seed: str, size: int) -> Pool:
        """Draw `size` portraits and as many scenes of all other kinds together."""
        rng = random.Random(seed)
        kinds = [name for name in GROUPS if name not in PEOPLE]
        kinds += LIKE_FACES
        portraits = [training_portrait(rng) for _ in range(size)]
        others = [draw_scene(rng, rng.choice(kinds)) for _ in range(size)]
        return cls(
            [(np.asarray(scene.image), scene.faces[0]) for scene in portraits],
            [np.asarray(scene.image) for scene in others],
        )


@dataclass(frozen=True)
class Marked:
    """A picture and the faces in it, in pixels."""

    pixels: Pixels
    boxes: np.ndarray
    """Left, top, right, bottom, (faces, 4)."""
    landmarks: np.ndarray
    """x, y, (faces, 5, 2)."""
    unsure: np.ndarray
    """Boxes of faces that are cut off: neither right nor wrong to find, (n, 4)."""


def compose(rng: random.Random, pool: Pool, side: int) -> Marked:
    """Lay scenes out on a square picture: one, a sheet of them, or here and there."""
    draft = _Draft(rng, pool, side)
    layout = rng.choices(("one", "other", "sheet", "scattered"), (3, 3, 2, 4))[0]
    if layout == "other":
        draft.add_other(side / 2, side / 2, side / SIZE * rng.uniform(1, 1.3))
    elif layout == "one":
        draft.add_portrait(side / 2, side / 2, side / SIZE * rng.uniform(1, 1.6))
    elif layout == "sheet":
        columns = rng.randint(2, 6)
        cell = side / columns
        for place in range(columns**2):
            x, y = (place % columns + 0.5) * cell, (place // columns + 0.5) * cell
            if chance(rng, 0.6):
                draft.add_portrait(x, y, cell / SIZE, upright=True)
            else:
                draft.add_other(x, y, cell / SIZE)
    elif layout == "scattered":
        for add in (*[draft.add_other] * 3, *[draft.add_portrait] * rng.randint(1, 6)):
            scale = math.exp(rng.uniform(math.log(0.25), math.log(2.6)))
            add(rng.uniform(0, side), rng.uniform(0, side), scale)
    return draft.finished()


class _Draft:
    """A picture while scenes are put on it; those that would hide a face are not."""

    def __init__(self, rng: random.Random, pool: Pool, side: int) -> None:
        self.rng, self.pool, self.side = rng, pool, side
        self.pixels = np.full((side, side, 3), rng.randint(0, 255), np.uint8)
        self.boxes: list[tuple[float, ...]] = []
        self.landmarks: list[np.ndarray] = []
        self.unsure: list[tuple[float, ...]] = []
        self.add_other(side / 2, side / 2, side / SIZE * rng.uniform(1, 3))

    def add_other(self, x: float, y: float, scale: float) -> None:
        self._lay(self.rng.choice(self.pool.others), self._matrix(x, y, scale, 0.0))

    def add_portrait(
        self, x: float, y: float, scale: float, *, upright: bool = False
    ) -> None:
        pixels, face = self.rng.choice(self.pool.portraits)
        points = np.array(face.landmarks, np.float32)
        left, top, right, bottom = face.box
        if chance(self.rng, 0.5):
            pixels = np.ascontiguousarray(pixels[:, ::-1])
            points = (points * (-1, 1) + (SIZE, 0))[list(MIRRORED)]
            left, right = SIZE - right, SIZE - left
        angle = 0.0 if upright else max(-30.0, min(30.0, self.rng.gauss(0, 8)))
        matrix = self._matrix(x, y, scale, angle)
        corners = np.array([(0, 0), (SIZE, 0), (SIZE, SIZE), (0, SIZE)])
        covered = _bounds(_moved(corners, matrix))
        if any(_touch(covered, box) for box in (*self.boxes, *self.unsure)):
            return
        middle = _moved(np.array([[(left + right) / 2, (top + bottom) / 2]]), matrix)[0]
        half = np.array([right - left, bottom - top]) * scale / 2
        box = (*(middle - half), *(middle + half))
        points = _moved(points, matrix)
        self._lay(pixels, matrix)
        if (points > 1).all() and (points < self.side - 1).all():
            self.boxes.append(box)
            self.landmarks.append(points)
        elif _touch(box, (0, 0, self.side, self.side)):
            self.unsure.append(box)

    def finished(self) -> Marked:
        return Marked(
            worn(self.rng, self.pixels),
            np.array(self.boxes, np.float32).reshape(-1, 4),
            np.array(self.landmarks, np.float32).reshape(-1, 5, 2),
            np.array(self.unsure, np.float32).reshape(-1, 4),
        )

    def _matrix(self, x: float, y: float, scale: float, angle: float) -> np.ndarray:
        matrix = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), angle, scale)
        matrix[:, 2] += (x - SIZE / 2, y - SIZE / 2)
        return matrix

    def _lay(self, pixels: Pixels, matrix: np.ndarray) -> None:
        scale = math.hypot(*matrix[0, :2])
        if scale < 0.7:  # reduced first, for what bilinear sampling would skip
            side = max(8, round(SIZE * scale))
            pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
            matrix = matrix.copy()
            matrix[:, :2] *= SIZE / side
        size = (self.side, self.side)
        inside = np.full(pixels.shape[:2], 255, np.uint8)
        shown = cv2.warpAffine(inside, matrix, size)[..., None] > 127
        moved = cv2.warpAffine(
            pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        self.pixels = np.where(shown, moved, self.pixels)


def _moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _bounds(points: np.ndarray) -> tuple[float, ...]:
    return (*points.min(axis=0), *points.max(axis=0))


def _touch(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def worn(rng: random.Random, pixels: Pixels) -> Pixels:
    """Wear some pictures as drawing from latents, resizing and saving do."""
    side = pixels.shape[1], pixels.shape[0]
    if chance(rng, 0.3):
        small = tuple(max(16, round(each / rng.uniform(1, 3))) for each in side)
        kind = rng.choice((cv2.INTER_AREA, cv2.INTER_LINEAR))
        pixels = cv2.resize(pixels, small, interpolation=kind)
        pixels = cv2.resize(pixels, side, interpolation=cv2.INTER_CUBIC)
    if chance(rng, 0.3):
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.3, 2))
    if chance(rng, 0.4):
        shifts = [rng.gauss(0, 12) for _ in range(3)]
        values = pixels * rng.uniform(0.75, 1.25) + np.array(shifts)
        pixels = values.clip(0, 255).astype(np.uint8)
    if chance(rng, 0.4):
        noise = np.random.default_rng(rng.getrandbits(32))
        rough = noise.normal(0, rng.uniform(1, 20), pixels.shape)
        pixels = (pixels + rough).clip(0, 255).astype(np.uint8)
    if chance(rng, 0.3):
        pixels = through_jpeg(pixels, rng.randint(20, 90))
    return pixels


def through_jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Return what is left of a picture after saving it as JPEG."""
    saved = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return np.asarray(cv2.imdecode(saved, cv2.IMREAD_COLOR))
