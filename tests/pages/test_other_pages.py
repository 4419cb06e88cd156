"""The smaller pages: every block runs and makes what it says."""

import json
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.version import __version__
from storybook.reports.adapters import is_creature
from storybook.reports.color_check import check
from storybook.reports.measures import colourfulness
from storybook.reports.orders import Order
from tests.support.pages import ROOT, Check, Made, judge
from tests.support.pictures import brightness, distance, likeliest, share

DOG, CAT, BOWL = "photo of a dog", "photo of a cat", "a bowl of oranges"
BLOCKS = re.compile(r"^```(?:bash|python)$", re.M)
SMALL = (128, 128)
RUN_ELSEWHERE = {
    "README.md": "tests/pages/test_readme.py",
    "features.md": "tests/pages/test_features.py",
    "enhancers.md": "tests/enhancers/test_from_outside.py",  # installed, as a package
    "controls.md": "tests/pages/test_controls_page.py",
    "serve.md": "tests/serving/test_serve_page.py",  # of a server that runs beside
}


# --- index.md -------------------------------------------------------------------------


def the_first(made: Made) -> None:
    prompts = "a scenic landscape at sunset", DOG
    for picture in made.drawn(*prompts, outdir="first", seed=1):
        assert likeliest(picture.image, *prompts) == picture.says["prompt_text"]
        line = f"{picture.says['prompt_text']}  128x128, saved as 512x512, seed:1 "
        assert line in made.told, "one line says its size and seed"
        assert f"saved {picture.path}\n" in made.told


def again(made: Made) -> None:
    first, second, gallery = made.said.splitlines()
    assert re.match(r"first/000001_.*: the same picture(,| but for rounding)", first)
    assert re.fullmatch(
        r"first/000002_.*: drawn anew, with seed 2 in place of 1, steps 40 in place of "
        r"\d+\.",
        second,
    )
    assert gallery == "first/index.html: 2 pictures; open it in a browser."
    made.drawn("a scenic landscape at sunset", seed=1)
    (other,) = made.drawn(DOG, outdir="other", seed=2, steps=40)
    assert likeliest(other.image, DOG, CAT) == DOG
    (page,) = made.take("first/index.html")
    for path in Path("first").glob("*.jpg"):
        assert path.name in page.read_text()


def in_python(made: Made) -> None:
    (oranges,) = made.drawn(BOWL, outdir=".", small=None, seed=1)
    assert oranges.path.name == "oranges.jpg" and share(oranges.image, "orange") > 0.1


# --- commands.md ----------------------------------------------------------------------


def a_script(made: Made) -> None:
    (circle,) = made.drawn("a red circle", seed=1)
    assert share(circle.image, "red") > 0.05
    assert re.search(rf"^imaginairy +{__version__}$", made.said, re.M)


def for_scripts(made: Made) -> None:
    first, second, *shown = made.said.splitlines()
    rows = [json.loads(first), json.loads(second)]
    assert [row["prompt_text"] for row in rows] == [BOWL, "a photo of a cat"]
    night = "a landscape at night"
    (wide,) = made.drawn(night, name="*_night", size=(768, 512), small=(160, 104))
    bowl, cat = made.drawn(*(row["prompt_text"] for row in rows))
    assert [row["path"] for row in rows] == [str(bowl.path), str(cat.path)]
    assert likeliest(bowl.image, BOWL, CAT) == BOWL
    assert likeliest(cat.image, BOWL, CAT) == CAT
    assert brightness(wide.image, (0, 0, 768, 128)) < 100
    assert len([line for line in shown if "\u2580" in line]) > 10
    assert BOWL not in made.told and night in made.told, "-q says nothing"


def foreseen(made: Made) -> None:
    sizes = "100 of 128x128, saved at 512x512: 20 steps of "
    assert sizes in " ".join(made.said.split())
    assert "to save     100 images in 'outputs', as jpg" in made.said
    assert made.files == []


