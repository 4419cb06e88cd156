"""The page about controls: every block runs, and what steers is seen."""

from pathlib import Path

import numpy as np
from PIL import Image

from imaginairy.hints.make import make_hint
from storybook.reports.controls import agreement
from tests.support.pages import ROOT, Made, Picture, judge
from tests.support.pictures import brightness

SMALL = (128, 128)


def outlined(picture: Picture) -> Image.Image:
    return make_hint("canny", picture.image, picture.size, low=40, high=80)


def edges(made: Made) -> None:
    (first,) = made.drawn(
        "a landscape with hills and a house", outdir="first", size=SMALL, small=None
    )
    hint = made.picture("hint/*.jpg").image
    assert 0.01 < (np.asarray(hint.convert("L")) > 127).mean() < 0.2
    night, sunset = made.drawn(
        *("a landscape at night", "a landscape at sunset"), outdir="steered",
        size=SMALL, small=None,
    )  # fmt: skip
    assert brightness(night.image) < brightness(first.image) - 60
    assert agreement(*map(outlined, (sunset, first))) > 0.35
    made.take("steered/hint_canny/*.jpg", 2)


def outline_and_colours(made: Made) -> None:
    (first,) = made.drawn(
        "a red heart on a white background", outdir="heart", size=SMALL, small=None
    )
    outline, both = (
        made.drawn(text, outdir=folder, size=SMALL, small=None)[0]
        for text, folder in (
            ("a green heart on a pink background", "outline"),
            ("a heart", "both"),
        )
    )
    for each in (outline, both):
        assert agreement(*map(outlined, (each, first))) > 0.5
    made.take("outline/hint_canny/*.jpg")
    for kind in ("canny", "colours"):
        made.take(f"both/hint_{kind}/*.jpg")


def test_what_the_page_shows_is_made(tmp_path: Path) -> None:
    judge(ROOT / "docs" / "controls.md", tmp_path, [edges, outline_and_colours])
