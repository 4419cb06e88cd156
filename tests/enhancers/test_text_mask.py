"""Words to masks, by a CLIPSeg that finds colours and by one of random weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from imaginairy import ImaginePrompt, ImagineResult, TextMask, imagine, mask
from imaginairy.enhancers.mask_tree import Growth, Modified, Phrase
from imaginairy.enhancers.text_mask import (
    MASK_SIDE,
    mask_size,
    rescaled,
    soft_masks,
    text_mask,
)
from imaginairy.errors import BadOptionError, BadPromptError, MissingFileError
from imaginairy.images import upright_rgb
from imaginairy.models.catalog import known_model
from imaginairy.models.companion_files import locate_companion
from imaginairy.models.picture_input import PictureInput
from imaginairy.models.segmentation import Segmenter, load_segmenter
from imaginairy.models.store import ModelStore
from tests.support.pictures import distance, pixels
from tests.support.tiny_clipseg import (
    save_colour_finder,
    save_tiny_clipseg,
    tiny_processor,
)

Draw = Callable[..., ImagineResult]
RED, GREEN, BLUE = (226, 52, 46), (62, 165, 66), (42, 94, 214)
RED_BOX = (32, 48, 96, 144)
BLUE_BOX = (160, 96, 224, 144)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a mask model that knows red, `fruit` (green) and `bowl` (blue)."""
    folder = tmp_path_factory.mktemp("models") / "colours"
    save_colour_finder(folder)
    return folder


@pytest.fixture(scope="module")
def finder(colours: Path) -> Segmenter:
    return load_segmenter(locate_companion("mask", str(colours)), torch.device("cpu"))