def gone_on_with(made: Made) -> None:
    circle = "a red circle"
    drawn = made.drawn(circle, BOWL, circle, BOWL, outdir="long")
    assert [picture.says["seed"] for picture in drawn][::2] == [1, 2]
    assert drawn[1].says["seed"] != drawn[3].says["seed"]
    assert all(share(picture.image, "red") > 0.05 for picture in drawn[::2])
    assert "2 of the 4 images were there already" in made.told
    made.take("list.jsonl")
    made.take("long/manifest.jsonl")


def an_edit(made: Made) -> None:
    dog, cat = made.drawn(DOG, CAT, outdir="edited")
    assert dog.says["seed"] == 3
    assert cat.says["mask_prompt"] == "(head OR ears){+20px}"
    for kind in ("mask_binary", "mask_grayscale"):
        made.take(f"edited/{kind}/*.jpg")
    whole = made.picture("edited/modified_original/*.jpg")
    feet = (0, 400, 512, 512)
    assert distance(whole.image.crop(feet), dog.image.crop(feet)) < 3
    assert distance(whole.image, dog.image) > 3


def hints_of_a_dog(made: Made) -> None:
    edges = made.picture("hints/000001_*_canny.jpg").image
    coarse = made.picture("hints/000002_*_colours.jpg").image
    assert edges.size == coarse.size == (512, 512)
    assert 0.001 < np.mean(np.asarray(edges.convert("L")) > 128) < 0.2
    assert np.asarray(coarse).reshape(16, 32, 16, 32, 3).std(axis=(1, 3)).mean() < 3


def an_inspection(made: Made) -> None:
    text, said = made.said.rsplit("\n{", 1)
    assert "a model of Stable Diffusion 1.x" in text
    facts = json.loads("{" + said)
    assert (facts["kind"], facts["native_size"]) == ("model", [128, 128])


def a_conversion(made: Made) -> None:
    made.take("fast.safetensors")
    made.take("fast.tokenizer/*", 3)
    (circle,) = made.drawn("a red circle", size=(128, 128), small=None, seed=1)
    assert share(circle.image, "red") > 0.05


# --- models.md, performance.md, security.md, api.md, add-a-model.md -------------------


def what_is_known(made: Made) -> None:
    for model in ("sd15", "sd15-inpainting", "sd14", "storybook"):
        assert re.search(rf"^{model} +[\d.]+ [GM]B +(no|bundled) ", made.said, re.M)
    assert re.search(r"^  native size +128 x 128 pixels$", made.said, re.M)


def as_measured(made: Made) -> None:
    prompts = "a bowl of fruit", "a scenic landscape"
    for picture in made.drawn(*prompts, sampler_type="k_dpmpp_2m", steps=15, seed=1):
        assert likeliest(picture.image, *prompts) == picture.says["prompt_text"]


def in_low_memory(made: Made) -> None:
    (picture,) = made.drawn("a bowl of fruit", seed=1)
    assert likeliest(picture.image, "a bowl of fruit", DOG) == "a bowl of fruit"


def without_a_record(made: Made) -> None:
    (dog,) = made.drawn(DOG, outdir=".", name="dog", extension="png", small=None)
    plain = made.picture("plain.png")
    assert distance(dog.image, plain.image) == 0
    assert not plain.image.info


def kept_loaded(made: Made) -> None:
    cats = made.drawn(*["photo of a cat"] * 2, outdir=".", extension="png", small=None)
    assert [cat.says["seed"] for cat in cats] == [1, 2]
    assert distance(cats[0].image, cats[1].image) > 10
    sums = [line.split() for line in made.said.splitlines()]
    assert [model for _, model in sums] == [cat.says["model_sha256"] for cat in cats]
    assert sums[1][0] == made.session["result"].md5() != sums[0][0]
    assert ImaginePrompt.from_file("cat_1.png").steps == 15


def asked_first(made: Made) -> None:
    assert "['A kin', 'Z-Image', " in made.said


def by_its_path(made: Made) -> None:
    bowl = made.picture("oranges.png")
    assert bowl.size == (128, 128)
    assert likeliest(bowl.image, BOWL, CAT) == BOWL
    assert bowl.says["model"] == str(made.session["folder"])


