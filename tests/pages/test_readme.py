"""The README: every block runs and makes what it says."""

import io
import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from imaginairy import ImaginePrompt
from imaginairy.version import __version__
from tests.support.pages import ROOT, Made, Picture, judge
from tests.support.pictures import brightness, distance, likeliest, pixels, share
from tests.support.web import Web

PAGE = ROOT / "README.md"
DOG, CAT, FRUIT = "photo of a dog", "photo of a cat", "a bowl of fruit"
FOX, APPLES = "a red fox", "a bowl of apples"
SMILING = "portrait photo of a smiling woman"
HEAD, FEET = (150, 90, 370, 200), (0, 400, 512, 512)
"""Of the dog that the second block draws first."""


def pet() -> Picture:
    """Return the first of the four that the second block draws."""
    (path,) = Path("pets").glob("000001_*.png")
    return Picture(path)


def parts_apart(picture: Picture, other: Picture) -> tuple[float, float]:
    """Return how far two pictures' heads are apart, and their feet."""
    return (
        distance(picture.image.crop(HEAD), other.image.crop(HEAD)),
        distance(picture.image.crop(FEET), other.image.crop(FEET)),
    )


def the_first(made: Made) -> None:
    prompts = "a scenic landscape", FRUIT, SMILING, DOG
    for picture in made.drawn(*prompts, seed=1, model="storybook"):
        assert likeliest(picture.image, *prompts) == picture.says["prompt_text"]
    saved = re.findall(r"^saved (outputs/\d+_1_DDIM)", made.told, re.M)
    assert saved == [f"outputs/00000{number}_1_DDIM" for number in (1, 2, 3, 4)]


def what_it_does(made: Made) -> None:
    pets = made.drawn(DOG, CAT, DOG, CAT, outdir="pets", extension="png")
    assert [pet.says["seed"] for pet in pets] == [7, 7, 8, 8]
    for each in pets:
        assert likeliest(each.image, DOG, CAT) == each.says["prompt_text"]
    blended(made)
    swept(made)
    from_a_pet(made, pets[0])
    tiles_and_variations(made)
    from_files(made)


def blended(made: Made) -> None:
    text = "0.7*(a landscape with (hills:1.3))|0.3*(a landscape at night)"
    (hills,) = made.drawn(text, name="*_night", negative_prompt="a house", seed=4)
    assert likeliest(hills.image, "a landscape with hills", "a cat").endswith("hills")


def swept(made: Made) -> None:
    bowls = made.drawn(*["a bowl of oranges"] * 3, name="*_oranges", seed=4, steps=12)
    told = [bowl.says["sampler_type"] for bowl in bowls]
    assert told == ["plms", "ddim", "k_euler"]
    for before, after in pairwise(bowls):
        assert distance(before.image, after.image) > 1
    animation = made.picture("outputs/compilations/*.gif")
    for frame, bowl in zip(animation.frames, bowls, strict=True):
        assert distance(frame, bowl.image) < 12
        assert share(bowl.image, "orange") > 0.1
    sheet = made.picture("outputs/grids/*.jpg")
    assert sheet.size[0] == 3 * 516 and 512 < sheet.size[1] < 2 * 512


def from_a_pet(made: Made, dog: Picture) -> None:
    (cat,) = made.drawn(CAT, name="*_cat", init_image_strength=0.3)
    assert 10 < distance(cat.image, dog.image) < 40
    first, second = made.picture("outputs/compare_gif/*.gif").frames
    assert distance(first, dog.image) < 12 and distance(second, cat.image) < 12

    (wide,) = made.drawn(
        DOG, name="*_dog", size=(768, 512), small=(192, 128), outpaint="right256"
    )
    whole = made.picture("outputs/modified_original/*.jpg")
    kept, new = (0, 0, 448, 512), (560, 0, 768, 512)
    assert distance(whole.image.crop(kept), dog.image.crop(kept)) < 3
    assert distance(whole.image.crop(new), wide.image.crop(new)) < 3
    assert pixels(whole.image.crop(new)).std() > 10, "it goes on"


