"""Words to masks, by a CLIPSeg that finds colours and by one of random weights."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional as F

from imaginairy.errors import BadPromptError
from imaginairy.images import upright_rgb
from imaginairy.masks.from_text import (
    mask_size,
    rescaled,
    text_mask,
)
from imaginairy.masks.language import parse_mask_prompt
from imaginairy.masks.tree import MAX_GROWTH, Growth, Modified, Phrase
from imaginairy.models.picture_input import PictureInput
from imaginairy.models.segmentation import Segmenter, load_segmenter
from imaginairy.sources.locate import locate
from tests.support.boxes import BLUE_BOX, RED, RED_BOX, boxes, inner
from tests.support.tiny_clipseg import save_tiny_clipseg, tiny_processor


@pytest.fixture(scope="module")
def random_one(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    folder = tmp_path_factory.mktemp("models") / "random"
    save_tiny_clipseg(folder)
    return load_segmenter(locate("mask", str(folder)), torch.device("cpu"))


@pytest.mark.parametrize("size", [(64, 64), (31, 200), (500, 37), (1, 1)])
def test_pictures_are_prepared_as_published(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    usual = PictureInput()
    processor = tiny_processor([*usual.mean], [*usual.deviation]).image_processor
    theirs = processor(image, size={"height": 352, "width": 352}, return_tensors="pt")
    assert torch.equal(usual.of(image), theirs["pixel_values"])


def test_several_phrases_cost_one_look_and_few_are_sought_at_a_time(
    random_one: Segmenter,
) -> None:
    looks: list[int] = []
    sought: list[int] = []
    network = random_one.network
    hooks = [
        network.clip.vision_model.register_forward_hook(lambda *_: looks.append(1)),
        network.decoder.register_forward_pre_hook(
            lambda _, given: sought.append(len(given[1]))
        ),
    ]
    phrases = [f"phrase {number}" for number in range(20)]
    many = random_one.soft_masks(boxes(), phrases, (40, 30))
    for hook in hooks:
        hook.remove()
    assert (looks, sought) == ([1], [16, 4])
    assert {m.shape for m in many} == {(30, 40)}
    (alone,) = random_one.soft_masks(boxes(), phrases[17:18], (40, 30))
    assert np.allclose(many[17], alone, atol=1e-4), np.abs(many[17] - alone).max()


def test_masks_are_logits_spread_evenly_between_the_network_s_places(
    random_one: Segmenter,
) -> None:
    with torch.inference_mode():
        seen = random_one.look(random_one.picture_input.of(boxes()))
        logits = random_one.find(seen, random_one.read(["red"]))
        large = F.interpolate(logits[None], (48, 70), mode="bilinear")
        expected = large[0, 0].sigmoid()
    (found,) = random_one.soft_masks(boxes(), ["red"], (70, 48))
    assert np.allclose(found, expected, atol=1e-6)


def test_a_phrase_longer_than_the_network_reads(random_one: Segmenter) -> None:
    with pytest.raises(BadPromptError, match="30 tokens long; the mask model reads 22"):
        text_mask(boxes(), "a " * 29 + "a", random_one)


def test_each_colour_is_found_where_it_is(finder: Segmenter) -> None:
    assert inner(text_mask(boxes(), "red", finder)) == RED_BOX
    assert inner(text_mask(boxes(), "bowl", finder)) == BLUE_BOX
    both = text_mask(boxes(), "red OR bowl", finder)
    assert inner(both) == (32, 48, 224, 144)
    assert both.binary.getextrema() == (0, 255)
    assert set(np.unique(both.binary)) == {0, 255}


def test_what_is_not_there_masks_nothing_and_says_so(
    finder: Segmenter, caplog: pytest.LogCaptureFixture
) -> None:
    for absent in ("fruit", "fox", "red AND bowl"):
        assert text_mask(boxes(), absent, finder).is_empty
        assert f"Nothing in the picture is '{absent}'" in caplog.text


def test_masks_combine_like_sets(random_one: Segmenter, finder: Segmenter) -> None:
    def grey(prompt: str, segmenter: Segmenter = random_one) -> Any:
        return np.asarray(text_mask(boxes(2), prompt, segmenter).grayscale, int)

    red, fox = grey("red"), grey("fox")
    assert np.abs(red - fox).max() > 1
    assert np.abs(grey("red AND fox") - np.minimum(red, fox)).mean() < 0.5
    assert np.abs(grey("red OR fox") - np.maximum(red, fox)).mean() < 0.5
    assert np.abs(grey("NOT red") - (255 - red)).max() <= 1
    assert np.array_equal(grey("NOT (red OR fox)"), grey("NOT red AND NOT fox"))

    red, bowl = (grey(colour, finder) > 127 for colour in ("red", "bowl"))
    assert np.array_equal(grey("red OR bowl", finder) > 127, red | bowl)
    assert np.array_equal(grey("NOT red", finder) > 127, ~red)
    assert not (grey("red AND NOT red", finder) > 127).any()


@pytest.mark.parametrize("scale", [0.5, 2, 5.5])
@pytest.mark.parametrize("upright", [True, False])
def test_masks_fit_pictures_of_any_size(
    scale: float, upright: bool, finder: Segmenter
) -> None:
    image, box = boxes(scale), RED_BOX
    if upright:
        image, box = image.transpose(Image.Transpose.TRANSPOSE), (48, 32, 144, 96)
    found = text_mask(image, "red", finder)
    assert found.image.size == found.binary.size == found.grayscale.size == image.size
    place = inner(found)
    assert place is not None
    assert np.abs(np.subtract(place, np.multiply(box, scale))).max() <= max(2, scale)


def test_a_turned_photograph_is_masked_as_it_is_seen(finder: Segmenter) -> None:
    image = boxes()
    image.getexif()[0x0112] = 6
    found = text_mask(image, "red", finder)
    assert found.image.size == (192, 256)
    assert found.image.tobytes() == upright_rgb(image).tobytes()
    left, top, right, bottom = RED_BOX
    assert inner(found) == (192 - bottom, left, 192 - top, right)


def test_the_margin_is_the_same_share_of_every_picture(finder: Segmenter) -> None:
    for scale in (0.5, 1, 4):
        found = text_mask(boxes(scale), "red", finder)
        reached = np.array(found.binary.getbbox()) / scale
        assert np.abs(reached - (27, 43, 101, 149)).max() <= 1.5 / min(scale, 1)


@pytest.mark.parametrize("scale", [0.5, 1, 4])
def test_growth_counts_in_pixels_of_the_picture(
    scale: float, finder: Segmenter
) -> None:
    for pixels_grown in (8, -8):
        grown = text_mask(boxes(scale), f"red{{{pixels_grown:+d}px}}", finder)
        expected = np.multiply(RED_BOX, scale) + np.multiply(
            (-1, -1, 1, 1), pixels_grown
        )
        place = inner(grown)
        assert place is not None
        assert np.abs(np.subtract(place, expected)).max() <= max(1, scale)


@given(pixels_grown=st.integers(-100, 100), scale=st.floats(0.05, 8))
def test_growths_are_rescaled_in_steps(pixels_grown: int, scale: float) -> None:
    tree = rescaled(Modified(Phrase("a"), Growth(pixels_grown)), scale)
    total = 0
    while isinstance(tree, Modified):
        assert isinstance(tree.modifier, Growth)
        assert abs(tree.modifier.pixels) <= MAX_GROWTH
        total += tree.modifier.pixels
        tree = tree.mask
    assert tree == Phrase("a")
    assert abs(total - pixels_grown * scale) <= (0.5 if abs(total) != 1 else 1)
    assert np.sign(total) == np.sign(pixels_grown), "even a small growth grows"


@pytest.mark.parametrize(
    ("prompt", "halved"),
    [
        ("a{+1px}", "a{+1px}"),
        ("a{-1px}", "a{-1px}"),
        ("a{+0px}", "a"),
        ("(a{+10px}{*2}{-20px} AND b) OR NOT c{+4px}",
         "(a{+5px}{*2}{-10px} AND b) OR NOT c{+2px}"),
    ],
)  # fmt: skip
def test_growths_are_rescaled_all_over_a_mask_prompt(prompt: str, halved: str) -> None:
    assert rescaled(parse_mask_prompt(prompt), 0.5) == parse_mask_prompt(halved)


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_mask_sizes(width: int, height: int) -> None:
    size = mask_size((width, height))
    assert max(size) == 512 and min(size) >= 11
    assert (size[0] >= size[1]) == (width >= height) or min(size) == max(size)


def test_a_picture_as_thin_as_a_line_is_masked(finder: Segmenter) -> None:
    found = text_mask(Image.new("RGB", (900, 1), RED), "red", finder)
    assert found.binary.getextrema() == (255, 255)
    assert found.binary.size == (900, 1)