# --- cluster.md -----------------------------------------------------------------------


def by_workers(made: Made) -> None:
    circle, bowl, square = made.pictures("many/*.jpg", 3)
    assert share(circle.image, "red") > 0.05
    assert likeliest(bowl.image, BOWL, CAT) == BOWL
    assert share(square.image, "blue") > 0.05
    made.take("many/generated/*.jpg", 3)
    made.take("prompts.txt")


def published(made: Made) -> None:
    made.take("list.csv")
    circle = made.picture("pictures/circle.jpg")
    bowl = made.picture("pictures/bowl.jpg")
    assert share(circle.image, "red") > 0.05 and circle.says["seed"] == 1
    assert likeliest(bowl.image, BOWL, CAT) == BOWL
    (shard,) = made.take("shards/*.tar")
    with tarfile.open(shard) as tar:
        names = [f"{id}.{ending}" for id in ("circle", "bowl") for ending in
                 ("jpg", "json", "txt")]  # fmt: skip
        assert tar.getnames() == names
    *_, last = map(json.loads, made.said.splitlines())
    assert (last["event"], last["done"], last["drawn"]) == ("ended", 2, 0)
    for name in ("pictures", "shards"):
        made.take(f"{name}/_manifest/*.json*", 2)


# --- adapters.md ----------------------------------------------------------------------


def styles(made: Made) -> None:
    plain, *others = made.drawn(
        *["a smiling woman with brown hair"] * 5, size=SMALL, small=None, seed=2
    )
    names = [name for picture in others for name in picture.says["loras"]]
    assert names == ["pencil-sketch", "blue-hour", "soft-pastel", "ink-outline"]
    pencil, dusk, pale, _ = (brightness(each.image) for each in others)
    assert dusk < brightness(plain.image) - 20
    assert min(pencil, pale) > brightness(plain.image) + 10


def strengths(made: Made) -> None:
    bowls = made.drawn(*["a bowl of fruit"] * 4, size=SMALL, small=None, seed=5)
    colours = [colourfulness(bowl.image) for bowl in bowls]
    assert colours == sorted(colours) and colours[-1] > 3 * colours[0]


def word_and_steps(made: Made) -> None:
    pink, pale, star, sea = made.drawn(
        "a snorple on a pink background",
        "a snorple on a green background, <lora:soft-pastel>",
        "a blue star on a pink background",
        "a sailboat on the sea",
        size=SMALL,
        small=None,
    )
    assert is_creature(pink.image)
    assert brightness(pale.image) > 120
    assert all(check(star.image, Order("", "pink", ("blue",), {})))
    for picture in (star, sea):
        assert (picture.says["sampler_type"], picture.says["steps"]) == ("k_lcm", 4)


SHADOW, LIGHT = ((0, 0, 128), (255, 228, 181))
"""The colours between which all of a duotone is."""


def astray(picture: Image.Image) -> float:
    """Return how far colours of a picture are from those of the duotones, in levels."""
    dark, light = (np.array(each, dtype=float) for each in (SHADOW, LIGHT))
    seen, way = np.asarray(picture.convert("RGB"), dtype=float) - dark, light - dark
    along = (seen @ way)[..., None] / (way @ way) * way
    return float(np.linalg.norm(seen - along, axis=2).mean())


def to_learn_from(made: Made) -> None:
    assert all(astray(each.image) < 3 for each in made.pictures("duotones/*.png", 6))
    made.take("duotones/*.txt", 6)


def a_style(made: Made) -> None:
    """What was learnt of six pictures is there in the picture of something else."""
    made.take("inky.safetensors")
    made.take("inky.learning")
    cats = made.drawn(*["inky, photo of a cat"] * 2, seed=5)
    assert [len(cat.says["loras"]) for cat in cats] == [0, 1]
    without, with_it = (astray(cat.image) for cat in cats)
    assert with_it < 0.75 * without


# --- add-a-sampler.md -----------------------------------------------------------------


def a_function(made: Made) -> None:
    assert callable(made.session["sample_midpoint"])