def tiles_and_variations(made: Made) -> None:
    (bricks,) = made.drawn("bricks", name="*_bricks", seed=4, tile_mode="xy")
    steps = np.abs(np.diff(pixels(bricks.image), axis=1)).mean(axis=(0, 2))
    seam = np.abs(pixels(bricks.image)[:, 0] - pixels(bricks.image)[:, -1]).mean()
    assert seam < np.quantile(steps, 0.95)

    woman = "portrait of a woman"
    (portrait,) = made.drawn(woman, name="*_woman", seed=4, variation_strength=0.3)
    assert portrait.says["caption_text"] == "{seed}"
    foot = (0, 490, 200, 512)
    assert brightness(portrait.image, foot) < 100, "the ground of the caption"
    animation = made.picture("outputs/gif/*.gif")
    assert len(animation.frames) == 5
    small = portrait.image.resize((128, 128))
    assert distance(animation.frames[-1], small) < 15


def from_files(made: Made) -> None:
    (path,) = made.take("prompts.txt")
    assert path.read_text().splitlines() == [FOX, APPLES]
    shown, _, printed = made.said.partition('{"path"')
    rows = [json.loads(line) for line in f'{{"path"{printed}'.splitlines()]
    assert [row["prompt_text"] for row in rows] == [FOX, APPLES]
    square = {Path(row["path"]).name for row in rows}
    pictures = made.pictures("outputs/*_fox.jpg", 2)
    pictures += made.pictures("outputs/*_apples.jpg", 2)
    for picture in pictures:
        text = picture.says["prompt_text"]
        assert likeliest(picture.image, FOX, APPLES) == text
        small = made.picture(f"outputs/generated/{picture.path.name}")
        alone = picture.path.name in square
        assert picture.size == ((512, 512) if alone else (768, 512))
        assert small.size == ((128, 128) if alone else (160, 104))
    lines = shown.splitlines()
    assert len(lines) > 20 and all("\u2580" in line for line in lines if line)


def around_it(made: Made) -> None:
    dog = pet()
    (edited,) = made.drawn(CAT, name="*_cat", mask_prompt="(head OR ears){+20px}")
    (mask,) = made.pictures("outputs/mask_binary/*.jpg")
    assert brightness(mask.image, HEAD) > 250 > 5 > brightness(mask.image, FEET)
    made.take("outputs/mask_grayscale/*.jpg")
    (whole,) = made.pictures("outputs/modified_original/*.jpg")
    head, feet = parts_apart(whole, dog)
    assert head > 20 > 3 > feet
    assert likeliest(edited.image, DOG, CAT) == CAT

    (again,) = made.drawn(DOG, name="*_dog", extension="png", seed=7)
    assert distance(again.image, dog.image) < 0.01, "but for rounding"
    made.drawn(CAT, name="*_3_*_cat", extension="png", seed=3)
    first, second, gallery = made.said.splitlines()[:3]
    assert first.startswith("pets/000001_") and ": the same picture" in first
    assert second.endswith("drawn anew, with seed 3 in place of 7.")
    assert gallery == "pets/index.html: 4 pictures; open it in a browser."
    (page,) = made.take("pets/index.html")
    assert all(path.name in page.read_text() for path in Path("pets").glob("*.png"))
    for model in ("sd15", "sd15-inpainting", "sd14", "storybook"):
        assert re.search(rf"^{model} +\d", made.said, re.M), "what is known by name"

    kinds = "mask", "grayscale", "cutout", "overlay"
    found, _, cutout, overlay = (
        made.picture(f"outputs/*_dog_AND_NOT_ears_{kind}.png") for kind in kinds
    )
    body, table = (200, 300, 300, 400), (0, 450, 100, 512)
    assert brightness(found.image, body) > 250 > 5 > brightness(found.image, table)
    assert cutout.image.mode == "RGBA"
    tinted = ImageChops.difference(overlay.image.convert("RGB"), dog.image)
    assert brightness(tinted, body) > 20 > 1 > brightness(tinted, table)

    assert re.search(rf"^ok +python +imaginairy {__version__} at ", made.said, re.M)
    assert re.search(rf"^imaginairy +{__version__}$", made.said, re.M)


