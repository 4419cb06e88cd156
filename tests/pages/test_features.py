"""The page on generating and editing: every block runs and makes what it shows."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from imaginairy.animate import BAR
from tests.support.pages import ROOT, Made, Picture, judge
from tests.support.pictures import brightness, distance, likeliest, pixels, share

WHOLE = (512, 512)
LEFT, RIGHT = (0, 0, 256, 512), (256, 0, 512, 512)
CORNER = (0, 0, 80, 80)
FACE = (200, 220, 312, 330)
"""Between the hair and the chin of every portrait."""


def apart(picture: Picture, other: Picture, mask: Image.Image) -> float:
    """Return how far apart two pictures are where a mask is white."""
    seen = np.abs(pixels(picture.image) - pixels(other.image))
    return float(seen[np.asarray(mask.convert("L")) > 128].mean())


def several_prompts(made: Made) -> None:
    prompts = "a landscape with mountains by day", "a bowl of oranges", "photo of a cat"
    for picture in made.drawn(*prompts, seed=4, model="storybook"):
        assert likeliest(picture.image, *prompts) == picture.says["prompt_text"]


def blends(made: Made) -> None:
    red, yellow = (
        f"a {name} heart on a white background" for name in ("red", "yellow")
    )
    both = f"0.5*({red})|0.5*({yellow})"
    hearts = made.drawn(red, both, yellow, seed=4)
    for picture, colour in zip(hearts, ("red", "orange", "yellow"), strict=True):
        assert share(picture.image, colour) > 0.1
        assert share(picture.image, "white", CORNER) > 0.95


def keeping_out(made: Made) -> None:
    prompts = "a landscape with mountains", "a landscape with mountains at (night:1.5)"
    day, night = made.drawn(*prompts, seed=4)
    assert day.says["negative_prompt"] == "night" and not night.says["negative_prompt"]
    assert brightness(day.image) > 2 * brightness(night.image)


def variations(made: Made) -> None:
    faces = made.drawn(*["portrait of a woman"] * 5, seed=4, variation_seed=9)
    told = [face.says["variation_strength"] for face in faces]
    assert told == [0, 0.25, 0.5, 0.75, 1]
    away = [distance(face.image, faces[0].image) for face in faces]
    assert away == sorted(away) and away[1] > 3


def strong_guidance(made: Made) -> None:
    """What burns has much more contrast than usual; what is held, less of it.

    In so few steps adaptive projection only goes another way.
    """
    bowls = made.drawn(*["a bowl of oranges"] * 6, seed=4, size=(128, 128), small=None)
    assert [bowl.says["prompt_strength"] for bowl in bowls] == [3.5, *[20] * 5]
    limits = "guidance_rescale", "guidance_interval", "apg", "dynamic_threshold"
    for limit, bowl in zip(limits, bowls[2:], strict=True):
        assert bowl.says[limit] and not bowls[1].says.get(limit)
    above = 0, 0, 128, 105  # the words at the foot
    usual, burnt, rescaled, between, turned, held = bowls
    contrast = [float(pixels(bowl.image.crop(above)).std()) for bowl in bowls]
    assert contrast[1] > contrast[0] + 10
    for bowl in (rescaled, between, held):
        assert contrast[bowls.index(bowl)] < contrast[1] - 5
    assert distance(turned.image, burnt.image) > 10
    assert distance(between.image, usual.image) < distance(burnt.image, usual.image)


def samplers(made: Made) -> None:
    names = ["plms", "ddim", "k_euler", "k_euler_a", "k_dpmpp_2m"]
    bowls = made.drawn(*["a bowl of oranges"] * 5, seed=4)
    assert [bowl.says["sampler_type"] for bowl in bowls] == names
    for bowl, after in pairwise(bowls):
        assert distance(bowl.image, after.image) > 3


def a_sheet(made: Made) -> None:
    apple, mountains = "a red apple", "a landscape with mountains at sunset"
    prompts = [apple] * 4 + [mountains] * 4
    drawn = made.drawn(*prompts, seed=4, size=(128, 128), small=None)
    assert [each.says["prompt_strength"] for each in drawn] == [1, 3, 5, 8] * 2
    sheet = made.picture("outputs/grids/*.jpg").image
    step = 128 + BAR
    left, top = sheet.width - 4 * step, sheet.height - 2 * step
    assert left > 20 and top > 10, "there is room for the labels"
    for number, each in enumerate(drawn):
        row, column = divmod(number, 4)
        x = left + BAR // 2 + column * step
        y = top + BAR // 2 + row * step
        cell = sheet.crop((x, y, x + 128, y + 128))
        assert distance(cell, each.image) < 6, f"row {row}, column {column}"


def sizes(made: Made) -> None:
    fox, dog = made.pictures("outputs/*.jpg", 2)
    small_fox, small_dog = made.pictures("outputs/generated/*.jpg", 2)
    assert fox.size == (768, 512) and small_fox.size == (160, 104)
    assert dog.size == (1920, 1080) and small_dog.size == (168, 96)
    assert fox.says["draw_size"] == "160x104" and fox.says["prompt_text"] == "a red fox"
    assert dog.says["draw_size"] == "168x96"
    assert "160x104, saved as 768x512" in made.told
    for picture, small in ((fox, small_fox), (dog, small_dog)):
        assert distance(picture.image.resize(small.size), small.image) < 8


def from_an_image(made: Made) -> None:
    (source,) = made.drawn("a landscape with hills at sunset", outdir="source", seed=5)
    nights = made.drawn(*["a landscape with hills at night"] * 5, seed=5)
    told = [night.says["init_image_strength"] for night in nights]
    assert told == [0, 0.25, 0.5, 0.75, 1]
    away = [distance(night.image, source.image) for night in nights]
    assert away == sorted(away, reverse=True)
    assert away[0] > 30 and away[-1] < 4


def inpainting(made: Made) -> None:
    (day,) = made.drawn("a landscape with hills by day", outdir="meadow", seed=5)
    sky = made.picture("sky.png").image
    assert sky.size == WHOLE
    assert brightness(sky, (0, 0, 512, 100)) > 250
    assert brightness(sky, (0, 400, 512, 512)) < 5
    prompts = "a landscape with hills at sunset", "a landscape with hills at night"
    made.drawn(*prompts, seed=5)
    for whole in made.pictures("outputs/modified_original/*.jpg", 2):
        assert whole.size == WHOLE
        assert apart(whole, day, sky) > 20
        meadow = (0, 400, 512, 512)
        assert distance(whole.image.crop(meadow), day.image.crop(meadow)) < 2


def inpainting_by_words(made: Made) -> None:
    (bowl,) = made.drawn("a bowl of oranges", outdir="bowl", seed=4)
    lemons, apples = made.drawn(
        "a bowl of lemons", "a bowl of green apples", seed=4, mask_prompt="fruit"
    )
    made.pictures("outputs/mask_grayscale/*.jpg", 2)
    masks = made.pictures("outputs/mask_binary/*.jpg", 2)
    made.pictures("outputs/modified_original/*.jpg", 2)
    fruit = (200, 220, 320, 320)
    assert share(bowl.image, "orange", fruit) > 0.6
    wanted = (lemons, "yellow", masks[0]), (apples, "green", masks[1])
    for picture, colour, mask in wanted:
        assert share(picture.image, colour, fruit) > 0.6
        assert brightness(mask.image, fruit) > 250
        assert brightness(mask.image, (0, 400, 512, 512)) < 5
        assert apart(picture, bowl, ImageChops.invert(mask.image)) < 6
        assert apart(picture, bowl, mask.image) > 30


def all_but_what_is_described(made: Made) -> None:
    (before,) = made.drawn("portrait of a woman", outdir="portrait", seed=4)
    woman, girl = made.drawn(
        "portrait of a woman with long red hair on a green background",
        "a girl in a yellow shirt on a pink background",
        mask_mode="keep",
        mask_prompt="face{*1.9}",
        init_image_strength=0.0,
    )
    for kind in ("mask_grayscale", "mask_binary", "modified_original"):
        made.pictures(f"outputs/{kind}/*.jpg", 2)
    for picture in (woman, girl):
        assert distance(picture.image.crop(FACE), before.image.crop(FACE)) < 8
    assert share(woman.image, "green", CORNER) > 0.9
    red, green, _ = pixels(girl.image.crop(CORNER)).mean(axis=(0, 1))
    assert red > 220 > green + 20
    assert share(girl.image, "yellow", (200, 460, 312, 512)) > 0.8


def a_mask(made: Made) -> None:
    [mask], [grey], [cutout], [overlay] = (
        made.pictures(f"masks/*_fruit_AND_NOT_bowl_{kind}.png")
        for kind in ("mask", "grayscale", "cutout", "overlay")
    )
    [bowl] = [Picture(path) for path in Path("bowl").glob("*.jpg")]
    fruit, table = (200, 220, 320, 320), (0, 400, 512, 512)
    assert brightness(mask.image, fruit) > 250 > 5 > brightness(mask.image, table)
    assert brightness(grey.image, fruit) > 150 > 50 > brightness(grey.image, table)
    assert cutout.image.mode == "RGBA"
    assert distance(cutout.image.getchannel("A"), grey.image) < 3
    assert apart(overlay, bowl, ImageChops.invert(mask.image)) < 1
    assert apart(overlay, bowl, mask.image) > 20


def a_mask_in_python(made: Made) -> None:
    cutout = made.picture("apples.png").image
    bowl = made.session["bowl"]
    assert cutout.mode == "RGBA" and cutout.size == bowl.size
    opaque = cutout.getchannel("A")
    assert brightness(opaque, (200, 220, 320, 320)) > 250
    assert brightness(opaque, (200, 400, 320, 440)) > 250, "the bowl too"
    assert brightness(opaque, CORNER) < 5
    assert share(cutout, "red", (200, 220, 320, 320)) > 0.6


def outpainting(made: Made) -> None:
    prompt = "a landscape with hills by day"
    (narrow,) = made.drawn(prompt, outdir="narrow", seed=5)
    (wide,) = made.drawn(
        prompt, size=(1024, 512), small=(256, 128), seed=9, outpaint="left256,right256"
    )
    whole = made.picture("outputs/modified_original/*.jpg")
    assert whole.size == wide.size
    middle = whole.image.crop((320, 0, 704, 512))
    assert distance(middle, narrow.image.crop((64, 0, 448, 512))) < 3
    for side in ((0, 0, 256, 512), (768, 0, 1024, 512)):
        grass = pixels(whole.image.crop(side).crop((0, 350, 256, 512))).mean(
            axis=(0, 1)
        )
        assert grass.argmax() == 1, "the meadow goes on"


def tiles(made: Made) -> None:
    (bricks,) = made.drawn("bricks", seed=4, tile_mode="xy")
    assert likeliest(bricks.image, "bricks", "a cat", "a landscape") == "bricks"
    seen = pixels(bricks.image)
    for axis in (0, 1):
        rolled = np.roll(seen, seen.shape[axis] // 2, axis)
        steps = np.abs(np.diff(rolled, axis=axis)).mean(axis=(1 - axis, 2))
        seam = steps[len(steps) // 2]
        assert seam < np.quantile(steps, 0.95), "there is no seam"


def faces(made: Made) -> None:
    prompt = "portrait photo of a smiling woman"
    worn = made.picture("smiling/worn.jpg")
    (smiling,) = made.drawn(prompt, outdir="smiling", seed=4)
    restored = made.picture("outputs/*_worn_faces.jpg")
    assert "restored 1 face" in made.told
    assert worn.size == restored.size == WHOLE
    before, after, good = (each.image.crop(FACE) for each in (worn, restored, smiling))
    assert distance(before, after) > 4
    assert distance(after, good) < distance(before, good)
    assert distance(worn.image.crop(CORNER), restored.image.crop(CORNER)) < 2


def larger(made: Made) -> None:
    small, large = made.pictures("outputs/*.jpg", 2)
    assert small.size == (128, 128) and large.size == WHOLE
    assert (small.says["upscale"], large.says["upscale"]) == (False, True)
    beside = made.picture("outputs/generated/*.jpg")
    assert beside.size == small.size and distance(beside.image, small.image) == 0
    assert distance(large.image.resize((128, 128)), small.image) < 8


def larger_afterwards(made: Made) -> None:
    prompts = "photo of a dog", "a bowl of fruit"
    before = made.drawn(*prompts, outdir="small", size=(128, 128), small=None, seed=4)
    after = made.drawn(*prompts, outdir="large", size=(384, 384), small=None)
    for small, large in zip(before, after, strict=True):
        assert large.path.stem.endswith("_upscaled")
        (done,) = large.says["afterwards"]
        assert (done["done"], done["scale"]) == ("upscale", 3)
        assert distance(large.image.resize((128, 128)), small.image) < 8


def larger_in_python(made: Made) -> None:
    large, small = made.picture("large.png").image, made.session["small"]
    assert small.size == (128, 128) and large.size == (384, 384)
    assert distance(large.resize(small.size), small) < 8


def the_best(made: Made) -> None:
    (best,) = made.drawn("a red star left of a blue heart", best_of=1)
    scores = best.says["applied"]["best_of"]["scores"]
    assert list(scores) == ["4", "5", "6", "7"]
    assert str(best.says["seed"]) == max(scores, key=scores.get)
    assert (
        f"kept seed {best.says['seed']}, closest to its prompt (seed 4: 0." in made.told
    )
    assert (
        share(best.image, "red", LEFT) > 0.03 > 0.01 > share(best.image, "red", RIGHT)
    )
    assert (
        share(best.image, "blue", RIGHT) > 0.03 > 0.01 > share(best.image, "blue", LEFT)
    )


def which_phrase_fits(made: Made) -> None:
    lines = [line.split("% ") for line in made.said.splitlines()]
    assert lines[0][1] == "a bowl of fruit" and int(lines[0][0]) > 90
    assert sorted(phrase for _, phrase in lines[1:]) == ["a cat", "a dog"]
    assert 98 <= sum(int(number) for number, _ in lines) <= 102


def captions(made: Made) -> None:
    bowl, portrait = made.said.splitlines()
    assert bowl.startswith("bowl/000001_") and "bowl of oranges" in bowl
    assert portrait.startswith("portrait/000001_") and " woman " in portrait


def a_caption_at_once(made: Made) -> None:
    (drawn,) = made.drawn("a landscape with mountains", caption=True)
    caption = drawn.says["applied"]["caption"]["text"]
    assert "mountain" in caption and f"caption: {caption}\n" in made.told


def a_caption_in_python(made: Made) -> None:
    assert "bowl of" in made.said and "apples" in made.said


def the_steps(made: Made) -> None:
    (dog,) = made.drawn("photo of a dog", seed=4)
    animation = made.picture("outputs/gif/*.gif")
    first, *_, last = [frame.convert("RGB") for frame in animation.frames]
    assert len(animation.frames) == 5, "the start and four steps"
    assert animation.path.stem == dog.path.stem
    small = dog.image.resize(last.size)
    assert distance(last, small) < 10 < 20 < distance(first, small)


def watching(made: Made) -> None:
    dog = made.picture("dog.jpg")
    assert likeliest(dog.image, "a dog", "a cat", "a bowl of fruit") == "a dog"
    steps = made.picture("step_00.png")
    assert steps.size == (128, 128) and steps.image.convert("L").getextrema()[1] > 100


CHECKS = [
    *(several_prompts, blends, keeping_out, variations, strong_guidance),
    *(samplers, a_sheet, sizes),
    *(from_an_image, inpainting, inpainting_by_words, all_but_what_is_described),
    *(a_mask, a_mask_in_python, outpainting, tiles, faces, larger, larger_afterwards),
    *(larger_in_python, the_best, which_phrase_fits, captions, a_caption_at_once),
    *(a_caption_in_python, the_steps, watching),
]
"""What must be so behind each block, in their order."""


def test_what_the_page_shows_is_made(tmp_path: Path) -> None:
    judge(ROOT / "docs" / "features.md", tmp_path, CHECKS)
