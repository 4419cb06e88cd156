"""What a request may ask for is decided field by field; all else is refused."""

import base64
import io
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.errors import BadImageError, BadOptionError
from imaginairy.fields import options
from imaginairy.serving.bounds import (
    ALLOWED,
    REFUSED,
    RULES,
    Bounds,
    bytes_held,
    pictures_of,
)
from imaginairy.serving.limits import Limits
from imaginairy.serving.offer import Offer
from imaginairy.serving.refusals import (
    NotOfferedError,
    OverLimitError,
    RefusedError,
)
from imaginairy.sources.catalog import known

OFFER = Offer({"storybook": known("draws", "storybook")})
BOUNDS = Bounds(OFFER, Limits())


def upload(size: tuple[int, int] = (64, 64), kind: str = "PNG") -> str:
    data = io.BytesIO()
    Image.new("RGB", size, "green").save(data, kind)
    return base64.b64encode(data.getvalue()).decode()


def test_every_field_of_a_prompt_was_decided_on() -> None:
    """A new one is to be told of in `RULES`, or to be one of `REFUSED`."""
    names = {each.name for each in fields(ImaginePrompt)}
    assert names == {*RULES, *REFUSED}
    assert not {*RULES} & {*REFUSED} and {*ALLOWED} == {*RULES}


def test_fields_that_name_something_have_a_rule_of_their_own() -> None:
    """They are looked up among what the server has."""
    models = {
        name
        for name in options(ImaginePrompt)
        if name.endswith(("model", "detector"))
        or name in ("vae", "refiner", "upscaler")
    }
    plain = RULES["seed"]
    assert {name for name in models if RULES[name] is plain} == set()
    assert RULES["init_image"] is RULES["mask_image"] is not plain


@pytest.mark.parametrize(
    "values",
    [
        "a fox",
        {"prompt": "a fox"},
        {"prompt": [{"text": "a fox", "weight": 2}, "a bird"]},
        {"prompt": "a fox", "seed": 0, "steps": 1, "width": 64, "model": None},
        {"prompt": "a fox", "cfg_scale": 3, "sampler": "ddim"},
    ],
)
def test_plain_fields_are_those_of_a_prompt(values: Any) -> None:
    given = {"prompt": values} if isinstance(values, str) else values
    said = BOUNDS.prompt(values)
    assert said.model == "storybook"
    if "cfg_scale" in given:  # names of other tools are known too
        assert (said.prompt_strength, said.sampler_type) == (3, "ddim")
    else:
        usual = {k: v for k, v in given.items() if v is not None}
        seed = usual.get("seed", said.seed)
        assert said == ImaginePrompt(**usual | {"model": "storybook", "seed": seed})


@pytest.mark.parametrize("values", [None, 5, [], ["a fox"], {}, {"text": "a fox"}])
def test_what_is_no_prompt_is_refused(values: Any) -> None:
    with pytest.raises(
        RefusedError, match="A prompt is a text, or an object of fields"
    ):
        BOUNDS.prompt(values)


@pytest.mark.parametrize(
    "name", [*REFUSED, "_set", "__class__", "outdir", "Prompt", ""]
)
def test_fields_that_are_not_in_the_table_are_refused(name: str) -> None:
    with pytest.raises(RefusedError, match=r"has no field .* that a request may set"):
        BOUNDS.prompt({"prompt": "a fox", name: "x"})


def test_pictures_come_along() -> None:
    for kind in ("PNG", "JPEG", "WEBP"):
        for start in ("", f"data:image/{kind.lower()};base64,"):
            said = BOUNDS.prompt(
                {
                    "prompt": "a fox",
                    "init_image": start + upload(kind=kind),
                    "mask_image": upload(),
                }
            )
            assert isinstance(said.init_image, Image.Image)
            assert said.init_image.size == (64, 64)
            assert bytes_held([said, said]) == 4 * 4 * 64 * 64
    assert bytes_held([BOUNDS.prompt("a fox")]) == 0


