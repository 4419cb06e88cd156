"""Poses of bodies that are known, and what their hint shows."""

from typing import NamedTuple

import numpy as np

from imaginairy.hints.bodies import COCO, JOINTS, LIMBS, pose

STANDING = {
    "nose": (50, 20), "left eye": (55, 15), "right eye": (45, 15),
    "left ear": (60, 18), "right ear": (40, 18),
    "left shoulder": (70, 40), "right shoulder": (30, 40),
    "left elbow": (80, 70), "right elbow": (20, 70),
    "left wrist": (85, 100), "right wrist": (15, 100),
    "left hip": (60, 100), "right hip": (40, 100),
    "left knee": (62, 140), "right knee": (38, 140),
    "left ankle": (62, 180), "right ankle": (38, 180),
}  # fmt: skip
"""A person who faces us: their left is on our right."""


class Found(NamedTuple):
    points: np.ndarray
    width: int
    height: int


def found(*people: dict[str, tuple[float, float]], scale: int = 4) -> Found:
    """Return people on a picture of 100 x 200, so many times as large."""
    points = np.zeros((len(people), len(COCO), 3), np.float32)
    for row, person in zip(points, people, strict=True):
        for name, (x, y) in person.items():
            row[COCO.index(name)] = x * scale, y * scale, 0.9
    return Found(points, 100 * scale, 200 * scale)


def colors(hint: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(map(int, color)) for color in np.unique(hint.reshape(-1, 3), axis=0)}


def dark(color: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(0.6 * part) for part in color)


def test_joints_and_limbs_have_their_colours_where_they_are() -> None:
    hint = pose(found(STANDING))
    neck = {"neck": (50, 40)}  # between the shoulders
    places = {name: np.array(place) * 4 for name, place in {**STANDING, **neck}.items()}
    for name, (x, y) in places.items():
        assert tuple(hint[y, x]) == JOINTS[name], name
    for (start, end), color in zip(LIMBS, JOINTS.values(), strict=False):
        x, y = (places[start] + places[end]) // 2
        assert tuple(hint[y, x]) == dark(color), (start, end)
    all_of_them = {*JOINTS.values(), *map(dark, [*JOINTS.values()][: len(LIMBS)])}
    assert colors(hint) == {(0, 0, 0), *all_of_them}
    assert (hint.any(axis=2)).mean() < 0.1
    # The conventions of OpenPose, written out for one side.
    assert tuple(hint[160, 120]) == (255, 170, 0), "the right shoulder is on the left"
    assert tuple(hint[160, 280]) == (85, 255, 0)
    assert tuple(hint[160, 160]) == (153, 0, 0), "from the neck to the right shoulder"


def test_what_is_not_sure_is_left_out_and_so_is_what_hangs_on_it() -> None:
    bodies = found(STANDING)
    bodies.points[0, COCO.index("left shoulder"), 2] = 0.1
    hint = pose(bodies)
    missing = {"left shoulder", "neck"}
    shown = {JOINTS[name] for name in JOINTS if name not in missing}
    there = [
        dark(color)
        for limb, color in zip(LIMBS, JOINTS.values(), strict=False)
        if not missing & {*limb}
    ]
    assert colors(hint) == {(0, 0, 0), *shown, *there}


def test_strokes_grow_with_the_picture_and_everyone_is_drawn() -> None:
    small, large = (pose(found(STANDING, scale=scale)) for scale in (4, 8))
    assert (small.any(axis=2)).mean() > 0.5 * (large.any(axis=2)).mean()
    beside = {name: (x / 4 + 70, y) for name, (x, y) in STANDING.items()}
    both = pose(found(STANDING, beside))
    assert both.any(axis=2).sum() > 1.3 * small.any(axis=2).sum()
    assert not pose(found()).any()
    away = {name: (x + 1e9, y) for name, (x, y) in STANDING.items()}
    assert not pose(found(away)).any()
