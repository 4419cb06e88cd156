"""Animations, labels and contact sheets."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from imaginairy.animate import contact_sheet, labelled, save_animation
from imaginairy.errors import BadOptionError

COLOURS = ("red", "green", "blue")
FRAMES = [Image.new("RGB", (65, 48), colour) for colour in COLOURS]


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_animations_show_every_frame(kind: str, tmp_path: Path) -> None:
    path = save_animation(FRAMES, tmp_path / f"all.{kind}", frame_ms=100)
    with Image.open(path) as animation:
        assert animation.n_frames == 3  # type: ignore[attr-defined]
        for number, frame in enumerate(FRAMES):
            animation.seek(number)
            shown = np.asarray(animation.convert("RGB"), float)
            assert np.abs(shown - np.asarray(frame)).mean() < 6


def test_videos_show_every_frame(tmp_path: Path) -> None:
    path = save_animation(FRAMES, tmp_path / "all.mp4", frame_ms=500)
    video, seen = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = video.read()
        if not there:
            break
        seen.append(frame[24, 30, ::-1].astype(int))
    assert len(seen) == 2 + 2000 // 500
    for shown, colour in zip(seen, FRAMES, strict=False):
        assert np.abs(shown - np.asarray(colour)[24, 30]).max() < 40


def test_frames_of_other_sizes_are_fitted(tmp_path: Path) -> None:
    frames = [FRAMES[0], Image.new("L", (10, 10), 255)]
    with Image.open(save_animation(frames, tmp_path / "all.gif")) as animation:
        assert animation.size == (65, 48)


def test_what_cannot_be_animated(tmp_path: Path) -> None:
    with pytest.raises(BadOptionError, match=r"end it in \.gif, \.mp4, \.webp"):
        save_animation(FRAMES, tmp_path / "all.avi")
    with pytest.raises(BadOptionError, match="no pictures"):
        save_animation([], tmp_path / "all.gif")


def test_a_label_stands_at_the_foot() -> None:
    plain = Image.new("RGB", (256, 256), "orange")
    changed = np.abs(
        np.asarray(labelled(plain, "seed 7"), int) - np.asarray(plain, int)
    ).max(axis=2)
    assert not changed[:200].any()
    assert changed[240:].any()
    assert np.asarray(labelled(plain, "seed 7"))[230:].max() == 255, "no white text"


def test_contact_sheets_have_rows_columns_and_labels() -> None:
    images = [Image.new("RGB", (100, 100), colour) for colour in COLOURS * 2]
    sheet = np.asarray(
        contact_sheet(
            images, columns=3, column_labels=["a", "b", "c"], row_labels=["one", "two"]
        )
    )
    for colour in ((255, 0, 0), (0, 128, 0), (0, 0, 255)):
        assert (sheet == colour).all(axis=2).sum() == 2 * 100 * 100
    margins = sheet[:18], sheet[:, :18]
    assert all((margin < 100).any() for margin in margins), "a label is missing"