@pytest.mark.parametrize(
    "value",
    ["/etc/passwd", "a.png", "file:///etc/passwd", "http://127.0.0.1/a.png", 5, None,
     {"url": "http://127.0.0.1"}, ["a.png"], "data:image/png;base64,???", "äöü"],
)  # fmt: skip
def test_paths_and_addresses_are_not_read(value: Any) -> None:
    with pytest.raises(RefusedError, match="init_image is a picture as base64"):
        BOUNDS.value("init_image", value)


def test_image_prompts_come_along_and_name_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("a.png")
    monkeypatch.setenv("IMAGINAIRY_IMAGE_PROMPTS", str(tmp_path))
    Path("mine.bin").write_bytes(b"")
    mask = f"data:image/png;base64,{upload()}"
    said = {"image": upload(), "weight": 0.5, "mask": mask, "adapter": "mine"}
    prompt = BOUNDS.prompt({"prompt": "", "image_prompts": [said, said]})
    for image in prompt.image_prompts:
        assert isinstance(image.image, Image.Image)
        assert isinstance(image.mask, Image.Image)
        assert (image.weight, image.adapter) == (0.5, "mine")
    assert bytes_held([prompt]) == 4 * 4 * 64 * 64

    def refused(value: Any, match: str, kind: type[Exception] = RefusedError) -> None:
        with pytest.raises(kind, match=match):
            BOUNDS.prompt({"prompt": "a fox", "image_prompts": value})

    for value in ("a.png", ["a.png=0.5"], {"image": "a.png"}, {"weight": 1}, [3]):
        refused(value, "The image of image_prompts is a picture as base64")
    refused({**said, "mask": "a.png"}, "mask of image_prompts is a data URL, not 'a")
    refused({**said, "mask": "a fox"}, "mask of image_prompts is a data URL")
    refused({**said, "adapter": "me/mine"}, "has no IP-Adapter 'me/mine'; it .*, mine")
    refused({**said, "nonsense": 1}, "image prompt has no 'nonsense'", BadOptionError)
    refused(7, "The image of image_prompts is a picture as base64")
    with pytest.raises(BadOptionError, match="controls are controls, each as"):
        BOUNDS.prompt({"prompt": "a fox", "controls": 7})


def test_reference_images_come_along_one_or_several() -> None:
    for given, count in ((upload(), 1), ([upload(), upload()], 2)):
        prompt = BOUNDS.prompt({"prompt": "a fox", "ref_image": given})
        assert [each.size for each in prompt.reference_images] == [(64, 64)] * count
        assert bytes_held([prompt]) == count * 4 * 64 * 64
    for value in ("a.png", ["http://127.0.0.1/a.png"], {"image": upload()}, [None]):
        with pytest.raises(RefusedError, match="A picture of reference_images is a"):
            BOUNDS.prompt({"prompt": "a fox", "reference_images": value})


def test_uploads_that_are_no_pictures_are_refused() -> None:
    for data in (b"", b"nonsense", b"%!PS"):
        with pytest.raises(BadImageError):
            BOUNDS.value("init_image", base64.b64encode(data).decode())


def test_uploads_have_a_size() -> None:
    bounds = Bounds(OFFER, Limits(larger_pixels=64 * 64))
    bounds.value("mask_image", upload())
    with pytest.raises(OverLimitError, match="The mask_image of 65x64 is 4,160 pixels"):
        bounds.value("mask_image", upload((65, 64)))
    asked = {"prompt": "a fox", "init_image": upload(), "outpaint": "right1"}
    with pytest.raises(OverLimitError, match="A canvas of 65x64"):
        bounds.prompt(asked)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"steps": 11}, "11 steps are more than the 10"),
        ({"prompt": "a" * 21}, "The prompt of 21 characters is longer than the 20"),
        ({"prompt": ["a" * 11, "b" * 10]}, "The prompt of 21 characters"),
        ({"prompt": [{"text": "a" * 20}]}, "The prompt of 24 characters"),
        ({"negative_prompt": "a" * 22}, "The negative_prompt of 22 characters"),
        ({"caption_text": "{" * 23}, "The caption_text of 23 characters"),
        ({"draw_size": "128x64"}, "An image of 128x64 is 8,192 pixels"),
        ({"width": 128, "height": 128}, "An image of 128x128 is 16,384 pixels"),
    ],
)
def test_what_is_more_than_the_server_does_is_refused(
    values: dict[str, Any], said: str
) -> None:
    limits = Limits(steps=10, characters=20, pixels=64 * 64, larger_pixels=64 * 128)
    bounds = Bounds(OFFER, limits)
    little = {"steps": 10, "width": 128, "height": 64, "draw_size": "64x64"}
    bounds.prompt({"prompt": "a" * 20, "negative_prompt": "a" * 20, **little})
    with pytest.raises(OverLimitError, match=said):
        bounds.prompt({"prompt": "a fox", **values})


