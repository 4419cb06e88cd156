"""How an image prompt is asked for: in a line and in Python; and written back."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imaginairy import ImageReference, ImaginePrompt
from imaginairy.errors import BadOptionError, BadPromptError, MissingFileError
from imaginairy.image_prompt import image_prompts, images_of, parse_image_prompt

PARTS = ("weight", "adapter", "layers", "noise", "start", "end")
BEHIND: dict[str, dict[str, Any]] = {
    "": {},
    "=0.6": {"weight": 0.6},
    "=-.5@0-0.7": {"weight": -0.5, "end": 0.7},
    ",layers=style": {"layers": "style"},
    "=1.2, layers=composition,noise=0.25": {
        "weight": 1.2, "layers": "composition", "noise": 0.25,
    },
    ",adapter=ip-adapter-plus-sd15@0.5-1": {
        "adapter": "ip-adapter-plus-sd15", "start": 0.5,
    },
    r"=0.6,adapter=C:\nets\plus.safetensors": {
        "weight": 0.6, "adapter": r"C:\nets\plus.safetensors",
    },
    ",adapter=https://a.example:81/x.safetensors?a=1,b=2,noise=1": {
        "adapter": "https://a.example:81/x.safetensors?a=1,b=2", "noise": 1,
    },
    ",adapter=owner/repo@v2:plus.bin": {"adapter": "owner/repo@v2:plus.bin"},
}  # fmt: skip
NAMES = ("a.png", "a, b=1.png", "a@0-1.png", "a,mask=1.png", "a=0.5", "a,layers=b=1")
BAD: list[tuple[Any, str]] = [
    ("", "An image prompt is given as FILE, FILE=0.6 or"),
    ("   ", "An image prompt is given as FILE, FILE=0.6 or"),
    ("x" * 5000, "An image prompt is given as FILE, FILE=0.6 or"),
    (3, "is a path, a web address or a picture, not"),
    ({"imag": "a.png"}, "has no 'imag'; what may be .* Did you mean 'image'?"),
    ({"weight": 1}, "An image prompt without an image says nothing; give one"),
    ("a.png=9", r"weight of the image prompt 'a\.png' 9\.0 is out of range"),
    ("a.png=x", r"behind 'a\.png', '=x', says nothing of an image prompt"),
    ("a.png@0.5", r"behind 'a\.png', '@0\.5', says nothing of an image prompt"),
    ("a.png,layer=style", "adapter=NAME, mask=FILE .* Did you mean 'layers'?"),
    ("a.png,layers=styl", r"layers of .* choose one of all, style, composition\."),
    ("a.png,mask=", r"mask of the image prompt 'a\.png' is empty; write mask=FILE or"),
    ("a.png,adapter= ,noise=1", r"adapter of .* is empty; write adapter=NAME"),
    ("a.png,noise=x", "noise of .* is a number from 0 to 1, not 'x'"),
    ("a.png,noise=2", "noise of .* is out of range"),
    ("a.png,noise=0,noise=1", "a thing is said twice: noise=0,noise=1"),
    ("a.png@0.7-0.2", "which is none of them"),
    ({"image": "a.png", "weight": float("nan")}, "weight of the image prompt"),
    ({"image": "a.png", "adapter": " "}, "An image prompt is given"),
    ({"image": "a.png", "layers": None}, "layers of the image prompt"),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with images."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        Image.new("RGB", (8, 8)).save(name, format="png")
    return tmp_path


def said(reference: ImageReference) -> dict[str, Any]:
    usual = ImageReference("a.png")
    parts = {part: getattr(reference, part) for part in PARTS}
    return {k: v for k, v in parts.items() if v != getattr(usual, k)}


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("name", NAMES)
def test_a_line_is_read_and_written_back(name: str, behind: str, here: Path) -> None:
    for file in (name, str(here / name)):
        reference = parse_image_prompt(file + behind)
        assert (said(reference), str(reference.image)) == (BEHIND[behind], file)
        again = parse_image_prompt(str(reference))
        assert (said(again), str(again.image)) == (BEHIND[behind], file)


@pytest.mark.parametrize("mask", ["m,1.png", "the fox{*1.2}", "face|(hair AND hat)"])
def test_a_mask_is_a_file_or_words(mask: str) -> None:
    Image.new("L", (8, 8)).save("m,1.png")
    reference = parse_image_prompt(f"a.png=0.5,mask={mask},noise=0.5@0-0.5")
    assert str(reference.mask) == mask
    assert reference.masked_by_words == (None if mask.endswith("png") else mask)
    assert str(parse_image_prompt(str(reference)).mask) == mask
    with pytest.raises(MissingFileError, match=r"no file 'left\.png'"):
        parse_image_prompt("a.png,mask=left.png")
    with pytest.raises(BadPromptError):
        parse_image_prompt("a.png,mask=a, b")


@pytest.mark.parametrize("asks", ["", "?v=2", "?a=b&width=512", "?x&y=", "?a=1,b=c"])
@pytest.mark.parametrize("behind", BEHIND)
def test_an_address_is_an_image(asks: str, behind: str) -> None:
    url = f"https://a.example:81/x,y=1.png{asks}"
    reference = parse_image_prompt(url + behind)
    assert (said(reference), str(reference.image)) == (BEHIND[behind], url)
    again = parse_image_prompt(str(reference))
    assert (said(again), str(again.image)) == (BEHIND[behind], url)
    unclear = ImageReference("https://a.example/x?a=1,b=2")
    assert str(parse_image_prompt(str(unclear)).image) == str(unclear.image)


@pytest.mark.parametrize(("given", "message"), BAD, ids=[str(k)[:30] for k, _ in BAD])
def test_what_cannot_be_read_is_refused_in_a_sentence(given: Any, message: str) -> None:
    with pytest.raises(BadOptionError, match=message):
        parse_image_prompt(given)


@pytest.mark.parametrize("name", ["nowhere.png", r"C:\no where\a=1.png", "no,where"])
@pytest.mark.parametrize("behind", ["", "=0.6,layers=style@0-0.5"])
def test_an_image_that_is_not_there_is_named(name: str, behind: str) -> None:
    with pytest.raises(MissingFileError) as raised:
        parse_image_prompt(name + behind)
    assert str(raised.value) == f"There is no file '{name}'."


def test_one_or_several_are_taken_in_every_form() -> None:
    image = Image.new("RGB", (8, 8))
    ready = ImageReference(image, 0.5)
    assert image_prompts("image_prompts", ready) == (ready,)
    assert image_prompts("image_prompts", ()) == ()
    for one in (image, Path("a.png"), "a.png", {"image": "a.png"}):
        assert len(image_prompts("image_prompts", one)) == 1
    several = image_prompts("image_prompts", ["a.png=0.5", ready, Path("a=0.5"), image])
    assert [each.weight for each in several] == [0.5, 0.5, 1, 1]
    assert several[1] is ready
    with pytest.raises(BadOptionError, match="21 image prompts; at most 20"):
        image_prompts("image_prompts", [image] * 21)
    with pytest.raises(BadOptionError, match="weight of an image prompt 9 is out of"):
        ImageReference(image, 9)


def test_what_it_names_is_told_without_a_look() -> None:
    line = "no.png=0.5,mask=no2.png,adapter=no/where@0-1"
    assert images_of(line) == ("no.png", "no2.png", "no/where")
    assert images_of({"image": "no.png"}) == ("no.png", None, "")
    assert images_of("no.png") == ("no.png", None, "")


def test_a_prompt_may_be_an_image_alone_and_words_of_a_mask_need_one() -> None:
    prompt = ImaginePrompt("", image_prompts="a.png")
    assert prompt.prompt_text == ""
    again = ImaginePrompt.from_dict(prompt.to_dict())
    (image,) = again.image_prompts
    assert str(image) == str(Path("a.png").absolute())
    with pytest.raises(BadOptionError, match="'hat' of an image prompt is found in"):
        ImaginePrompt("a fox", image_prompts="a.png,mask=hat")
    ImaginePrompt("a fox", image_prompts="a.png,mask=hat", init_image="a.png")
