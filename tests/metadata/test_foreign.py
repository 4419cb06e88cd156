"""What other tools write into pictures is read as they mean it."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from imaginairy import ImaginePrompt, ImagineResult
from imaginairy.metadata.foreign import (
    ForeignRecord,
    emphasised,
    parse_parameters,
    read_foreign,
)
from imaginairy.metadata.foreign_settings import read_settings
from imaginairy.metadata.read import read_written
from imaginairy.order import filled
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS

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


def test_what_nothing_here_does_is_told() -> None:
    record = parsed("Sampler: Restart, VAE: soft.pt, Size: large, CFG scale: high")
    assert record.unknown == {
        "Sampler": "Restart",
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
        ("v1.5/a+b-c d", "x"),
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
    both = 'Model hash: 6ce0161689, Hashes: {"model": "0a1b"}'
    assert parsed(both).model == "sd15"
    for nothing in ("[1]", "[" * 100_000):
        record = parsed(f"CFG scale: 7, Hashes: {nothing}")
        assert record.unknown == {"Hashes": nothing}


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
        ("(a:-1) (b: +2 )", "(a:-1) (b: +2 )"),
    ],
)
def test_brackets_without_a_number(theirs: str, ours: str) -> None:
    assert emphasised(theirs) == ours


@given(st.text("ab()[]:\\|1."), st.text())
def test_any_text_can_be_read(prompt: str, rest: str) -> None:
    plain = emphasised(prompt)
    assert re.sub(r":1\.1(?=\))|:0\.91", "", plain).translate(ROUND) == re.sub(
        r":1\.1(?=\))", "", prompt
    ).translate(ROUND), "only weights come in, and brackets become round"
    parse_parameters(f"{prompt}\n{rest}")
    record = parse_parameters(f"{prompt}\nSteps: 1, Seed: 2, CFG scale: 3\n{rest}")
    assert record is None or record.fields["steps"] is not None
    assert all(map(str.strip, read_settings(f"{prompt}:{rest}, a: {{{prompt}")))


ROUND = str.maketrans("[]", "()")


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
    spec = known(DRAWS, "storybook")
    prompt = filled(
        ImaginePrompt(
            "a (fox) by [a] lake",
            negative_prompt="(blur)",
            seed=4,
            sampler_type="k_heun",
            refiner="storybook@0.7",
        ),
        spec,
    )
    result = ImagineResult(
        prompt=prompt,
        images={"generated": Image.fromarray(np.zeros((8, 8, 3), np.uint8))},
        model_hash=lambda: "ab" * 32,
        refiner_hash=lambda: "cd" * 32,
    )
    written = read_written(result.save(tmp_path / "fox.png"))
    assert "Refiner: storybook [cdcdcdcdcd], Refiner switch at: 0.7" in (
        written.parameters
    )
    record = parse_parameters(written.parameters)
    assert record is not None
    again = ImaginePrompt.from_dict({**record.fields, "model": record.model})
    assert filled(again, spec) == prompt
    assert record.unknown == {}


def test_what_has_no_part_in_the_picture_is_passed_over() -> None:
    record = parsed(
        "CFG scale: 7, Version: v1, RNG: CPU, User: me, Civitai metadata: {}, Created "
        "Date: 2024-05-05, Postprocess upscale by: 2, Model: a, Model hash: b"
    )
    assert record.unknown == {}
    named = parsed("CFG scale: 7, VAE: sdxl-vae-fp16-fix.safetensors, VAE hash: ab")
    assert (named.fields["vae"], named.unknown) == ("sdxl-vae-fp16-fix", {})
    others = {"Civitai metadata": '{"a": 1}', "VAE hash": "ab", "ENSD": "31337"}
    said = ", ".join(f"{name}: {value}" for name, value in others.items())
    assert parsed(said).unknown == others


@pytest.mark.parametrize(
    ("setting", "fields"),
    [
        ("Model: x, Steps: 3", {"steps": 3}),
        ("CFG scale: 4.5", {"prompt_strength": 4.5}),
        ("CFG_scale: 4.5", {"prompt_strength": 4.5}),
        ("Model: x, Seed: 9", {"seed": 9}),
        ("Eta: 0.5", {"eta": 0.5}),
        ("Clip skip: 2", {"clip_skip": 2}),
        ("Variation seed: 5", {"variation_seed": 5}),
        ("Variation seed strength: 0.3", {"variation_strength": 0.3}),
        ("Size: 64x72", {"width": 64, "height": 72}),
        ("size: 64 \xd7 72", {"width": 64, "height": 72}),
        ("Tiling: True", {"tile_mode": "xy"}),
        ("Tiling: False", {"tile_mode": ""}),
    ],
)
def test_each_setting_becomes_its_field(setting: str, fields: dict[str, Any]) -> None:
    usual = {"prompt": "a fox", "steps": 20, "seed": 1}
    found = parsed(setting).fields
    assert found == {**usual, **fields}
    assert [type(found[name]) for name in fields] == [*map(type, fields.values())]


@pytest.mark.parametrize(
    "setting",
    ["CFG scale: inf", "CFG scale: nan", "Clip skip: 2.5", "Eta: ?", "Size: 64"],
)
def test_numbers_that_are_none_are_told(setting: str) -> None:
    name, value = setting.split(": ")
    assert parsed(setting).unknown == {name: value}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a\nSteps: 2, Seed: 1", False),
        ("a\nSteps: 2, Seed: 1, Model: x", True),
        ("Steps: 2, Seed: 1, Model: x", True),
        ("a\nSeed: 1, CFG scale: 2, Steps: 2", True),
        ("a\nSeed: 1, CFG scale: 2, Sampler: Euler", False),
        ("a\nSteps: 2, Seed: 1, Model: x\nSize: 8x8", True),
        ("a\r\nSteps: 2, Seed: 1, Model: x\r\n\r\n", True),
    ],
)
def test_a_line_of_settings_has_three_of_them_and_the_steps(
    text: str, is_one: bool
) -> None:
    assert (parse_parameters(text) is not None) == is_one


def test_the_last_of_several_lines_that_look_so_is_the_settings() -> None:
    record = parse_parameters("Steps: 3 of a stair\nSteps: 2, Seed: 1, Model: x,\nA: b")
    assert record is not None
    assert record.fields["prompt"] == "Steps: 3 of a stair"
    assert record.unknown == {"A": "b"}


@pytest.mark.parametrize(
    ("lines", "prompt", "negative"),
    [
        (["a", "Negative prompt: b"], "a", "b"),
        (["a", "", "NEGATIVE PROMPT:b", "", "c "], "a", "b\n\nc"),
        (["Negative prompt: b"], "", "b"),
        (["a, Negative prompt: b"], "a, Negative prompt: b", None),
        (["a", "Negative prompt:"], "a", None),
        (["a", "Negative prompt: b", "Negative prompt: c"], "a",
         "b\nNegative prompt: c"),
    ],
)  # fmt: skip
def test_prompts_of_several_lines(
    lines: list[str], prompt: str, negative: str | None
) -> None:
    fields = parsed("Model: x", "\n".join(lines)).fields
    assert (fields["prompt"], fields.get("negative_prompt")) == (prompt, negative)


def test_emphasis_is_written_out_but_in_our_own_texts() -> None:
    assert parsed("Version: v1.6", "(a)").fields["prompt"] == "(a:1.1)"
    assert parsed("Version: imaginairy 0.1", "(a)").fields["prompt"] == "(a)"


def test_a_strength_that_cannot_be_read_leaves_the_usual_one() -> None:
    record = parsed("Denoising strength: much")
    assert record.from_picture and "init_image_strength" not in record.fields
    assert record.unknown == {}


def test_models_in_words_and_what_names_none() -> None:
    record = parsed("Model: dream, Model hash: 0123ABCD")
    assert record.model_described == "'dream', hash 0123abcd"
    assert parsed('CFG scale: 1, Hashes: {"vae": "ab"}').model_described == ""
    assert parsed("Model: sd-1.4").model == "sd14", "by another of its names"
    assert parsed("Model hash: 6ce0161689aa").model is None


def test_what_was_done_since_is_read_from_several_settings() -> None:
    ours = json.dumps(json.dumps([{"done": "mask"}]))
    theirs = "Postprocess upscale by: 2"
    assert parsed(f"{theirs}, Postprocess: {ours}").afterwards == (
        {"done": "upscale", "model": None, "scale": "2"},
        {"done": "mask"},
    )
    assert parsed("Postprocess: 3, Model: x").afterwards == ()
    assert parsed("Postprocess: none, Model: x").afterwards == ()


def test_lines_that_end_as_on_windows() -> None:
    record = parse_parameters("a\r\nfox\r\nSteps: 2, Seed: 1, Model: x\r\n")
    assert record is not None
    assert record.fields["prompt"] == "a\nfox"


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ('" x, y "', "x, y"),
        ('"a\nb"', "a\nb"),
        ("x\nwords of another line", "x"),
        ("x, and what belongs to it", "x, and what belongs to it"),
    ],
)
def test_where_a_value_ends(said: str, value: str) -> None:
    assert read_settings(f"Steps: 2, Note: {said}") == {"Steps": "2", "Note": value}


def test_steps_afterwards_that_are_no_list_are_passed_over() -> None:
    for nothing in ("[" * 100_000, '{"done": "upscale"}', "7"):
        assert parsed(f"CFG scale: 7, Postprocess: {nothing}").afterwards == ()
