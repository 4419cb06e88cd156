"""A drawing surface that keeps a map of named parts beside the picture.

Everything is drawn four times too large and then reduced, which gives smooth edges.
Coordinates are picture points (0..128, y down) unless a `placed` frame is active.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

SIZE = 128
OVERSAMPLE = 4
CIRCLE = [
    (math.cos(2 * math.pi * i / 48), math.sin(2 * math.pi * i / 48)) for i in range(48)
]

Color = tuple[int, int, int]
Point = tuple[float, float]


class Gradient(NamedTuple):
    """Blend over a shape's box, top to bottom, or centre to rim when `radial`."""

    start: Color
    end: Color
    radial: bool = False


Paint = Color | Gradient


class Frame(NamedTuple):
    """Map local points to picture points: p -> (a x + b y + x0, c x + d y + y0)."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 1.0
    x0: float = 0.0
    y0: float = 0.0

    def apply(self, x: float, y: float) -> Point:
        """Return the picture point of a local point."""
        return self.a * x + self.b * y + self.x0, self.c * x + self.d * y + self.y0

    def within(self, outer: Frame) -> Frame:
        """Return this frame as seen from outside `outer`."""
        x0, y0 = outer.apply(self.x0, self.y0)
        return Frame(
            outer.a * self.a + outer.b * self.c,
            outer.a * self.b + outer.b * self.d,
            outer.c * self.a + outer.d * self.c,
            outer.c * self.b + outer.d * self.d,
            x0,
            y0,
        )

    @property
    def scale(self) -> float:
        """Return the mean magnification."""
        return math.sqrt(abs(self.a * self.d - self.b * self.c))


@dataclass(frozen=True)
class PartMap:
    """Say which part every (oversampled) pixel belongs to."""

    labels: np.ndarray
    """Indices into `paths`, (height, width) uint8."""
    paths: tuple[tuple[str, ...], ...]
    """Names of each part, from the outermost to the innermost."""

    def names(self) -> set[str]:
        """Return every part name that shows at least one pixel."""
        seen = np.unique(self.labels)
        return {name for index in seen for name in self.paths[index]}

    def mask(self, name: str) -> np.ndarray:
        """Return the pixels of a part and all its sub-parts, (size, size) bool."""
        chosen = np.array([name in path for path in self.paths])
        full = chosen[self.labels].astype(np.float32)
        side = full.shape[0] // OVERSAMPLE
        blocks = full.reshape(side, OVERSAMPLE, side, OVERSAMPLE)
        return blocks.mean(axis=(1, 3)) > 0.5


class Canvas:
    """Draw shapes; with `parts=True` remember which named part covers each pixel.

    Args:
        detail: how many times as large as the world's own the largest picture is that
            can be had.
    """

    def __init__(self, *, parts: bool = False, detail: int = 1) -> None:
        self._pixels = OVERSAMPLE * detail
        side = SIZE * self._pixels
        self._image = Image.new("RGB", (side, side), (255, 255, 255))
        self._pen = ImageDraw.Draw(self._image)
        self._labels = Image.new("L", (side, side), 0) if parts else None
        self._label_pen = ImageDraw.Draw(self._labels) if self._labels else None
        self._paths: list[tuple[str, ...]] = [("background",)]
        self._path: tuple[str, ...] = ("background",)
        self._reach = 0.0
        self._frame = Frame()

    @contextmanager
    def part(self, *names: str, reach: float = 0.0) -> Iterator[None]:
        """Name what is drawn inside; parts nest, and replace the background.

        Args:
            reach: picture points around what is drawn that get the name as well, for
                fine things like whiskers: who wants to change them means the place
                that they take, not their lines.
        """
        outer = self._path, self._reach
        self._path, self._reach = self._within(self._path, names), reach
        yield
        self._path, self._reach = outer

    def also(self, points: Sequence[Point], *names: str) -> None:
        """Give all parts inside a polygon further names, and draw nothing."""
        if not self._labels:
            return
        area = Image.new("1", self._labels.size, 0)
        ImageDraw.Draw(area).polygon([self._pixel(x, y) for x, y in points], fill=1)
        table = list(range(256))
        for index in np.unique(np.asarray(self._labels)[np.asarray(area)]).tolist():
            table[index] = self._paths.index(self._within(self._paths[index], names))
        self._labels.paste(self._labels.point(table), mask=area)

    def _within(self, outer: tuple[str, ...], names: Sequence[str]) -> tuple[str, ...]:
        """Return the path of a part of a part, and remember it."""
        path = (*(name for name in outer if name != "background"), *names)
        if path not in self._paths:
            self._paths.append(path)
        return path

    @contextmanager
    def placed(
        self,
        x: float,
        y: float,
        *,
        scale: float = 1.0,
        angle: float = 0.0,
        flip: bool = False,
    ) -> Iterator[None]:
        """Draw inside in local points: turned by `angle` degrees, mirrored, moved."""
        outer = self._frame
        turn, side = math.radians(angle), -1.0 if flip else 1.0
        cos, sin = scale * math.cos(turn), scale * math.sin(turn)
        inner = Frame(side * cos, -sin, side * sin, cos, x, y)
        self._frame = inner.within(outer)
        yield
        self._frame = outer

    def locate(self, x: float, y: float) -> Point:
        """Return where a local point lies in the picture."""
        return self._frame.apply(x, y)

    def fill(self, paint: Paint) -> None:
        """Cover the whole picture."""
        self.rectangle(0, 0, SIZE, SIZE, paint)

    def rectangle(
        self, x0: float, y0: float, x1: float, y1: float, paint: Paint
    ) -> None:
        """Draw an upright rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], paint)

    def ellipse(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        paint: Paint,
        *,
        angle: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Draw an ellipse around (x, y), turned by `angle` degrees."""
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        points = [
            (x + rx * u * cos - ry * v * sin, y + rx * u * sin + ry * v * cos)
            for u, v in CIRCLE
        ]
        self.polygon(points, paint, opacity=opacity)

    def circle(
        self, x: float, y: float, radius: float, paint: Paint, *, opacity: float = 1.0
    ) -> None:
        """Draw a disc."""
        self.ellipse(x, y, radius, radius, paint, opacity=opacity)

    def blob(
        self, points: Sequence[Point], paint: Paint, *, opacity: float = 1.0
    ) -> None:
        """Draw a closed smooth outline through the points."""
        self.polygon(smooth(points, closed=True), paint, opacity=opacity)

    def polygon(
        self, points: Sequence[Point], paint: Paint, *, opacity: float = 1.0
    ) -> None:
        """Draw a filled polygon; see-through ones leave the part map alone."""
        corners = [self._pixel(x, y) for x, y in points]
        if opacity == 1.0 and not isinstance(paint, Gradient):
            self._pen.polygon(corners, fill=paint)
        else:
            self._stamp(corners, paint, opacity)
        if self._label_pen and opacity == 1.0:
            label = self._paths.index(self._path)
            self._label_pen.polygon(corners, fill=label)
            if self._reach:
                rim = [*corners, *corners[:2]]
                width = round(2 * self._reach * self._pixels)
                self._label_pen.line(rim, fill=label, width=width, joint="curve")

    def stroke(
        self, points: Sequence[Point], width: float, color: Color, *, bend: bool = True
    ) -> None:
        """Draw a line with round ends, smooth through the points when `bend`."""
        path = smooth(points) if bend and len(points) > 2 else points
        corners = [self._pixel(x, y) for x, y in path]
        pixels = max(1.0, width * self._frame.scale * self._pixels)
        _line(self._pen, corners, pixels, color)
        if self._label_pen:
            pixels += 2 * self._reach * self._pixels
            _line(self._label_pen, corners, pixels, self._paths.index(self._path))

    def glow(self, x: float, y: float, radius: float, color: Color) -> None:
        """Shine a soft light that fades out towards `radius`; leaves parts alone."""
        left, top = self._pixel(x - radius, y - radius)
        side = round(2 * radius * self._frame.scale * self._pixels)
        fade = Image.radial_gradient("L").resize((side, side))
        mask = fade.point(lambda value: max(0, 180 - round(value * 180 / 180)))
        self._image.paste(color, (round(left), round(top)), mask)

    def picture(self, detail: int = 1) -> Image.Image:
        """Return the finished picture, `detail` times as large as usual."""
        return self._image.reduce(self._pixels // detail)

    def part_map(self) -> PartMap | None:
        """Return the map of parts, if one was asked for."""
        if self._labels is None:
            return None
        side = SIZE * OVERSAMPLE
        labels = self._labels.resize((side, side), Image.Resampling.NEAREST)
        return PartMap(np.array(labels), tuple(self._paths))

    def _pixel(self, x: float, y: float) -> Point:
        px, py = self._frame.apply(x, y)
        return px * self._pixels, py * self._pixels

    def _stamp(self, corners: Sequence[Point], paint: Paint, opacity: float) -> None:
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        x0, y0 = math.floor(min(xs)), math.floor(min(ys))
        size = (
            max(1, math.ceil(max(xs)) - x0 + 1),
            max(1, math.ceil(max(ys)) - y0 + 1),
        )
        mask = Image.new("L", size, 0)
        local = [(x - x0, y - y0) for x, y in corners]
        ImageDraw.Draw(mask).polygon(local, fill=round(255 * opacity))
        if isinstance(paint, Gradient):
            self._image.paste(_ramp(paint, size), (x0, y0), mask)
        else:
            self._image.paste(paint, (x0, y0), mask)


def _line(
    pen: ImageDraw.ImageDraw, corners: Sequence[Point], width: float, fill: Color | int
) -> None:
    pen.line(corners, fill=fill, width=round(width), joint="curve")
    for x, y in (corners[0], corners[-1]):
        r = width / 2
        pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def smooth(points: Sequence[Point], *, closed: bool = False) -> list[Point]:
    """Return a finer path through the points (Catmull-Rom spline)."""
    count = len(points)
    result: list[Point] = []
    for i in range(count if closed else count - 1):
        if closed:
            p = [points[(i + k) % count] for k in (-1, 0, 1, 2)]
        else:
            p = [points[min(max(i + k, 0), count - 1)] for k in (-1, 0, 1, 2)]
        for step in range(8):
            t = step / 8
            weights = (
                (-t + 2 * t * t - t**3) / 2,
                (2 - 5 * t * t + 3 * t**3) / 2,
                (t + 4 * t * t - 3 * t**3) / 2,
                (-t * t + t**3) / 2,
            )
            result.append(
                (
                    sum(w * q[0] for w, q in zip(weights, p, strict=True)),
                    sum(w * q[1] for w, q in zip(weights, p, strict=True)),
                )
            )
    if not closed:
        result.append(points[-1])
    return result


def _ramp(paint: Gradient, size: tuple[int, int]) -> Image.Image:
    if paint.radial:
        blend = Image.radial_gradient("L").resize(size)
    else:
        blend = Image.linear_gradient("L").resize((1, size[1])).resize(size)
    start = Image.new("RGB", size, paint.start)
    return Image.composite(Image.new("RGB", size, paint.end), start, blend)
