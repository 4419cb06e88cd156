"""What other tools write into pictures is read as they mean it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from imaginairy import ImaginePrompt, ImagineResult
from imaginairy.foreign_metadata import (
    SAMPLER_NAMES,
    ForeignRecord,
    emphasised,
    parse_parameters,
    read_foreign,
)
from imaginairy.metadata import read_written
from imaginairy.models.catalog import known_model
from imaginairy.samplers import SAMPLERS

TEXT = """a (red) fox, ((sharp)), [dull], (big:1.3), \\(plain\\)
by a lake
Negative prompt: blurry, (ugly)
text
Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 123, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Clip skip: 2, \
Lora hashes: "a: 1, b: 2", Version: v1.6.0"""


def parsed(settings: str, prompt: str = "a fox") -> ForeignRecord:
    record = parse_parameters(f"{prompt}\nSteps: 20, Seed: 1, {settings}")
    assert record is not None
    return record


def test_a_whole_text() -> None:
    record = parse_parameters(TEXT)
    assert record is not None
    assert record.fields == {
        "prompt": "a (red:1.1) fox, ((sharp:1.1):1.1), (dull:0.91), (big:1.3), "
        "\\(plain\\)\nby a lake",
        "negative_prompt": "blurry, (ugly:1.1)\ntext",
        "steps": 20,
        "sampler_type": "k_dpmpp_2m",
        "schedule": "karras",
        "prompt_strength": 7.0,
        "seed": 123,
        "width": 512,
        "height": 768,
    }
    assert record.model == "sd15"
    assert record.unknown == {"Clip skip": "2", "Lora hashes": "a: 1, b: 2"}
    assert not record.from_picture
    ImaginePrompt.from_dict(record.fields)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Euler a", "k_euler_a"),
        ("Euler", "k_euler"),
        ("DPM++ 2M", "k_dpmpp_2m"),
        ("DPM++ 2S a", "k_dpmpp_2s_a"),
        ("DPM2 a", "k_dpm_2_a"),
        ("LMS", "k_lms"),
        ("DDIM", "ddim"),
        ("plms", "plms"),
        ("k_dpmpp_3m_sde", "k_dpmpp_3m_sde"),
    ],
)
def test_samplers_by_their_other_names(name: str, ours: str) -> None:
    assert parsed(f"Sampler: {name}").fields["sampler_type"] == ours


def test_every_sampler_of_ours_can_be_meant() -> None:
    assert set(SAMPLER_NAMES.values()) == set(SAMPLERS)


def test_schedules_stand_with_the_sampler_or_alone() -> None:
    assert parsed("Sampler: LMS Karras").fields["schedule"] == "karras"
    record = parsed("Sampler: LMS, Schedule type: Karras")
    assert (record.fields["sampler_type"], record.fields["schedule"]) == (
        "k_lms",
        "karras",
    )
    assert "schedule" not in parsed("Sampler: LMS, Schedule type: Automatic").fields
    assert parsed("Schedule type: SGM Uniform").unknown == {
        "Schedule type": "SGM Uniform"
    }


def test_what_nothing_here_does_is_told() -> None:
    record = parsed("Sampler: UniPC, VAE: soft.pt, Size: large, CFG scale: high")
    assert record.unknown == {
        "Sampler": "UniPC",
        "VAE": "soft.pt",
        "Size": "large",
        "CFG scale": "high",
    }
    assert record.fields == {"prompt": "a fox", "steps": 20, "seed": 1}


def test_variations_tiles_and_eta() -> None:
    settings = "Variation seed: 5, Variation seed strength: 0.3, Tiling: True, Eta: 0.5"
    fields = parsed(settings).fields
    assert (fields["variation_seed"], fields["variation_strength"]) == (5, 0.3)
    assert (fields["tile_mode"], fields["eta"]) == ("xy", 0.5)


def test_a_picture_drawn_from_another() -> None:
    record = parsed("Denoising strength: 0.4")
    assert record.from_picture
    assert record.fields["init_image_strength"] == pytest.approx(0.6)
    enlarged = parsed("Denoising strength: 0.4, Hires upscale: 2")
    assert not enlarged.from_picture
    assert set(enlarged.unknown) == {"Denoising strength", "Hires upscale"}


@pytest.mark.parametrize(
    ("settings", "model"),
    [
        ("Model hash: 6CE0161689", "sd15"),
        ("Model: sd-v1-4", "sd14"),
        ("Model: storybook, Model hash: 0123456789", "storybook"),
        ("Model: dream_8, Model hash: 0123456789", None),
        ("Size: 64x64", None),
    ],
)
def test_models_by_hash_or_name(settings: str, model: str | None) -> None:
    assert parsed(settings).model == model


@pytest.mark.parametrize(
    "text", ["", "a fox", "a fox\nSteps are many", "{}", '{"prompt": "a"}', "\n\n"]
)
def test_other_texts_are_none(text: str) -> None:
    assert parse_parameters(text) is None


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("(a) [b]", "(a:1.1) (b:0.91)"),
        ("(a (b) c)", "(a (b:1.1) c:1.1)"),
        ("(a:1.2) ((b:2))", "(a:1.2) ((b:2):1.1)"),
        ("[a:b:10] [a|b]", "[a:b:10] [a|b]"),
        ("(a] b) (c", "(a] b:1.1) (c"),
        (r"\(a\) \[b\]", r"\(a\) \[b\]"),
    ],
)
def test_brackets_without_a_number(theirs: str, ours: str) -> None:
    assert emphasised(theirs) == ours


@given(st.text("ab()[]:\\|1."), st.text())
def test_any_text_can_be_read(prompt: str, rest: str) -> None:
    emphasised(prompt)
    parse_parameters(f"{prompt}\n{rest}")
    parse_parameters(f"{prompt}\nSteps: 1, Seed: 2, {rest}")


def test_a_png_and_a_jpg_say_it(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8))
    info = PngInfo()
    info.add_text("parameters", TEXT)
    image.save(tmp_path / "a.png", pnginfo=info)
    exif = Image.Exif()
    comment = b"UNICODE\0" + TEXT.encode("utf-16-be")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    image.save(tmp_path / "a.jpg", exif=exif)
    image.save(tmp_path / "b.jpg")
    png, jpg, none = (
        read_foreign(read_written(tmp_path / name))
        for name in ("a.png", "a.jpg", "b.jpg")
    )
    assert png == jpg == parse_parameters(TEXT)
    assert none is None


def test_ours_is_read_back_from_what_others_read(tmp_path: Path) -> None:
    spec = known_model("storybook")
    prompt = ImaginePrompt(
        "a (fox) by [a] lake", negative_prompt="(blur)", seed=4, sampler_type="k_heun"
    ).filled(spec)
    result = ImagineResult(
        prompt=prompt,
        images={"generated": Image.fromarray(np.zeros((8, 8, 3), np.uint8))},
        model_hash=lambda: "ab" * 32,
    )
    written = read_written(result.save(tmp_path / "fox.png"))
    record = parse_parameters(written.parameters)
    assert record is not None
    again = ImaginePrompt.from_dict({**record.fields, "model": record.model})
    assert again.filled(spec) == prompt
    assert record.unknown == {}