@pytest.fixture(scope="module")
def random_one(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    folder = tmp_path_factory.mktemp("models") / "random"
    save_tiny_clipseg(folder)
    return load_segmenter(locate_companion("mask", str(folder)), torch.device("cpu"))


def boxes(scale: float = 1) -> Image.Image:
    """A landscape picture with a red box and a blue one."""
    image = Image.new("RGB", (256, 192), "white")
    pen = ImageDraw.Draw(image)
    for (left, top, right, bottom), colour in ((RED_BOX, RED), (BLUE_BOX, BLUE)):
        pen.rectangle((left, top, right - 1, bottom - 1), fill=colour)
    width, height = image.size
    return image.resize((round(width * scale), round(height * scale)))


def inner(found: TextMask) -> tuple[int, int, int, int] | None:
    """Where the words are, without the margin."""
    return found.grayscale.point([0] * 128 + [255] * 128).getbbox()


# -- pictures to the network


@pytest.mark.parametrize("size", [(64, 64), (31, 200), (500, 37), (1, 1)])
def test_pictures_are_prepared_as_published(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    usual = PictureInput()
    processor = tiny_processor([*usual.mean], [*usual.deviation]).image_processor
    theirs = processor(image, size={"height": 352, "width": 352}, return_tensors="pt")
    assert torch.equal(usual.of(image), theirs["pixel_values"])


def test_several_phrases_cost_one_look(random_one: Segmenter) -> None:
    calls: list[int] = []
    vision = random_one.network.clip.vision_model
    hook = vision.register_forward_hook(lambda *_: calls.append(1))
    phrases = [f"phrase {number}" for number in range(20)]
    many = soft_masks(boxes(), phrases, random_one, (40, 30))
    hook.remove()
    assert len(calls) == 1
    assert {m.shape for m in many} == {(30, 40)}
    (alone,) = soft_masks(boxes(), phrases[17:18], random_one, (40, 30))
    assert np.allclose(many[17], alone, atol=1e-4), np.abs(many[17] - alone).max()


def test_a_phrase_longer_than_the_network_reads(random_one: Segmenter) -> None:
    with pytest.raises(BadPromptError, match="30 tokens long; the mask model reads 22"):
        text_mask(boxes(), "a " * 29 + "a", random_one)


# -- masks


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
        total += tree.modifier.pixels
        tree = tree.mask
    assert tree == Phrase("a")
    assert abs(total - pixels_grown * scale) <= (0.5 if abs(total) != 1 else 1)


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_mask_sizes(width: int, height: int) -> None:
    size = mask_size((width, height))
    assert max(size) == MASK_SIDE and min(size) >= 11
    assert (size[0] >= size[1]) == (width >= height) or min(size) == max(size)


def test_a_picture_as_thin_as_a_line_is_masked(finder: Segmenter) -> None:
    found = text_mask(Image.new("RGB", (900, 1), RED), "red", finder)
    assert found.binary.getextrema() == (255, 255)
    assert found.binary.size == (900, 1)


# -- what comes of a mask


def test_the_cut_out_shows_what_was_named_and_nothing_else(finder: Segmenter) -> None:
    found = text_mask(boxes(), "red", finder)
    cut = found.cutout()
    assert cut.mode == "RGBA" and cut.size == (256, 192)
    assert cut.getpixel((64, 96)) == (*RED, 255)
    assert cut.getpixel((192, 120))[3] == cut.getpixel((5, 5))[3] == 0


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


# -- drawing into what words describe


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mask_prompt": "red"}, "mask_prompt needs an init_image"),
        (
            {"mask_prompt": "red AND", "init_image": boxes()},
            "ends after AND at column 8",
        ),
        (
            {"mask_prompt": "Red", "init_image": boxes()},
            "capitals in 'Red' at column 1",
        ),
        ({"mask_prompt": 3, "init_image": boxes()}, "mask_prompt is text, not int"),
        (
            {"mask_prompt": "red", "mask_image": boxes(), "init_image": boxes()},
            "mask_image and mask_prompt both say where to paint; give one of them",
        ),
        (
            {"mask_prompt": "red", "outpaint": "all8", "init_image": boxes()},
            "mask_prompt and outpaint both say where to paint",
        ),
        ({"mask_model": "clipseg"}, "mask_model needs a mask_prompt"),
        (
            {"mask_prompt": "red", "mask_model": " ", "init_image": boxes()},
            "mask_model is empty",
        ),
    ],
)
def test_bad_prompts_are_refused_when_made(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOptionError, match=words):
        ImaginePrompt("a fox", **options)


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    """An upright picture larger than what is drawn at once, with noise all over."""
    image = boxes(1.5).transpose(Image.Transpose.TRANSPOSE)
    rng = np.random.default_rng(0)
    noisy = pixels(image) + rng.integers(-6, 7, (*image.size[::-1], 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("mode", ["replace", "keep"])
def test_only_what_the_words_say_is_painted(
    mode: str, draw: Draw, portrait: Image.Image, colours: Path
) -> None:
    result = draw(
        "a landscape with hills at night", steps=8, init_image=portrait,
        init_image_strength=0, mask_prompt="red", mask_mode=mode,
        mask_model=str(colours),
    )  # fmt: skip
    assert list(result.images) == [
        "generated",
        "modified_original",
        "mask_binary",
        "mask_grayscale",
    ]
    changed = result.images["modified_original"]
    shown = result.images["mask_binary"]
    assert changed.size == shown.size == portrait.size
    red = text_mask(portrait, "red", load_segmenter(
        locate_companion("mask", str(colours)), torch.device("cpu")
    )).binary  # fmt: skip
    assert shown.tobytes() == red.tobytes()

    inside = (96, 72, 192, 120)
    corner = (216, 300, 288, 384)
    kept, painted = (corner, inside) if mode == "replace" else (inside, corner)
    assert np.array_equal(pixels(changed.crop(kept)), pixels(portrait.crop(kept)))
    assert distance(changed.crop(painted), portrait.crop(painted)) > 10


def test_a_described_edit_is_recorded_and_drawn_again(
    draw: Draw, store: ModelStore, colours: Path, tmp_path: Path
) -> None:
    boxes(0.5).save(tmp_path / "boxes.png")
    options = {
        "init_image": tmp_path / "boxes.png",
        "mask_prompt": "bowl{*1.5} OR red",
        "mask_model": str(colours),
        "steps": 4,
    }
    first = draw("a fox", **options)
    first.save(tmp_path / "drawn.png")
    prompt = ImaginePrompt.from_file(tmp_path / "drawn.png")
    assert (prompt.mask_prompt, prompt.mask_model) == (
        "bowl{*1.5} OR red",
        str(colours),
    )
    again = next(imagine(prompt, store=store))
    assert again.img.tobytes() == first.img.tobytes()


def test_the_model_chooses_what_finds_the_places() -> None:
    prompt = ImaginePrompt("a fox", init_image=boxes(), mask_prompt="red")
    assert prompt.filled(known_model("sd15")).mask_model == "clipseg"
    assert prompt.filled(known_model("storybook")).mask_model == "storybook-clipseg"
    assert ImaginePrompt("a fox").filled(known_model("sd15")).mask_model is None