@pytest.mark.parametrize(
    "values",
    [
        {"model": "/srv/model.safetensors"},
        {"model": "owner/repo"},
        {"refiner": "owner/repo@0.5"},
        {"vae": "/srv/vae.safetensors"},
        {"mask_model": "owner/repo", "mask_prompt": "a fox", "init_image": upload()},
        {"fix_faces_model": "/srv/x", "fix_faces": True},
        {"fix_faces_detector": "/srv/x.onnx", "fix_faces": True},
        {"upscaler": "https://example.org/x.pth"},
        {"caption_model": "owner/repo", "caption": True},
        {"similarity_model": "owner/repo", "best_of": 2},
        {"loras": ["/srv/x.safetensors"]},
        {"loras": "owner/repo:x.safetensors=0.5"},
        {"loras": [{"name": "https://127.0.0.1/x.safetensors", "weight": 1}]},
        {"embeddings": ["word=/srv/x.pt"]},
        {"hypernetworks": ["/srv/x.pt=0.5"]},
        {"prompt": "a fox <lora:/srv/x.safetensors:1>"},
        {"prompt": [{"text": "a fox <hypernet:/srv/x.pt:1>", "weight": 1}]},
    ],
)
def test_nothing_is_named_that_is_not_the_servers(values: dict[str, Any]) -> None:
    with pytest.raises(NotOfferedError, match="This server has no"):
        BOUNDS.prompt({"prompt": "a fox", **values})


@pytest.mark.parametrize("value", [5, ["storybook"], {"name": "storybook"}, True])
def test_a_model_is_named(value: Any) -> None:
    with pytest.raises(RefusedError, match="model is the name of a model"):
        BOUNDS.prompt({"prompt": "a fox", "model": value})


def test_a_caption_shows_what_the_request_says_and_nothing_of_the_servers() -> None:
    said = BOUNDS.prompt({"prompt": "a fox", "caption_text": "{prompt} {seed}"})
    assert said.caption_text == "{prompt} {seed}"
    for name in ("model", "vae", "init_image", "enhance", "nonsense"):
        with pytest.raises(RefusedError, match=f"caption_text may not show '{name}'"):
            BOUNDS.value("caption_text", f"by {{{name}}}")
    with pytest.raises(RefusedError, match="caption_text is text"):
        BOUNDS.value("caption_text", 5)


def test_values_are_checked_as_everywhere() -> None:
    with pytest.raises(BadOptionError, match="steps must be a whole number"):
        BOUNDS.prompt({"prompt": "a fox", "steps": "many"})


def test_a_request_asks_for_some_pictures() -> None:
    bounds = Bounds(OFFER, Limits(pictures=3))
    for count in (1, 3):
        bounds.require_pictures(count)
    for count in (0, 4):
        with pytest.raises(OverLimitError, match=f"1 to 3 pictures, not {count}"):
            bounds.require_pictures(count)
    prompts = [ImaginePrompt("a", best_of=3), ImaginePrompt("b")]
    assert pictures_of(prompts) == 4


def test_limits_are_checked() -> None:
    with pytest.raises(BadOptionError, match="waiting"):
        Limits(waiting=0)
    with pytest.raises(BadOptionError, match="seconds"):
        replace(Limits(), seconds=float("nan"))
