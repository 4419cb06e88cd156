"""Cutting out, setting upright and putting back, on pictures of known content."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginairy.enhancers.face_alignment import (
    TEMPLATE,
    aligning,
    cut_out,
    in_tones_of,
    paste_back,
    soft_square,
)

SIDE = 128


def turned(points: np.ndarray, scale: float, degrees: float, move: float) -> np.ndarray:
    turn = scale * np.exp(1j * np.deg2rad(degrees))
    moved = (points @ (1, 1j)) * turn + move * (1 + 2j)
    return np.stack([moved.real, moved.imag], axis=1)


def smooth_picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 17 + k) * np.cos(y / 23 - k) for k in range(3)]
    return np.stack([127 + 100 * wave for wave in waves], axis=-1).astype(np.uint8)


@given(
    scale=st.floats(0.05, 20), degrees=st.floats(-180, 180), move=st.floats(-500, 500)
)
def test_turned_scaled_and_moved_faces_come_to_the_template(
    scale: float, degrees: float, move: float
) -> None:
    landmarks = turned(np.array(TEMPLATE), scale, degrees, move)
    matrix = aligning(landmarks, 256)
    found = landmarks @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(found - np.array(TEMPLATE) / 2).max() < 1e-6


def test_no_other_similarity_brings_landmarks_closer() -> None:
    rng = np.random.default_rng(1)
    landmarks = turned(np.array(TEMPLATE), 0.3, 15, 40) + rng.normal(0, 6, (5, 2))
    matrix = aligning(landmarks, 512)

    def error(a: float, b: float, x: float, y: float) -> float:
        tried = np.array([[a, -b, x], [b, a, y]])
        off = landmarks @ tried[:, :2].T + tried[:, 2] - np.array(TEMPLATE)
        return float((off**2).sum())

    best = np.array([matrix[0, 0], matrix[1, 0], *matrix[:, 2]])
    assert matrix[0, 0] == matrix[1, 1] and matrix[0, 1] == -matrix[1, 0]
    for place in range(4):
        for step in (-1e-3, 1e-3):
            other = best.copy()
            other[place] += step * max(1, abs(other[place]))
            assert error(*other) > error(*best)


def test_landmarks_in_one_place_do_no_harm() -> None:
    assert np.isfinite(aligning([(5.0, 5.0)] * 5, 64)).all()


@pytest.mark.parametrize(("scale", "degrees"), [(0.3, 20), (1.0, -10), (4.0, 5)])
def test_a_face_put_back_unchanged_changes_almost_nothing(
    scale: float, degrees: float
) -> None:
    picture = smooth_picture(600, 700)
    landmarks = turned(np.array(TEMPLATE) / 4, 1 / scale, degrees, 120)
    matrix = aligning(landmarks, SIDE)
    after = picture.copy()
    paste_back(after, cut_out(picture, matrix, SIDE), matrix)
    off = np.abs(after.astype(int) - picture)
    assert off.mean() < 0.5
    assert off.max() < 16


def test_a_turned_mark_is_upright_in_the_cut_out() -> None:
    picture = np.zeros((300, 300, 3), np.uint8)
    landmarks = turned(np.array(TEMPLATE) / 4, 1.0, 30, 60)
    for x, y in landmarks:
        cv2.circle(picture, (round(x), round(y)), 3, (255, 255, 255), -1)
    face = cut_out(picture, aligning(landmarks, SIDE), SIDE)
    for x, y in np.array(TEMPLATE) / 4:
        assert face[round(y), round(x)].min() > 128
    assert face.mean() < 10


@pytest.mark.parametrize("move", [-30, 60, 150])
def test_outside_of_the_square_nothing_changes(move: float) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (320, 320, 3), np.uint8)
    landmarks = turned(np.array(TEMPLATE) / 4, 0.8, 25, move)
    matrix = aligning(landmarks, SIDE)
    after = picture.copy()
    paste_back(after, np.full((SIDE, SIDE, 3), 77, np.uint8), matrix)
    changed = (after != picture).any(axis=-1)
    y, x = np.nonzero(changed)
    inside = np.stack([x, y], axis=1) @ matrix[:, :2].T + matrix[:, 2]
    assert changed.any()
    assert inside.min() > 0 and inside.max() < SIDE


def test_the_middle_is_new_and_the_edge_fades() -> None:
    picture = np.zeros((256, 256, 3), np.uint8)
    matrix = aligning(np.array(TEMPLATE) / 4 + 64, SIDE)
    paste_back(picture, np.full((SIDE, SIDE, 3), 200, np.uint8), matrix)
    row = picture[128, 64 : 64 + SIDE, 0].astype(int)
    assert (row[20:-20] == 200).all()
    assert row[0] == 0 and row[-1] == 0
    assert (np.diff(row[:20]) >= 0).all() and np.diff(row).max() < 30


def test_a_face_outside_of_the_picture() -> None:
    picture = smooth_picture(64, 64)
    matrix = aligning(np.array(TEMPLATE) + 1000, SIDE)
    face = cut_out(picture, matrix, SIDE)
    assert (face == 128).all()
    after = picture.copy()
    paste_back(after, face, matrix)
    assert np.array_equal(after, picture)


def test_what_is_made_smaller_is_averaged() -> None:
    y, x = np.mgrid[:1024, :1024]
    checks = np.repeat((((x + y) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)
    face = cut_out(checks, aligning(np.array(TEMPLATE) * 2, SIDE), SIDE)
    assert np.abs(face[8:-8, 8:-8].astype(int) - 127).max() <= 2


@pytest.mark.parametrize("side", [64, 512])
def test_the_soft_square_is_clear_at_its_edges(side: int) -> None:
    square = soft_square(side)
    assert square[[0, -1]].max() == 0 and square[:, [0, -1]].max() == 0
    assert square[side // 2, side // 2] == 255
    assert np.array_equal(square, square.T) and np.array_equal(square, square[::-1])


def test_a_tint_goes_and_details_stay() -> None:
    before = smooth_picture(SIDE, SIDE)
    fresh = before.astype(int)
    fresh[SIDE // 2 - 1 : SIDE // 2 + 1] += 40
    tinted = (fresh + np.array([12, -8, 0])).clip(0, 255).astype(np.uint8)
    after = in_tones_of(before, tinted).astype(int)
    line = after[SIDE // 2 - 1 : SIDE // 2 + 1] - before[SIDE // 2 - 1 : SIDE // 2 + 1]
    assert line.mean() > 25
    around = np.abs(after - before)[: SIDE // 4]
    assert around.mean() < 1.5, around.mean()


def test_the_template_is_that_of_ffhq_at_512_pixels() -> None:
    published = [
        *((192.98138, 239.94708), (318.90277, 240.1936), (256.63416, 314.01935)),
        *((201.26117, 371.41043), (313.08905, 371.15118)),
    ]
    matrix = aligning(published, 512)
    assert np.abs(matrix - [[1, 0, 0], [0, 1, 0]]).max() < 1e-6
    assert np.array_equal(TEMPLATE, published)


def test_beyond_its_edges_a_picture_is_mirrored() -> None:
    picture = np.random.default_rng(4).integers(0, 256, (40, 40, 3), np.uint8)
    face = cut_out(picture, np.array([[1.0, 0, 10], [0, 1, 0]]), 30)
    assert np.array_equal(face[:, 10:], picture[:30, :20])
    assert np.array_equal(face[:, :10], picture[:30, 10:0:-1])


def test_what_is_made_larger_stays_round() -> None:
    x = np.arange(40)
    wave = (127 + 100 * np.sin(x * np.pi / 3)).astype(np.uint8)
    picture = np.broadcast_to(wave[None, :, None], (40, 40, 3)).copy()
    face = cut_out(picture, np.array([[4.0, 0, -40], [0, 4, -40]]), 60)
    wanted = 127 + 100 * np.sin((np.arange(60) + 40) / 4 * np.pi / 3)
    assert np.abs(face[30, :, 0] - wanted).max() < 6  # 13 between straight lines


def test_a_cut_out_fades_over_a_tenth_within_a_rim() -> None:
    row = soft_square(1000)[500].astype(int)
    assert row[:20].max() == 0 and row[20:25].max() > 0
    assert abs(row[69:71].mean() - 127.5) <= 1
    assert row[119] < 255 or row[120] == 255
    assert (row[121:879] == 255).all() and row[110] < 255


def test_colours_are_compared_after_blurring_by_a_twentieth_of_the_side() -> None:
    before = np.zeros((200, 200, 3), np.uint8)
    before[:, 100:] = 100
    after = in_tones_of(before, np.full_like(before, 50))[100, :, 0].astype(int)
    rising = (after > 16) & (after < 84)  # a standard deviation to either side
    assert 18 <= rising.sum() <= 21
