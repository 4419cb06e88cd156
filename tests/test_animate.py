"""Animations, labels and contact sheets."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageColor

from imaginairy.animate import contact_sheet, labelled, save_animation
from imaginairy.errors import BadOptionError

COLOURS = ("red", "green", "blue")
FRAMES = [Image.new("RGB", (65, 48), colour) for colour in COLOURS]


@pytest.mark.parametrize("kind", ["gif", "webp", "GIF"])
def test_animations_show_every_frame_and_the_last_one_longer(
    kind: str, tmp_path: Path
) -> None:
    path = save_animation(FRAMES, tmp_path / "new" / f"all.{kind}", frame_ms=120)
    times = []
    with Image.open(path) as animation:
        assert animation.n_frames == 3  # type: ignore[attr-defined]
        assert animation.info["loop"] == 0, "it plays again and again"
        for number, frame in enumerate(FRAMES):
            animation.seek(number)
            shown = np.asarray(animation.convert("RGB"), float)
            assert np.abs(shown - np.asarray(frame)).mean() < 6
            times.append(animation.info["duration"])
    assert times == [120, 120, 2000]


def test_a_frame_usually_lasts_a_fifth_of_a_second(tmp_path: Path) -> None:
    with Image.open(save_animation(FRAMES, tmp_path / "all.gif")) as animation:
        times = []
        for number in range(3):
            animation.seek(number)
            times.append(animation.info["duration"])
    assert times == [200, 200, 2000]


@pytest.mark.parametrize(("size", "even"), [((65, 48), (66, 48)), ((64, 47), (64, 48))])
def test_videos_show_every_frame(
    size: tuple[int, int], even: tuple[int, int], tmp_path: Path
) -> None:
    frames = [Image.new("RGB", size, colour) for colour in COLOURS]
    frames[1] = frames[1].convert("RGBA")
    path = save_animation(frames, tmp_path / "all.mp4", frame_ms=500)
    video, seen = cv2.VideoCapture(str(path)), []
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(2)
    while True:
        there, frame = video.read()
        if not there:
            break
        assert frame.shape[:2] == even[::-1]
        seen.append(frame[24, 30, ::-1].astype(int))
    assert len(seen) == 2 + 2000 // 500
    expected = [*COLOURS, *["blue"] * 3]
    for shown, colour in zip(seen, expected, strict=True):
        assert np.abs(shown - np.array(ImageColor.getrgb(colour))).max() < 40


def test_frames_of_other_sizes_are_fitted(tmp_path: Path) -> None:
    frames = [FRAMES[0], Image.new("L", (10, 10), 255)]
    with Image.open(save_animation(frames, tmp_path / "all.gif")) as animation:
        assert animation.size == (65, 48)
        animation.seek(1)
        assert np.asarray(animation.convert("RGB")).min() > 250


def test_what_cannot_be_animated(tmp_path: Path) -> None:
    with pytest.raises(BadOptionError, match=r"end it in \.gif, \.mp4, \.webp"):
        save_animation(FRAMES, tmp_path / "all.avi")
    with pytest.raises(BadOptionError, match="no pictures"):
        save_animation([], tmp_path / "all.gif")


def test_a_label_stands_in_the_middle_of_a_dark_foot() -> None:
    plain = Image.new("RGB", (256, 256), "orange")
    seen = np.asarray(labelled(plain, "seed 7"), int)
    assert seen.shape == (256, 256, 3)
    dark = (seen[:, 0] < 128).any(axis=1)
    (rows,) = np.nonzero((seen[:, 0] != np.asarray(plain)[0, 0]).any(axis=1))
    assert 15 < len(rows) < 30 and rows.max() == 255, "a line at the foot"
    assert dark[rows].all()
    (below, across) = np.nonzero((seen > 230).all(axis=2))
    assert across.size, "the text is white"
    assert abs((across.min() + across.max()) / 2 - 128) < 3
    assert abs((below.min() + below.max()) / 2 - (rows.min() + 255) / 2) < 3
    long = np.asarray(labelled(plain, "seed 7 " * 60), int)
    assert (long[:, :8] > 200).all(axis=2).any(), "a long one begins at the left"
    grey = labelled(Image.new("L", (64, 64), 90), "a")
    assert grey.mode == "RGB"


def test_contact_sheets_lay_pictures_out_row_by_row() -> None:
    images = [
        Image.new("RGB", (10, 20), "red"),
        Image.new("L", (30, 6), 77),
        Image.new("RGB", (30, 20), "blue"),
        Image.new("RGB", (2, 2), "lime"),
    ]
    sheet = np.asarray(contact_sheet(images, columns=3))
    assert sheet.shape == (2 * 24, 3 * 34, 3), "cells of the largest, and a bar"

    def place(colour: tuple[int, int, int]) -> tuple[int, ...]:
        below, across = np.nonzero((sheet == colour).all(axis=2))
        return tuple(map(int, (across.min(), below.min(), across.max(), below.max())))

    assert place((255, 0, 0)) == (12, 2, 21, 21)
    assert place((77, 77, 77)) == (34 + 2, 9, 34 + 31, 14)
    assert place((0, 0, 255)) == (68 + 2, 2, 68 + 31, 21)
    assert place((0, 255, 0)) == (16, 24 + 11, 17, 24 + 12)
    assert (sheet[24:, 34:] == 255).all(), "what is left over is white"
    with pytest.raises(BadOptionError, match="no pictures to lay out"):
        contact_sheet([], columns=3)


def test_labels_of_a_sheet_stand_above_their_columns_and_before_their_rows() -> None:
    images = [Image.new("RGB", (100, 100), colour) for colour in COLOURS * 2]
    names = {"column_labels": ["a", "b", "c" * 90], "row_labels": ["one", "two"]}
    sheet = np.asarray(contact_sheet(images, columns=3, **names), int)
    for colour in ((255, 0, 0), (0, 128, 0), (0, 0, 255)):
        assert (sheet == colour).all(axis=2).sum() == 2 * 100 * 100
    left, above = sheet.shape[1] - 3 * 104, sheet.shape[0] - 2 * 104
    assert above == 20 and 20 < left < 45
    ink = (sheet < 100).all(axis=2)
    for column in range(2):
        (found,) = np.nonzero(ink[:above, left + column * 104 :][:, :104].any(axis=0))
        assert abs((found.min() + found.max()) / 2 - 52) < 3
    (found,) = np.nonzero(ink[:above, left + 208 :].any(axis=0))
    assert found.min() >= 0 and not ink[:above, : left + 104][:, -40:].any()
    assert 70 < found.max() - found.min() < 104, "too long a one is cut off"
    for row in range(2):
        (found,) = np.nonzero(ink[above + row * 104 :, :left][:104].any(axis=1))
        assert abs((found.min() + found.max()) / 2 - 52) < 3
    (across,) = np.nonzero(ink[above:, :left].any(axis=0))
    assert across.min() >= 4 and left - across.max() >= 4
    alone = contact_sheet(images[:1], columns=1, column_labels=["x" * 90])
    cut = contact_sheet(images[:1], columns=1, column_labels=["x" * 80])
    assert np.array_equal(np.asarray(alone), np.asarray(cut)), "both end in an ellipsis"
    large = contact_sheet([Image.new("RGB", (440, 440))], columns=1, column_labels="a")
    assert large.height == 444 + 2 * 20, "letters grow with the pictures"