def by_words(made: Made) -> None:
    mask_prompt = "(head OR ears{*1.5}){+20px}"
    made.drawn(CAT, name="*_PS3.5_photo_of_a_cat", mask_prompt=mask_prompt)
    (mask,) = made.pictures("outputs/mask_binary/*.jpg")
    assert brightness(mask.image, HEAD) > 250 > 5 > brightness(mask.image, FEET)
    made.take("outputs/mask_grayscale/*.jpg")
    head, feet = parts_apart(made.picture("outputs/modified_original/*.jpg"), pet())
    assert head > 20 > 3 > feet


def looks(made: Made) -> None:
    (small,) = made.pictures("outputs/*_4_*_cat.jpg")
    assert small.size == (128, 128) and not small.says["upscale"]
    by_words(made)

    (best,) = made.drawn("a red star left of a blue heart", name="*_heart")
    scores = best.says["applied"]["best_of"]["scores"]
    assert list(scores) == ["4", "5", "6", "7"]
    assert str(best.says["seed"]) == max(scores, key=scores.get)
    assert share(best.image, "red", (0, 0, 256, 512)) > 0.02
    assert share(best.image, "blue", (256, 0, 512, 512)) > 0.02
    caption = best.says["applied"]["caption"]["text"]
    assert "star" in caption and f"caption: {caption}\n" in made.told
    lines = made.said.splitlines()
    for number, (line, kind) in enumerate(zip(lines, ["dog", "cat"] * 2, strict=True)):
        assert re.fullmatch(rf"pets/00000{number + 1}_.*\.png: .*\b{kind}\b.*", line)

    large = made.picture("outputs/*_upscaled.png")
    assert large.size == (1024, 1024), "twice as large"
    assert large.says["afterwards"][0]["scale"] == 2
    assert distance(large.image.resize((512, 512)), pet().image) < 4

    (smiling,) = made.drawn(SMILING, name="*_woman", seed=4, fix_faces=True)
    assert smiling.says["applied"]["fix_faces"]["faces"] == 1
    assert "restored 1 face" in made.told


def in_python(made: Made) -> None:
    prompts = made.session["prompts"]
    assert "storybook" in made.told, "is said to be taken"
    drawn = [made.picture(f"{number}.jpg") for number in range(len(prompts))]
    texts = ["a scenic landscape", "a bowl of strawberries", "1*(a cat)|0.5*(a dog)"]
    assert [each.says["prompt_text"] for each in drawn][:3] == texts
    assert {each.says["model"] for each in drawn} == {"storybook"}
    bowl, animal, painting, bricks = drawn[1:]
    assert (bowl.says["seed"], bowl.says["steps"]) == (1, 20)
    assert likeliest(animal.image, "a cat", "a bowl of fruit") == "a cat"
    assert likeliest(bowl.image, "a cat", "a bowl of fruit") == "a bowl of fruit"
    assert painting.says["init_image"].startswith("https://upload.wikimedia.org/")
    assert bricks.says["tile_mode"] == "xy"

    again = made.session["again"]
    assert distance(again.img, bowl.image) < 3
    first, second = made.pictures("my-art/*.jpg", 2)
    assert made.session["paths"] == [first.path, second.path]
    assert distance(second.image, bowl.image) < 0.2, "but for rounding"
    made.pictures("my-art/generated/*.jpg", 2)
    assert ImaginePrompt.from_file(second.path).seed == 1


CHECKS = [the_first, what_it_does, around_it, looks, in_python]
"""What must be so behind each block, in their order."""


def test_what_the_readme_shows_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses on it are asked of this machine."""
    picture = io.BytesIO()
    Image.effect_mandelbrot((540, 300), (-3, -2.5, 2, 2.5), 100).save(picture, "JPEG")
    here = tmp_path / "here"
    here.mkdir()
    with Web(picture.getvalue(), tmp_path) as web:
        for name, value in web.environment.items():
            monkeypatch.setenv(name, value)
        judge(PAGE, here, CHECKS)
    asked = {f"https://{address}" for address in web.asked}
    assert asked == set(re.findall(r"url = \"(https:.*?)\"", PAGE.read_text()))
