"""Faces found at all sizes: a picture looked at whole, and closer and closer in parts.

A detector knows faces of some range of sizes, in pixels of what it is shown. It is
shown the picture whole, made smaller; then twice as large as that, four times, and so
on, in overlapping windows, up to the picture's own size. What it finds in any of them
is put together, each face once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import log2

from PIL import Image

SAME_FACE = 0.5
"""Two boxes mean one face if they share more than this of the smaller one."""
LARGER = 0.05
"""How much surer a face counts than one in it of half its width: features of a face,
seen close, may look like small faces."""
CLOSER = 1.5
"""A last look, at a picture's own size, is worth it where that is so many times as
large as what was seen before."""
BOX = Image.Resampling.BOX

Point = tuple[float, float]


@dataclass(frozen=True)
class Face:
    """A face in a picture, in pixels."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom; it may reach beyond the picture."""
    landmarks: tuple[Point, ...]
    """Left and right eye, nose, left and right corner of the mouth, as the viewer
    sees them."""
    score: float
    """How sure the detector is, in [0, 1]."""


Find = Callable[[Image.Image], list[Face]]


@dataclass(frozen=True)
class Looks:
    """At which sizes a detector looks at pictures; all in pixels."""

    whole: tuple[int, ...]
    """Longer sides at which pictures are looked at whole, never enlarged. The last is
    the side of the windows of closer looks."""
    overlap: int
    """What neighbouring windows share. A face that is smaller lies whole in one of
    them; one that is larger was half as large, or more, in the look before."""
    closest: int
    """The longer side that no look exceeds, which bounds the time that it takes."""

    @property
    def window(self) -> int:
        """Side of the windows."""
        return self.whole[-1]

    def sides(self, longer: int) -> list[int]:
        """List the longer sides at which a picture of such a one is looked at."""
        most = min(longer, max(self.closest, self.window))
        sides = list(dict.fromkeys(min(side, most) for side in self.whole))
        while sides[-1] * 2 <= most:
            sides.append(sides[-1] * 2)
        if most >= CLOSER * sides[-1]:
            sides.append(most)
        return sides

    def windows(self, size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
        """Yield windows that cover a picture: left, top, right, bottom.

        They begin at multiples of one step and end at the picture's edges.
        """
        step = self.window - self.overlap
        starts = (range(0, max(1, side - self.overlap), step) for side in size)
        for left, top in product(*starts):
            right, bottom = (
                min(start + self.window, side)
                for start, side in zip((left, top), size, strict=True)
            )
            yield left, top, right, bottom


def found_in_views(picture: Image.Image, looks: Looks, find: Find) -> list[Face]:
    """Look at a picture at several sizes; return each face once, the surest first."""
    found: list[Face] = []
    for side in looks.sides(max(picture.size)):
        size = reduced_size(picture.size, side)
        small = picture if size == picture.size else picture.resize(size, BOX)
        across, down = (
            whole / part for whole, part in zip(picture.size, size, strict=True)
        )
        for window in looks.windows(size):
            faces = (
                moved(face, *window[:2])
                for face in find(small.crop(window))
                if not is_cut(face, window, size)
            )
            found += [scaled(face, across, down) for face in faces]
    return each_once(found)


def each_once(faces: Sequence[Face]) -> list[Face]:
    """Return faces without those that mean the same as a surer one."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -rank(face)):
        if all(overlap(face.box, other.box) < SAME_FACE for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: -face.score)


def rank(face: Face) -> float:
    """Return a face's score, and a little more the larger it is."""
    return face.score + LARGER * log2(max(face.box[2] - face.box[0], 1.0))


def is_cut(
    face: Face, window: tuple[int, int, int, int], size: tuple[int, int]
) -> bool:
    """Tell whether a face reaches beyond its window where the picture goes on."""
    left, top, right, bottom = window
    width, height = right - left, bottom - top
    return (
        (left > 0 and face.box[0] < 0)
        or (top > 0 and face.box[1] < 0)
        or (right < size[0] and face.box[2] > width)
        or (bottom < size[1] and face.box[3] > height)
    )


def reduced_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return a size of the same shape whose longer side is at most `side`."""
    scale = min(1.0, side / max(size))
    width, height = (max(1, round(each * scale)) for each in size)
    return width, height


def moved(face: Face, right: float, down: float) -> Face:
    """Return a face so much further right and down."""
    left, top, far, low = face.box
    box = (left + right, top + down, far + right, low + down)
    points = tuple((x + right, y + down) for x, y in face.landmarks)
    return Face(box, points, face.score)


def scaled(face: Face, across: float, down: float) -> Face:
    """Return a face as it lies in a picture so many times as wide and high."""
    left, top, right, bottom = face.box
    box = (left * across, top * down, right * across, bottom * down)
    points = tuple((x * across, y * down) for x, y in face.landmarks)
    return Face(box, points, face.score)


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Return what two boxes share, of the smaller one."""
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return across * down / max(min(areas), 1e-9)
