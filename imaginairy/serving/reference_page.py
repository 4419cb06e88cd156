"""The API as a page: made of its OpenAPI description, without a script."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem;
  padding: 0 1rem; color: #222; background: #fff; }
h2 { margin-top: 3rem; border-top: 1px solid #ccc; padding-top: 1rem; }
h2 code { font-size: 1.1rem; } code, pre { font-family: ui-monospace, monospace; }
pre { background: #f4f1ee; padding: .8rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid #ddd; } summary { cursor: pointer; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1c1a19; }
  pre { background: #2a2725; } td, th { border-color: #444; } }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; frame-ancestors 'none'"
"""What a browser lets the page do: have its style, and nothing else."""
METHODS = ("get", "post", "delete")


def reference_page(described: Mapping[str, Any]) -> str:
    """Return the HTML of what an OpenAPI description tells."""
    info = described["info"]
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(info['title'])}</title><style>{STYLE}</style>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        *_paragraphs(info["description"]),
        '<p>The same for programs: <a href="openapi.json">openapi.json</a>.</p>',
    ]
    for path, methods in described["paths"].items():
        for method in METHODS:
            if method in methods:
                parts += _operation(path, method, methods[method], described)
    return "\n".join(parts) + "\n"


def _operation(
    path: str, method: str, told: Mapping[str, Any], described: Mapping[str, Any]
) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
    yield from _paragraphs(told["summary"])
    yield from _paragraphs(told.get("description", ""))
    for media_type, content in told.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Takes <code>{escape(media_type)}</code>:</p>"
        yield from _fields(resolved(content["schema"], described), described)
    for status, answer in told["responses"].items():
        answer = resolved(answer, described)
        kinds = ", ".join(answer.get("content", {}))
        yield (
            f"<p><b>{escape(status)}</b> {escape(answer['description'])}"
            + (f" (<code>{escape(kinds)}</code>)" if kinds else "")
            + "</p>"
        )
        for content in answer.get("content", {}).values():
            if status.startswith("2") and "example" in content:
                written = json.dumps(content["example"], indent=2)
                yield f"<pre>{escape(written)}</pre>"


def _fields(schema: Mapping[str, Any], described: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table of what an object has in it."""
    needed = schema.get("required", ())
    yield "<table><tr><th>field<th>takes<th>what it is"
    for name, field in schema.get("properties", {}).items():
        field = resolved(field, described)
        mark = " (needed)" if name in needed else ""
        yield (
            f"<tr><td><code>{escape(name)}</code>{mark}<td>{escape(takes(field))}"
            f"<td>{escape(field.get('description', ''))}"
        )
    yield "</table>"


def takes(field: Mapping[str, Any]) -> str:
    """Say in words what a field takes, and what it is by default."""
    words = _kind(field)
    if "default" in field and field["default"] not in ("", []):
        words += f"; {json.dumps(field['default'])} by default"
    return words


def _kind(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(each) for each in field["anyOf"])
    if "enum" in field:
        return ", ".join(json.dumps(word) for word in field["enum"])
    if field.get("type") == "array":
        return f"a list of {_kind(field['items'])}"
    if "minimum" in field:
        kind = "whole number" if field["type"] == "integer" else "number"
        step = field.get("multipleOf")
        several = f", in multiples of {step}" if step else ""
        return f"{kind} from {field['minimum']} to {field['maximum']}{several}"
    if field.get("format") == "binary":
        return "a file"
    names = {"string": "text", "boolean": "true or false", "integer": "whole number"}
    kind = field.get("type", "anything")
    return names.get(kind, kind)


def _paragraphs(text: str) -> Iterator[str]:
    for part in text.split("\n\n"):
        if part.strip():
            yield f"<p>{escape(part.strip())}</p>"


def resolved(
    part: Mapping[str, Any], described: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return what a reference within the description stands for."""
    while "$ref" in part:
        found: Any = described
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part
