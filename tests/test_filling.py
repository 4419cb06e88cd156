"""What a prompt leaves open is filled in from its model, its picture and each other."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore
from imaginairy.errors import BadOptionError
from imaginairy.order import beyond_edges, filled, sizes_of
from imaginairy.settling import suited_models, tell_what_is_passed_over
from imaginairy.sizes import parse_size
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import ModelRow
from imaginairy.stand_ins import suited

SD15, STORYBOOK = known(DRAWS, "sd15"), known(DRAWS, "storybook")
WIDE = Image.new("RGB", (64, 32), "teal")
ALL_ASKED: dict[str, Any] = {
    "fix_faces": True,
    "caption": True,
    "best_of": 2,
    "upscale": True,
    "init_image": WIDE,
    "mask_prompt": "fox",
}
COMPANIONS = {
    "mask_model": ("clipseg", "storybook-clipseg"),
    "upscaler": ("realesrgan-x4plus", "storybook-upscaler"),
    "fix_faces_model": ("codeformer", "storybook-codeformer"),
    "fix_faces_detector": ("yunet", "storybook-faces"),
    "caption_model": ("blip-base", "storybook-blip"),
    "similarity_model": ("clip-vit-large", "storybook-clip"),
}
"""What goes with a published model's pictures, and with the bundled one's."""


@pytest.mark.parametrize("number", [0, 1], ids=["published", "bundled"])
def test_models_beside_the_one_that_draws_go_with_it(number: int) -> None:
    spec = (SD15, STORYBOOK)[number]
    whole = filled(ImaginePrompt("a", **ALL_ASKED), spec)
    names = {field: getattr(whole, field) for field in COMPANIONS}
    assert names == {field: both[number] for field, both in COMPANIONS.items()}
    assert whole.fix_faces_fidelity == 0.2
    plain = filled(ImaginePrompt("a", upscale=False), spec)
    assert {getattr(plain, field) for field in COMPANIONS} == {None}
    assert plain.fix_faces_fidelity is None


def test_what_was_named_stays() -> None:
    own = dict.fromkeys(COMPANIONS, "mine")
    given = {**ALL_ASKED, **own, "fix_faces_fidelity": 0.0, "steps": 9, "seed": 4,
             "prompt_strength": 0.0, "sampler_type": "ddim"}  # fmt: skip
    whole = filled(ImaginePrompt("a", **given), SD15)
    assert {name: getattr(whole, name) for name in given} == given
    assert whole.model == "sd15"


@pytest.mark.parametrize("spec", [SD15, STORYBOOK], ids=["sd15", "storybook"])
def test_steps_guidance_and_sampler_are_the_models(spec: ModelRow) -> None:
    whole = filled(ImaginePrompt("a"), spec, clip_skip=2)
    assert whole.steps == spec.defaults.steps
    assert whole.prompt_strength == spec.defaults.prompt_strength
    assert whole.sampler_type == spec.defaults.sampler
    assert whole.clip_skip == 2
    assert filled(ImaginePrompt("a", clip_skip=1), spec, clip_skip=2).clip_skip == 1


@pytest.mark.parametrize(
    ("options", "spec", "upscale", "size"),
    [
        ({}, SD15, False, (512, 512)),
        ({"width": 768}, SD15, False, (768, 512)),
        ({"draw_size": "256x384"}, SD15, False, (256, 384)),
        ({"upscale": True}, SD15, True, (None, None)),
        ({"outpaint": "all8", "init_image": WIDE}, SD15, False, (None, None)),
        ({}, STORYBOOK, True, (None, None)),
        ({"upscale": False}, STORYBOOK, False, (128, 128)),
        ({"width": 128, "height": 128}, STORYBOOK, False, (128, 128)),
        ({"width": 136, "height": 128}, STORYBOOK, True, (136, 128)),
        ({"width": 136}, STORYBOOK, True, (136, None)),
        ({"height": 120}, STORYBOOK, False, (128, 120)),
        ({"width": 256, "height": 64}, STORYBOOK, False, (256, 64)),
        ({"draw_size": "64x64", "width": 72}, STORYBOOK, True, (72, None)),
    ],
)
def test_size_and_whether_it_is_enlarged(
    options: dict[str, Any],
    spec: ModelRow,
    upscale: bool,
    size: tuple[int | None, int | None],
) -> None:
    whole = filled(ImaginePrompt("a", **options), spec)
    assert whole.upscale is upscale
    assert (whole.width, whole.height) == size
    assert (whole.upscaler is not None) == upscale


@pytest.mark.parametrize(
    ("options", "spec", "scale", "saved", "drawn", "said"),
    [
        ({}, SD15, 1, (512, 512), "512x512", ""),
        ({}, SD15, 4, (2048, 2048), "512x512", ""),
        ({"width": 768}, SD15, 1, (768, 512), "768x512", ""),
        (
            {"width": 1024, "height": 1024}, SD15, 1, (1024, 1024), "512x512",
            "sd15 was made for 512x512: drawn at 512x512 and enlarged to 1024x1024 by "
            "a plain filter; --upscale does that sharper.",
        ),
        (
            {"width": 512, "height": 512}, SD15, 4, (512, 512), "512x512",
            "drawn at 512x512, the size that was asked for: what the upscaler makes is "
            "reduced to it; leave the size out for 2048x2048.",
        ),
        (
            {"width": 256, "height": 248}, SD15, 1, (256, 248), "256x248",
            "sd15 was made for 512x512; expect little of 256x248.",
        ),
        ({"width": 256, "height": 256}, SD15, 1, (256, 256), "256x256", ""),
        ({"width": 1024, "height": 1024, "init_image": WIDE}, SD15, 1, (1024, 1024),
         "1024x1024", ""),
        ({"draw_size": "64x64"}, SD15, 4, (256, 256), "64x64", ""),
        ({"draw_size": "64x72", "width": 512}, SD15, 1, (512, 72), "64x72", ""),
        ({"init_image": WIDE, "outpaint": "left64"}, SD15, 1, (128, 64), "128x64",
         "sd15 was made for 512x512; expect little of 128x64."),
        ({"init_image": WIDE, "outpaint": "down32"}, SD15, 1, (64, 128), "64x128",
         "sd15 was made for 512x512; expect little of 64x128."),
    ],
)  # fmt: skip
def test_at_which_size_it_is_drawn_and_saved(
    options: dict[str, Any], spec: ModelRow, scale: int, saved: tuple[int, int],
    drawn: str, said: str, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    sizes = sizes_of(ImaginePrompt("a", **options), spec, scale)
    assert sizes == (parse_size(drawn), saved)
    assert "\n".join(caplog.messages) == said
    level = logging.WARNING if "expect little" in said else logging.INFO
    assert {record.levelno for record in caplog.records} <= {level}


def test_room_beyond_the_edges_is_for_a_picture_as_it_is_seen() -> None:
    turned = Image.new("RGB", (64, 128))
    turned.getexif()[0x0112] = 6  # lies on its side
    prompt = ImaginePrompt("a", init_image=turned, outpaint="left64")
    assert beyond_edges(prompt, (512, 512)) == (192, 64)
    assert beyond_edges(replace(prompt, outpaint=None), (512, 256)) == (512, 256)


# Models that suit a picture which is not of the bundled model's world


@pytest.fixture(scope="module")
def offline() -> ModelStore:
    return ModelStore("cpu")


def chosen(spec: ModelRow, store: ModelStore, **options: Any) -> dict[str, Any]:
    prompt = ImaginePrompt("a", **options)
    return suited_models(prompt, filled(prompt, spec), spec, store)


def test_what_is_drawn_of_a_foreign_picture_is_enlarged_by_a_filter(
    offline: ModelStore,
) -> None:
    photo = Image.effect_noise((64, 64), 80).convert("RGB")
    home = Image.new("RGB", (64, 64), "white")
    filtered = {"upscaler": "lanczos"}
    assert chosen(STORYBOOK, offline, upscale=True) == {}
    assert chosen(STORYBOOK, offline, upscale=True, init_image=photo) == filtered
    assert chosen(SD15, offline, upscale=True) == filtered
    assert chosen(SD15, offline, upscale=False) == {}
    assert chosen(SD15, offline, upscaler="storybook-upscaler") == {}
    assert chosen(SD15, offline, upscale=True, init_image=home) == filtered


def test_a_named_model_is_taken_whatever_the_picture(offline: ModelStore) -> None:
    for name in ("storybook-clip", "me/mine"):
        assert suited(offline, "similarity", name, None) == name


def test_what_is_passed_over_is_said_once_for_each_text(
    offline: ModelStore, store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = store.get("storybook")

    def said(text: str, **options: Any) -> list[str]:
        caplog.clear()
        prompt = ImaginePrompt(text, **{"prompt_strength": 3, **options})
        tell_what_is_passed_over(prompt, loaded, offline)
        return caplog.messages

    lora = "The prompt has syntax of other tools that does nothing here: left out "
    assert said("a dog withLora(q)") == [f"{lora}withLora(q)."]
    assert said("a dog withLora(q)") == []
    assert said("a cat withLora(q)") == [], "said of another prompt too"
    avoided = {"negative_prompt": "<lora:r:1>"}
    assert said("a dog", prompt_strength=1, **avoided) == []
    assert said("a dog", **avoided) == [f"{lora}<lora:r:1>."]
    unknown = "storybook does not know: "
    assert said("a zxqv dog") == [f"{unknown}zxqv"]
    assert said("a zxqv dog") == []
    assert said("a zxqv cat") == [f"{unknown}zxqv"], "another picture"


# What a file says


def test_what_a_file_says_makes_the_same_prompt() -> None:
    prompt = ImaginePrompt(
        [("a", 2), "b"], seed=1, enhance=(), tile_mode="x", mask_mode="keep"
    )
    said = prompt.to_dict()
    assert said["prompt"] == [{"text": "a", "weight": 2}, {"text": "b", "weight": 1}]
    assert said["enhance"] == [] and "conditioning" not in said
    assert ImaginePrompt.from_dict({**said, "software": "x", "setps": 3}) == prompt


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "There is no prompt in it; say what to draw."),
        ([], "There is no prompt in it; say what to draw."),
        (
            {"prompt": "a", "conditioning": "sha256:0"},
            "drawn from ready-made embeddings, which are not recorded",
        ),
        *(
            (ImaginePrompt("a", init_image=WIDE, **more).to_dict(), f"The {name} was")
            for name, more in (("init_image", {}), ("init_image", {"mask_image": WIDE}))
        ),
        (
            {"prompt": "a", "init_image": None, "mask_image": "sha256:00"},
            "The mask_image was a picture in memory and is not recorded",
        ),
    ],
)
def test_what_no_prompt_can_be_made_of(said: Any, words: str) -> None:
    with pytest.raises(BadOptionError) as refused:
        ImaginePrompt.from_dict(said)
    assert words in str(refused.value)


def test_pictures_in_memory_are_told_apart() -> None:
    sources = [
        ImaginePrompt("a", init_image=Image.new("RGB", (8, 8), colour)).to_dict()
        for colour in ("red", "red", "blue")
    ]
    first, second, third = (each["init_image"] for each in sources)
    assert first == second != third
    assert first.startswith("sha256:") and len(first) == len("sha256:") + 64
