"""What comes of a mask of words: a cut-out, a picture to look at, and refusals."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaginairy import TextMask, mask
from imaginairy.errors import BadOptionError, BadPromptError, MissingFileError
from imaginairy.masks.from_text import text_mask
from imaginairy.models.segmentation import Segmenter
from imaginairy.models.store import ModelStore
from tests.support.boxes import RED, RED_BOX, boxes, inner
from tests.support.pictures import pixels


def test_the_cut_out_shows_what_was_named_and_nothing_else(finder: Segmenter) -> None:
    found = text_mask(boxes(), "red", finder)
    cut = found.cutout()
    assert cut.mode == "RGBA" and cut.size == (256, 192)
    assert cut.getpixel((64, 96)) == (*RED, 255)
    assert cut.getpixel((192, 120))[3] == cut.getpixel((5, 5))[3] == 0


def test_a_cut_out_goes_steeply_from_clear_to_opaque() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    shown = TextMask(Image.new("RGB", ramp.size, RED), ramp, ramp)
    alpha = np.asarray(shown.cutout().getchannel("A"), int)[0]
    wanted = (4 * (np.arange(256) - 127.5) + 127.5).clip(0, 255)
    assert np.abs(alpha - wanted).max() <= 0.5
    assert shown.image.mode == "RGB"


def test_the_overlay_tints_the_mask_by_half_and_draws_its_outline() -> None:
    binary = Image.new("L", (9, 9))
    binary.paste(255, (2, 2, 7, 7))
    shown = TextMask(Image.new("RGB", (9, 9), (55, 160, 10)), binary, binary).overlay()
    assert shown.getpixel((1, 4)) == (55, 160, 10)
    assert shown.getpixel((2, 4)) == shown.getpixel((6, 6)) == (255, 40, 90)
    assert shown.getpixel((3, 3)) == shown.getpixel((4, 4)) == (155, 100, 50)


def test_the_overlay_marks_the_mask_and_leaves_the_rest(finder: Segmenter) -> None:
    found = text_mask(boxes(), "red", finder)
    shown = pixels(found.overlay())
    outside = np.asarray(found.binary) == 0
    assert np.array_equal(shown[outside], pixels(boxes())[outside])
    assert np.abs(shown - pixels(boxes()))[~outside].sum(axis=-1).min() > 0


def test_mask_takes_pictures_and_paths(colours: Path, tmp_path: Path) -> None:
    store = ModelStore("cpu")
    boxes().save(tmp_path / "boxes.png")
    for image in (boxes(), tmp_path / "boxes.png", str(tmp_path / "boxes.png")):
        found = mask(image, "red", mask_model=str(colours), store=store)
        assert isinstance(found, TextMask)
        assert inner(found) == RED_BOX
    first = store.segmenter(str(colours))
    assert store.segmenter(str(colours)) is first
    store.clear()
    assert store.segmenter(str(colours)) is not first


def test_mask_refuses_bad_words_and_pictures_before_any_work(colours: Path) -> None:
    with pytest.raises(BadPromptError, match="ends after AND at column 8"):
        mask("no_such.png", "red AND", mask_model="no/such-model")
    with pytest.raises(MissingFileError, match=r"no_such\.png"):
        mask("no_such.png", "red", mask_model="no/such-model")
    with pytest.raises(BadOptionError, match="not int"):
        mask(3, "red")  # type: ignore[arg-type]
