"""Hints of how bodies are posed: OpenPose's coloured limbs and joints, on black.

Cao et al. 2018 (arXiv:1812.08008); its 18 points are those of COCO and the neck.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from imaginairy.hints.lines import Pixels

SURE = 0.3
"""How sure of a point a model has to be, of 1, for it to be drawn."""
WIDE = 4 / 512
"""Half the width of a limb, in shorter sides of the picture, as ControlNets learnt."""
DARKER = 0.6
"""How bright limbs are beside joints."""
COCO = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder",
    "right shoulder", "left elbow", "right elbow", "left wrist", "right wrist",
    "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle",
)  # fmt: skip
"""The points of COCO, in its order; left and right are the person's own."""
SHOULDERS = COCO.index("left shoulder"), COCO.index("right shoulder")
JOINTS = {
    "nose": (255, 0, 0),
    "neck": (255, 85, 0),
    "right shoulder": (255, 170, 0),
    "right elbow": (255, 255, 0),
    "right wrist": (170, 255, 0),
    "left shoulder": (85, 255, 0),
    "left elbow": (0, 255, 0),
    "left wrist": (0, 255, 85),
    "right hip": (0, 255, 170),
    "right knee": (0, 255, 255),
    "right ankle": (0, 170, 255),
    "left hip": (0, 85, 255),
    "left knee": (0, 0, 255),
    "left ankle": (85, 0, 255),
    "right eye": (170, 0, 255),
    "left eye": (255, 0, 255),
    "right ear": (255, 0, 170),
    "left ear": (255, 0, 85),
}
"""The points of OpenPose, in its order, and their colours."""
LIMBS = (
    ("neck", "right shoulder"), ("neck", "left shoulder"),
    ("right shoulder", "right elbow"), ("right elbow", "right wrist"),
    ("left shoulder", "left elbow"), ("left elbow", "left wrist"),
    ("neck", "right hip"), ("right hip", "right knee"), ("right knee", "right ankle"),
    ("neck", "left hip"), ("left hip", "left knee"), ("left knee", "left ankle"),
    ("neck", "nose"), ("nose", "right eye"), ("right eye", "right ear"),
    ("nose", "left eye"), ("left eye", "left ear"),
)  # fmt: skip
"""What is joined; each has the colour that stands at its place in `JOINTS`, darker."""

Color = tuple[int, int, int]
Places = dict[str, npt.NDArray[np.float32]]


class Bodies(Protocol):
    """The people of a picture, as a model found them."""

    @property
    def points(self) -> npt.NDArray[np.float32]:
        """(people, 17, 3): x and y in pixels, and how sure it is, as in `COCO`."""

    @property
    def width(self) -> int:
        """Pixels of the picture from side to side."""

    @property
    def height(self) -> int:
        """Pixels of the picture from top to bottom."""


def pose(bodies: Bodies) -> Pixels:
    """Draw the limbs of everyone, then the joints."""
    drawn = np.zeros((bodies.height, bodies.width, 3), np.uint8)
    half = max(1, round(WIDE * min(bodies.width, bodies.height)))
    people = [_places(points) for points in bodies.points]
    colors = [*JOINTS.values()]
    for places in people:
        for (start, end), color in zip(LIMBS, colors, strict=False):
            if start in places and end in places:
                _limb(drawn, places[start], places[end], half, color)
    for places in people:
        for name, color in JOINTS.items():
            if name in places:
                _joint(drawn, places[name], half, color)
    return drawn


def _places(points: npt.NDArray[np.float32]) -> Places:
    """Return where the points are that are sure; the neck is between the shoulders."""
    sure = {
        name: point[:2]
        for name, point in zip(COCO, points, strict=True)
        if point[2] >= SURE and np.isfinite(point).all()
    }
    left, right = (COCO[place] for place in SHOULDERS)
    if left in sure and right in sure:
        sure["neck"] = (sure[left] + sure[right]) / 2
    return sure


def _limb(
    drawn: Pixels,
    start: npt.NDArray[np.float32],
    end: npt.NDArray[np.float32],
    half: int,
    color: Color,
) -> None:
    """Fill an ellipse from one point to the other."""
    import cv2

    middle, (across, down) = (start + end) / 2, end - start
    angle = float(np.degrees(np.arctan2(down, across)))
    axes = round(float(np.hypot(across, down)) / 2), half
    outline = cv2.ellipse2Poly(_pixel(middle), axes, round(angle), 0, 360, 1)
    cv2.fillConvexPoly(
        drawn, np.asarray(outline), tuple(int(DARKER * part) for part in color)
    )


def _joint(
    drawn: Pixels, place: npt.NDArray[np.float32], half: int, color: Color
) -> None:
    import cv2

    cv2.circle(drawn, _pixel(place), half, color, thickness=-1)


def _pixel(place: npt.NDArray[np.floating]) -> tuple[int, int]:
    """Return the pixel of a place, no further out than OpenCV can count."""
    x, y = np.clip(place, -30_000, 30_000).round()
    return int(x), int(y)
