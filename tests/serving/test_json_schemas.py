"""What a request may say is told as it is checked."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from imaginairy import ImaginePrompt
from imaginairy.errors import BadOptionError
from imaginairy.fields import options
from imaginairy.serving.json_schemas import fields_schema, said_in_form

SCHEMAS = fields_schema(ImaginePrompt)
VALUES: tuple[Any, ...] = (
    *(0, 1, 2, 0.5, 1.5, -1, 101, 8192, 8193, 100, 1000, 1001, 64, 63, 72, 512, 300),
    *("", "x", "xy", "k_lms", "0.2:0.8", "fast", "zeros", "keep", "v", "0.995:7"),
    *(True, False, [], ["a"]),
)


def test_every_field_has_a_schema_that_is_one() -> None:
    for name, schema in SCHEMAS.items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("description") or name == "conditioning"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_check_takes_nothing_that_its_schema_refuses(name: str) -> None:
    row, schema = options(ImaginePrompt)[name], Draft202012Validator(SCHEMAS[name])
    for value in VALUES:
        try:
            row.check(name, value)
        except (BadOptionError, OSError):
            continue
        assert schema.is_valid(value), (value, SCHEMAS[name])


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("steps", 1, 0),
        ("steps", 1000, 1000.5),
        ("width", 8192, 8193),
        ("width", 64, 65),
        ("prompt_strength", 0.5, 100.5),
        ("speed", "fast", "faster"),
        ("upscale", True, "yes"),
        ("tile_mode", True, "z"),
        ("loras", ["a"], 3),
        ("dynamic_threshold", 0.99, True),
    ],
)
def test_a_schema_tells_good_from_bad(name: str, good: Any, bad: Any) -> None:
    schema = Draft202012Validator(SCHEMAS[name])
    assert schema.is_valid(good) and not schema.is_valid(bad)


def test_defaults_are_told() -> None:
    assert SCHEMAS["best_of"]["default"] == 1 and SCHEMAS["loras"]["default"] == []
    assert SCHEMAS["upscale"].get("default") is None


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ([("steps", "4")], {"steps": 4}),
        ([("steps", "4.5")], {"steps": "4.5"}),
        ([("prompt_strength", "7.5")], {"prompt_strength": 7.5}),
        ([("upscale", "True"), ("fix_faces", "false")],
         {"upscale": True, "fix_faces": False}),
        ([("upscale", "yes")], {"upscale": "yes"}),
        ([("tile_mode", "true")], {"tile_mode": True}),
        ([("tile_mode", "x")], {"tile_mode": "x"}),
        ([("dynamic_threshold", "0.9")], {"dynamic_threshold": 0.9}),
        ([("loras", "a")], {"loras": "a"}),
        ([("loras[]", "a")], {"loras": ["a"]}),
        ([("loras", "a"), ("loras", "b")], {"loras": ["a", "b"]}),
        ([("loras[]", "a"), ("loras[]", "b")], {"loras": ["a", "b"]}),
        ([("prompt", "4"), ("negative_prompt", "true")],
         {"prompt": "4", "negative_prompt": "true"}),
        ([("unknown", "4")], {"unknown": "4"}),
    ],
)  # fmt: skip
def test_texts_of_a_form_are_read_by_the_field_they_are_for(
    given: list[tuple[str, str]], read: dict[str, Any]
) -> None:
    assert said_in_form(given, SCHEMAS) == read


@pytest.mark.parametrize("name", ["steps", "prompt", "upscale"])
def test_one_value_is_not_two(name: str) -> None:
    with pytest.raises(BadOptionError, match=f"{name} takes one value, and '?1"):
        said_in_form([(name, "1"), (name, "2")], SCHEMAS)
