"""The description of the API holds together, and with what is checked."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from imaginairy.fields import written
from imaginairy.schema import ImaginePrompt
from imaginairy.serving.bounds import ALLOWED, REFUSED, UPLOADS
from imaginairy.serving.openai_fields import NAMES
from imaginairy.serving.openapi import description
from imaginairy.serving.reference_page import resolved

DESCRIBED = description(ALLOWED)
SCHEMAS = DESCRIBED["components"]["schemas"]


def parts(of: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within."""
    if isinstance(of, dict):
        yield of
        for each in of.values():
            yield from parts(each)
    elif isinstance(of, list):
        for each in of:
            yield from parts(each)


def test_it_is_json_and_names_its_version() -> None:
    assert json.loads(json.dumps(DESCRIBED)) == DESCRIBED
    assert DESCRIBED["openapi"] == "3.1.0"
    assert {"openapi", "info", "paths", "components"} <= DESCRIBED.keys()


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    references = [part for part in parts(DESCRIBED) if "$ref" in part]
    assert references and all(resolved(part, DESCRIBED) for part in references)
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_says_what_it_takes_and_answers() -> None:
    for path, methods in DESCRIBED["paths"].items():
        named = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        for told in methods.values():
            assert told["summary"].endswith(".")
            given = told.get("parameters", [])
            assert {each["name"] for each in given} == named
            assert all(each["in"] == "path" and each["required"] for each in given)
            assert told.get("requestBody", {"required": True})["required"] is True
            for answer in told["responses"].values():
                assert resolved(answer, DESCRIBED)["description"]


@pytest.mark.parametrize(
    ("schema", "more", "none"),
    [
        ("Generation", NAMES, ()),
        ("Edit", NAMES, UPLOADS),
        ("Prompts", ("format", "previews", "prompts"), ()),
        ("Prompt", (), NAMES),
    ],
)
def test_a_request_may_have_the_fields_of_a_prompt_and_its_own(
    schema: str, more: tuple[str, ...], none: tuple[str, ...]
) -> None:
    fields = SCHEMAS[schema]["properties"]
    assert fields.keys() >= {*more, *ALLOWED} - set(none)
    assert not fields.keys() & {*none, *REFUSED}
    assert {*ALLOWED, *REFUSED} >= set(written(ImaginePrompt))
    assert fields["prompt"]["description"] == "What to draw."


def test_schemas_tell_good_requests_from_bad() -> None:
    generation = Draft202012Validator(SCHEMAS["Generation"])
    good = {"prompt": "a fox", "n": 2, "size": "64x64", "steps": 4, "upscale": False}
    assert generation.is_valid(good)
    for wrong in ({"n": 0}, {"steps": 0}, {"wrong": 1}, {"speed": "x"}):
        assert not generation.is_valid({**good, **wrong})
    assert not generation.is_valid({"n": 1})
