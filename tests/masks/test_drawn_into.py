"""Drawing into what words describe, by a mask model that finds colours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from imaginairy import ImaginePrompt, ImagineResult, imagine
from imaginairy.errors import BadOptionError
from imaginairy.masks.from_text import text_mask
from imaginairy.models.segmentation import Segmenter
from imaginairy.models.store import ModelStore
from imaginairy.order import filled
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS
from tests.support.boxes import boxes
from tests.support.pictures import distance, pixels

Draw = Callable[..., ImagineResult]


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
    mode: str, draw: Draw, portrait: Image.Image, colours: Path, finder: Segmenter
) -> None:
    result = draw(
        "a landscape with hills at night", steps=3, init_image=portrait,
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
    red = text_mask(portrait, "red", finder)
    assert shown.tobytes() == red.binary.tobytes()
    assert result.images["mask_grayscale"].tobytes() == red.grayscale.tobytes()
    keep = red.binary if mode == "keep" else ImageOps.invert(red.binary)
    assert result.mask is not None, "what was kept is shown at the size it was drawn at"
    keep = keep.resize(result.mask.size, Image.Resampling.LANCZOS)
    assert result.mask.tobytes() == keep.tobytes()

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
        "steps": 2,
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
    assert filled(prompt, known(DRAWS, "sd15")).mask_model == "clipseg"
    assert filled(prompt, known(DRAWS, "storybook")).mask_model == "storybook-clipseg"
    assert filled(ImaginePrompt("a fox"), known(DRAWS, "sd15")).mask_model is None
