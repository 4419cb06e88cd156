"""`aimg mask` and `imagine --mask-prompt`, as a user runs them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.support.commands import Run, assert_refused, process
from tests.support.tiny_clipseg import save_colour_finder

RED_BOX = (64, 64, 192, 128)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a picture, `boxes.png`, and a mask model that finds colours."""
    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).rectangle((64, 64, 191, 127), fill=(226, 52, 46))
    image.save(tmp_path / "boxes.png")
    save_colour_finder(tmp_path / "colours")
    return tmp_path


def test_mask_saves_four_pictures_under_the_next_number(place: Path) -> None:
    (place / "outputs").mkdir()
    (place / "outputs" / "000006_7_PLMS3_PS5_a_fox.jpg").touch()
    ran = process(
        "aimg", "mask", "boxes.png", "red AND NOT bowl", "--mask-model", "colours",
        cwd=place,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""
    start = "outputs/000007_boxes_red_AND_NOT_bowl"
    assert ran.stderr.splitlines() == [
        f"saved {start}_{kind}.png"
        for kind in ("mask", "grayscale", "cutout", "overlay")
    ]
    with Image.open(place / f"{start}_mask.png") as mask:
        assert (mask.mode, mask.size) == ("L", (256, 256))
        assert set(np.unique(mask)) == {0, 255}
        assert mask.getbbox() == (59, 59, 197, 133)
    with Image.open(place / f"{start}_cutout.png") as cutout:
        assert cutout.mode == "RGBA"
        assert cutout.getbbox() == RED_BOX
    with Image.open(place / f"{start}_overlay.png") as overlay:
        assert overlay.getpixel((5, 5)) == (255, 255, 255)


def test_mask_says_when_there_is_nothing_and_can_be_quiet(
    run: Run, place: Path
) -> None:
    options = ("--mask-model", "colours", "--outdir", "here")
    ran = run("mask", "boxes.png", "fruit", *options)
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert ran.stderr.startswith("Nothing in the picture is 'fruit'; the mask is empty")
    ran = run("mask", "boxes.png", "red", *options, "-q")
    assert (ran.exit_code, ran.output) == (0, "")
    assert len(list((place / "here").glob("000002_boxes_red_*.png"))) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["boxes.png", "red AND"], "ends after AND at column 8"),
        (["boxes.png", "Red"], "has capitals in 'Red' at column 1"),
        (["none.png", "red"], "There is no file 'none.png'"),
        (["colours/config.json", "red"], "is not a picture"),
        (["boxes.png", "red", "--mask-model", "nonsense"], "no mask model 'nonsense'"),
        (["boxes.png", "red", "--device", "abacus"], "'abacus' is not available"),
        (["boxes.png"], "Missing argument 'MASK_PROMPT'"),
    ],
)
def test_bad_use_is_one_line_and_code_2(
    arguments: list[str], words: str, run: Run, place: Path
) -> None:
    assert_refused(run("mask", *arguments), words)
    assert not (place / "outputs").exists()


def test_imagine_paints_where_the_words_say(
    run: Run, tiny_folder: Path, place: Path
) -> None:
    ran = run(
        "imagine", "a fox", "--model", tiny_folder, "--init-image", "boxes.png",
        "--mask-prompt", "red{*1.2}", "--mask-model", "colours", "--steps", "2",
        "--init-image-strength", "0", "--seed", "1",
        "--output-file-extension", "png",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    (drawn,) = (place / "outputs").glob("*.png")
    mask = read(place / "outputs" / "mask_binary" / drawn.name)
    assert mask.getbbox() == (59, 59, 197, 133)
    assert read(place / "outputs" / "mask_grayscale" / drawn.name).mode == "L"
    before = np.asarray(read(place / "boxes.png"))
    after = np.asarray(read(place / "outputs" / "modified_original" / drawn.name))
    assert np.array_equal(before[:40], after[:40])
    assert np.array_equal(before[160:], after[160:])
    assert (before != after)[80:112, 80:176].mean() > 0.9


def read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.copy()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mask-prompt", "red"], "mask_prompt needs an init_image"),
        (
            ["--init-image", "boxes.png", "--mask-prompt", "(red"],
            "never closes the bracket opened at column 1",
        ),
        (
            [
                *("--init-image", "boxes.png", "--mask-image", "boxes.png"),
                *("--mask-prompt", "red"),
            ],
            "mask_image and mask_prompt both say where to paint",
        ),
    ],
)
def test_imagine_refuses_bad_masks_before_any_work(
    options: list[str], words: str, run: Run, place: Path
) -> None:
    assert_refused(run("imagine", "a fox", "--model", "storybook", *options), words)
    assert not (place / "outputs").exists()