def tried_out(made: Made) -> None:
    midpoint = made.picture("sample_midpoint.png").image
    heun = made.picture("sample_heun.png").image
    for image in (midpoint, heun):
        assert share(image, "red", (40, 40, 88, 88)) > 0.3
        assert share(image, "white", (0, 0, 16, 16)) > 0.9
    assert 0 < distance(midpoint, heun) < 10


# --- storybook.md ---------------------------------------------------------------------


def a_scene(made: Made) -> None:
    scene = made.picture("scene.png")
    assert scene.size == (128, 128)
    said, *captions, groups = made.said.splitlines()
    assert said.endswith("}") and "'place': 'hills'" in said and "hills" in captions[0]
    assert len(set(captions)) == 3
    assert groups.startswith("groups: shapes, landscapes, ")


def there_and_back(made: Made) -> None:
    back = made.picture("back.png")
    assert distance(back.image, made.session["scene"].image) < 8
    assert made.said == "(1, 3, 128, 128) -> (1, 4, 16, 16)\n"


def words(made: Made) -> None:
    ids, shape = made.said.splitlines()
    assert len(json.loads(ids)) == 7 and shape == "(1, 48, 224)"


def noised(made: Made) -> None:
    back = made.picture("noised_200.png").image, made.picture("noised_500.png").image
    last = made.picture("noised_800.png").image
    away = [distance(each, made.session["scene"].image) for each in (*back, last)]
    assert away == sorted(away)
    told = [line.split(" ", 1) for line in made.said.splitlines()]
    assert [step for step, _ in told] == ["200", "500", "800"]
    guesses = [float(text.removeprefix("error of the guess: ")) for _, text in told]
    assert np.argmin(guesses) == 2 and max(guesses) < 0.5


def generated(made: Made) -> None:
    image = made.picture("generated.png").image
    assert share(image, "red", (48, 48, 80, 80)) > 0.5
    assert share(image, "blue", (0, 0, 12, 12)) > 0.9


def by_a_flow(made: Made) -> None:
    asked = (
        "a red circle on a blue background",
        "a bowl of oranges",
        "a woman with long red hair",
        "a black dog on grass",
        "the sea with a boat, by day",
        "books",
    )
    circle, oranges, _, dog, sea, _ = (
        each.image for each in made.drawn(*asked, seed=1, steps=8, prompt_strength=1.0)
    )
    assert share(circle, "red", (192, 192, 320, 320)) > 0.9
    assert share(circle, "blue", (0, 0, 48, 48)) > 0.9
    assert share(oranges, "orange") > 0.1 and share(dog, "green") > 0.1
    assert share(sea, "blue") > 0.3


CHECKS: dict[str, list[Check]] = {
    "index.md": [the_first, again, in_python],
    "commands.md": [
        a_script,
        for_scripts,
        foreseen,
        gone_on_with,
        an_edit,
        hints_of_a_dog,
        an_inspection,
        a_conversion,
    ],
    "models.md": [what_is_known],
    "adapters.md": [styles, strengths, word_and_steps, to_learn_from, a_style],
    "cluster.md": [by_workers, published],
    "performance.md": [as_measured, in_low_memory],
    "security.md": [without_a_record],
    "api.md": [kept_loaded],
    "add-a-model.md": [by_its_path, asked_first],
    "add-a-sampler.md": [a_function, tried_out],
    "storybook.md": [
        a_scene,
        there_and_back,
        words,
        noised,
        generated,
        by_a_flow,
    ],
}
"""What must be so behind each block of a page, in their order."""


@pytest.mark.parametrize("page", CHECKS)
def test_what_a_page_shows_is_made(page: str, tmp_path: Path) -> None:
    judge(ROOT / "docs" / page, tmp_path, CHECKS[page])


def test_every_page_with_blocks_is_run() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {page.name for page in pages if BLOCKS.search(page.read_text())}
    assert shown == {*CHECKS, *RUN_ELSEWHERE}
    for file in RUN_ELSEWHERE.values():
        assert (ROOT / file).exists()
