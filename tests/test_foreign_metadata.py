"""What other tools write into pictures is read as they mean it."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from imaginairy import ImaginePrompt, ImagineResult
from imaginairy.foreign_metadata import (
    ForeignRecord,
    emphasised,
    parse_parameters,
    read_foreign,
)
from imaginairy.foreign_samplers import SAMPLER_NAMES, read_pair
from imaginairy.foreign_settings import read_settings
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
        "clip_skip": 2,
    }
    assert record.model == "sd15"
    assert record.unknown == {"Lora hashes": "a: 1, b: 2"}
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


@pytest.mark.parametrize(
    ("said", "sampler", "schedule"),
    [
        ("Sampler: DPM++ 2M SDE, Schedule type: Karras", "k_dpmpp_2m_sde", "karras"),
        ("Sampler: dpmpp_2m, Schedule type: karras", "k_dpmpp_2m", "karras"),
        (
            "Sampler: dpmpp_2m_sde_gpu, Schedule type: normal",
            "k_dpmpp_2m_sde",
            "normal",
        ),
        ("Sampler: dpm_2_ancestral_karras", "k_dpm_2_a", "karras"),
        ("Sampler: DPM++ 3M SDE, Schedule type: Uniform", "k_dpmpp_3m_sde", "normal"),
        ("Sampler: DPM++ 3M SDE", "k_dpmpp_3m_sde", "normal"),
        ("Sampler: DPM++ 2M, Schedule type: Automatic", "k_dpmpp_2m", "karras"),
        ("Sampler: euler_ancestral", "k_euler_a", None),
        ("Sampler: k_dpmpp_2s_a_ka", "k_dpmpp_2s_a", "karras"),
        ("Sampler: lcm, Schedule type: Automatic", "k_lcm", None),
    ],
)
def test_pairs_of_sampler_and_schedule(
    said: str, sampler: str, schedule: str | None
) -> None:
    record = parsed(said)
    assert record.fields["sampler_type"] == sampler
    assert record.fields.get("schedule") == schedule
    assert (record.unknown, record.note) == ({}, "")


@pytest.mark.parametrize(
    ("pair", "sampler", "unknown", "note"),
    [
        (("UniPC", "Karras"), None, {"Sampler", "Schedule type"}, ""),
        (("Restart", ""), None, {"Sampler"}, ""),
        (("DPM++ 2M SDE Heun", "Exponential"), None, {"Sampler", "Schedule type"}, ""),
        (("heunpp2", "automatic"), None, {"Sampler"}, ""),
        (("Euler", "SGM Uniform"), "k_euler", {"Schedule type"}, ""),
        (("DPM++ 3M SDE Exponential", ""), "k_dpmpp_3m_sde", {"Schedule type"}, ""),
        (("DPM++ 2M SDE", "Automatic"), "k_dpmpp_2m_sde", {"Schedule type"}, ""),
        (("DDIM", "Karras"), "ddim", set(), "which the sampler 'ddim' cannot use"),
        (("DPM fast Karras", ""), "k_dpm_fast", set(), "'k_dpm_fast' cannot use"),
        (("", "Karras"), None, set(), "as its sampler is not named"),
    ],
)
def test_what_is_not_here_of_a_pair_is_left_out(
    pair: tuple[str, str], sampler: str | None, unknown: set[str], note: str
) -> None:
    found = read_pair(*pair)
    assert (found.sampler, found.schedule) == (sampler, None)
    assert set(found.unknown) == unknown
    assert note in found.note and bool(note) == bool(found.note)


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (
            "Hashes",
            '{"model": "0a1b", "lora:x, y": "2c", "Seed: 9": ["Steps: 3, a", 1]}',
        ),
        (
            "Civitai resources",
            '[{"type":"lora","modelName":"A, Seed: 9","a":1},{"b":"Size: 9x9"}]',
        ),
        ("Hashes", "{'model': 'Seed: 9, Size: 9x9', \"a\": [1, 2]}"),
        ("Civitai metadata", "{}"),
        ("Lora hashes", '"a: Seed, b: 9, Seed: 9"'),
        ("Hires prompt", '"a \\"fox\\", Seed: 9,\\nSize: 9x9"'),
        ("Wildcard", "a fox, a bowl, a [b, c"),
        ("Model", "[my] mix (v2, fp16)"),
        ("Note", "{a bowl"),
    ],
)
def test_a_value_does_not_spill_into_other_settings(name: str, value: str) -> None:
    given = f"{name}: {value}, CFG scale: 4, Size: 64x72"
    settings = read_settings(f"Steps: 20, Seed: 1, {given}")
    assert [*settings] == ["Steps", "Seed", name, "CFG scale", "Size"]
    bare = json.loads(value).strip() if value[0] == '"' else value
    assert settings[name] == bare
    fields = parsed(given).fields
    assert (fields["seed"], fields["prompt_strength"], fields["height"]) == (1, 4.0, 72)


def test_hashes_name_the_model_and_what_else_had_a_part() -> None:
    record = parsed('CFG scale: 7, Hashes: {"model": "6CE0161689"}')
    assert (record.model, record.unknown) == ("sd15", {})
    others = '{"model": "6ce0161689", "lora:soft": "ab"}'
    record = parsed(f"CFG scale: 7, Hashes: {others}")
    assert (record.model, record.unknown) == ("sd15", {"Hashes": others})
    assert parsed("CFG scale: 7, Hashes: [1]").unknown == {"Hashes": "[1]"}


def test_json_that_is_cut_off_takes_the_rest() -> None:
    settings = read_settings('Steps: 2, Hashes: {"model": "a", "Seed: 9, Size: 9x9')
    assert settings == {"Steps": "2", "Hashes": '{"model": "a", "Seed: 9, Size: 9x9'}


def test_settings_may_stand_on_several_lines() -> None:
    record = parse_parameters(
        "a fox\nnegative prompt: dog\nSteps: 24, Sampler: Euler a, CFG Scale: 3.5,\n"
        'Seed: 1, size: 832 x 1216, Model: x,\n  Lora hashes: "a: 1, b: 2",\n  RNG: CPU'
    )
    assert record is not None
    assert record.fields == {
        "prompt": "a fox", "negative_prompt": "dog", "steps": 24, "seed": 1,
        "sampler_type": "k_euler_a", "prompt_strength": 3.5, "width": 832,
        "height": 1216,
    }  # fmt: skip
    assert record.unknown == {"Lora hashes": "a: 1, b: 2"}


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
    read_settings(f"{prompt}:{rest}, a: {{{prompt}")


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
