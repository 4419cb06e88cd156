"""Whatever numbers and texts are made up, only errors of ours come of them."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import imaginairy
from imaginairy import (
    ImaginePrompt,
    ImagineResult,
    LazyLoadingImage,
    WeightedPrompt,
    checks,
    sizes,
)
from imaginairy.cli.aimg import aimg
from imaginairy.cli.size import parse_size
from imaginairy.device import choose_device, choose_dtype
from imaginairy.errors import BadImageError, BadOptionError
from imaginairy.masks.language import parse_mask_prompt
from imaginairy.metadata.foreign import parse_parameters
from imaginairy.prompt_language import parse_prompt, parse_text
from imaginairy.prompt_syntax import read_text
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import ROLES
from imaginairy.sweeps import parse_schedule, swept
from tests.support.examples import examples
from tests.support.made_up import ODD_NUMBERS, TEXTS, VALUES, Made, said_in_words

FIELDS = tuple(each.name for each in fields(ImaginePrompt))
DRAWN = ImagineResult(
    ImaginePrompt("a fox", seed=1), {"generated": Image.new("RGB", (8, 8))}, lambda: ""
)


def named(check: Callable[[str, Any], Any]) -> Callable[[Any], Any]:
    return lambda value: check("it", value)


READERS: dict[str, Callable[[str], Any]] = {
    "a schedule": lambda text: [*swept("a", {}, [parse_schedule(text)])],
    "a schedule of a field": lambda text: parse_schedule(f"steps[{text}]"),
    "a schedule of an opposite": lambda text: parse_schedule(
        f"denoising-strength[{text}]"
    ),
    "a size": parse_size,
    "a size in pixels": sizes.parse_size,
    "a prompt": parse_prompt,
    "a text": parse_text,
    "another tool's syntax": read_text,
    "a mask prompt": parse_mask_prompt,
    "another tool's picture": parse_parameters,
    "settings of another tool": lambda text: parse_parameters(
        f"a\nSteps: {text}, Size: {text}, Seed: {text}, CFG scale: {text}"
    ),
    "a refiner": checks.parse_refiner,
    "a sampler": named(checks.sampler),
    "a device": choose_device,
    "a CUDA device": lambda text: choose_device(f"cuda:{text}"),
    **{f"a {role}": lambda text, r=role: locate(r, text) for role in ROLES},
}
CHECKS: dict[str, Callable[[Any], Any]] = {
    "outpaint": checks.parse_margins,
    "guidance_interval": checks.parse_interval,
    "apg": named(checks.projection),
    "dynamic_threshold": checks.parse_threshold,
    "crop": sizes.parse_crop,
    "draw_size": named(sizes.drawable),
    "target_size": named(sizes.tellable),
    "a weight": lambda value: WeightedPrompt("a", value),
    "weights": lambda value: ImaginePrompt([("a", 1.5), ("b", value), ("c", value)]),
    "a source": LazyLoadingImage.of,
    "a file": lambda value: LazyLoadingImage(filepath=value),
    "an address": lambda value: LazyLoadingImage(url=value),
    "a picture": ImaginePrompt.from_file,
    "a device": choose_device,
    "a precision": lambda value: choose_dtype(choose_device("cpu"), value),
    "a kind of image": DRAWN.image,
    "a format": lambda value: imaginairy.imagine_image_files(
        3, "out", output_file_extension=value  # type: ignore[arg-type]
    ),
}  # fmt: skip


@examples(13)
@given(st.sampled_from(FIELDS), VALUES)
def test_the_fields_of_a_prompt(field: str, made: Made) -> None:
    value = made.value
    prompt = said_in_words(lambda: ImaginePrompt(**{"prompt": "a", field: value}))
    if prompt is not None and field not in ("init_image", "mask_image"):
        assert ImaginePrompt.from_dict(prompt.to_dict()) == prompt
    said_in_words(lambda: ImaginePrompt.from_dict({"prompt": "a", field: value}))


@pytest.mark.parametrize("field", FIELDS)
def test_odd_numbers_in_every_field(field: str) -> None:
    for number in ODD_NUMBERS:
        said_in_words(lambda n=number: ImaginePrompt(**{"prompt": "a", field: n}))


@pytest.mark.parametrize("reader", READERS)
@given(text=TEXTS)
def test_what_is_read_from_texts(reader: str, text: str) -> None:
    said_in_words(lambda: READERS[reader](text))


@pytest.mark.parametrize("check", CHECKS)
@given(made=VALUES)
def test_what_takes_values_of_any_kind(check: str, made: Made) -> None:
    said_in_words(lambda: CHECKS[check](made.value))


@pytest.mark.parametrize("check", CHECKS)
def test_odd_numbers_everywhere(check: str) -> None:
    for number in ODD_NUMBERS:
        said_in_words(lambda n=number: CHECKS[check](n))


def test_weights_that_add_up_to_more_than_any_number() -> None:
    for weights in ((1e308, 1e308), (10**308, 10**308, 1.5)):
        with pytest.raises(BadOptionError, match="more than any number; give smaller"):
            ImaginePrompt([("a fox", weight) for weight in weights])
    with pytest.raises(BadOptionError, match="make the sum positive"):
        ImaginePrompt([("a fox", -(10**308)), ("a bowl", -(10**307))])


def test_numbers_beyond_all_floats_in_another_tools_picture() -> None:
    said = (
        f"a fox\nSteps: {'9' * 400}, Seed: {'8' * 5000}, Size: {'7' * 5000}x8, Eta: 1"
    )
    record = parse_parameters(said)
    assert record is not None
    assert record.fields["prompt"] == "a fox" and record.fields["eta"] == 1
    assert not {"steps", "seed", "width", "height"} & record.fields.keys()


@pytest.mark.parametrize("name", ["a\ud800.png", "\udcff\ud800/a.jpg"])
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadOptionError, match="is no path: it holds a character that"):
        DRAWN.save(tmp_path / name)
    for read in (ImaginePrompt.from_file, lambda n: ImaginePrompt("a", init_image=n)):
        with pytest.raises((BadImageError, BadOptionError)):
            read(name)
    with pytest.raises(BadImageError, match="No file can have the name"):
        ImaginePrompt.from_file("a\0b.png")


@pytest.mark.parametrize(
    "options",
    [
        ("--seed", "9" * 5000),
        ("--seed", "9" * 400),
        ("--steps", "1e400"),
        ("--width", "8" * 400),
        ("--size", "8" * 5000),
        ("--size", f"{'8' * 400}x64"),
        ("--prompt-strength", "1e999"),
        ("--repeats", "9" * 5000),
        ("--arg-schedule", "steps[1:inf:1]"),
        ("--arg-schedule", f"seed[1:{'9' * 5000}:1]"),
        ("--arg-schedule", "prompt_strength[1:2:1e-99]"),
        ("--outpaint", "up" + "9" * 5000),
        ("--model", "~nobody-of-that-name/x.safetensors"),
        ("--init-image", "~nobody-of-that-name/x.png"),
    ],
    ids=lambda options: " ".join(options)[:40],
)
def test_options_are_refused_in_words(options: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(aimg, ["imagine", "a fox", *options])
    assert ran.exit_code == 2, ran.exception
    assert "Error: " in ran.stderr and "Traceback" not in ran.stderr


def test_json_that_is_nested_without_end(tmp_path: Path) -> None:
    lines = tmp_path / "prompts.jsonl"
    for line in (
        '{"prompt": ' + "[" * 100_000,
        f'{{"prompt": "a", "seed": {"9" * 5000}}}',
    ):
        lines.write_text(line)
        ran = CliRunner().invoke(aimg, ["imagine", "--prompts-file", str(lines)])
        assert ran.exit_code == 2
        assert f"Line 1 of '{lines}' is not JSON" in ran.stderr
