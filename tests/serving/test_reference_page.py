"""The page of the API: all that its description says, and no script."""

from html.parser import HTMLParser
from typing import Any

import pytest

from imaginairy.serving.bounds import ALLOWED
from imaginairy.serving.openapi import description
from imaginairy.serving.reference_page import POLICY, STYLE, reference_page, takes

DESCRIBED = description(ALLOWED)


class Read(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_tells_every_operation_and_every_field() -> None:
    read = Read(reference_page(DESCRIBED))
    for path, methods in DESCRIBED["paths"].items():
        for method, told in methods.items():
            assert f"{method.upper()} {path}" in read.text
            assert told["summary"] in read.text
    for schema in ("Generation", "Edit"):
        for name, field in DESCRIBED["components"]["schemas"][schema][
            "properties"
        ].items():
            assert name in read.text and field["description"] in read.text


def test_it_asks_nothing_of_anybody() -> None:
    page = reference_page(DESCRIBED)
    read = Read(page)
    assert read.links == ["openapi.json"]
    assert not {"script", "link", "img", "iframe"} & set(read.tags)
    assert "http" not in page and f"<style>{STYLE}</style>" in page
    assert POLICY.startswith("default-src 'none'; style-src 'sha256-")


def test_what_it_tells_is_text_and_no_markup() -> None:
    evil = "<script>alert(1)</script>"
    told: dict[str, Any] = {
        "info": {"title": evil, "version": evil, "description": evil},
        "paths": {evil: {"get": {"summary": evil, "responses": {}}}},
    }
    assert "script" not in Read(reference_page(told)).tags


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "whole number from 1 to 9"),
        ({"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
         "number from 0 to 1; 0.5 by default"),
        ({"type": "integer", "minimum": 64, "maximum": 128, "multipleOf": 8},
         "whole number from 64 to 128, in multiples of 8"),
        ({"enum": ["a", "b"], "default": "a"}, '"a", "b"; "a" by default'),
        ({"type": "boolean", "default": False}, "true or false; false by default"),
        ({"type": "string", "default": ""}, "text"),
        ({"type": "string", "format": "binary"}, "a file"),
        ({"anyOf": [{"type": "array", "items": {"type": "string"}},
                    {"type": "string"}]}, "a list of text or text"),
        ({}, "anything"),
    ],
)  # fmt: skip
def test_what_a_field_takes_is_said_in_words(field: dict[str, Any], said: str) -> None:
    assert takes(field) == said
