"""What a request may say, as JSON Schema: read off the checks that it goes through."""

from collections.abc import Iterable, Mapping
from typing import Any

from imaginairy import checks
from imaginairy.checks import Choice, Number
from imaginairy.errors import BadOptionError, shown
from imaginairy.fields import Option, options
from imaginairy.references import reference_images

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "maxLength": checks.MAX_TEXT_BYTES}
PICTURE: Schema = {"type": "string", "contentEncoding": "base64"}
NUMBERS_OR_TEXTS = (checks.projection, checks.threshold)
"""Checks of numbers with colons between, of which one alone may be a number."""
TRUTH = {"true": True, "false": False}
"""What text in a form stands for where a value is true or false."""


def fields_schema(of: type, names: Iterable[str] | None = None) -> dict[str, Schema]:
    """Return the schemas of the fields of a class, by name.

    Args:
        names: which of them; None means all that `option` made.
    """
    known = options(of)
    return {name: field_schema(known[name]) for name in names or known}


def field_schema(row: Option) -> Schema:
    """Return what a field takes, what it is for, and what it is by default."""
    schema = checked_schema(row)
    if row.help:
        schema["description"] = row.help
    if row.default is None:
        return schema
    default = list(row.default) if isinstance(row.default, tuple) else row.default
    return {**schema, "default": default}


def checked_schema(row: Option) -> Schema:
    """Return what passes the check of a field, as far as a schema can tell."""
    check = row.check
    if isinstance(check, Number):
        return _number(check)
    if isinstance(check, checks.TileMode):
        return {"anyOf": [_choice(check), {"type": "boolean"}]}
    if isinstance(check, Choice) and not isinstance(check, checks.ScheduleName):
        return _choice(check)
    if check is checks.picture:
        return dict(PICTURE)
    if check is reference_images:
        return {"anyOf": [{"type": "array", "items": PICTURE}, PICTURE]}
    if check is checks.flag:
        return {"type": "boolean"}
    if check in NUMBERS_OR_TEXTS:
        return {"anyOf": [{"type": "number"}, {"type": "string"}]}
    if isinstance(row.default, tuple):
        return {"anyOf": [{"type": "array", "items": TEXT}, TEXT]}
    return dict(TEXT)


def _number(check: Number) -> Schema:
    schema: Schema = {
        "type": "integer" if check.whole else "number",
        "minimum": check.low,
        "maximum": check.high,
    }
    return schema | ({"multipleOf": check.multiple_of} if check.multiple_of > 1 else {})


def _choice(check: Choice) -> Schema:
    return {"type": "string", "enum": list(check.words)}


def said_in_form(
    given: Iterable[tuple[str, str]], schemas: Mapping[str, Schema]
) -> dict[str, Any]:
    """Return what the texts of a form stand for, by the schemas of their fields.

    What is there several times, or whose name ends in `[]`, is a list. Text that stands
    for no value of its field stays text, which its check then refuses.

    Raises:
        BadOptionError: a field that takes one value has several.
    """
    values: dict[str, Any] = {}
    for called, text in given:
        name = called.removesuffix("[]")
        schema = schemas.get(name, {})
        value = _read(text, schema)
        if name not in values:
            values[name] = [value] if called != name else value
        elif _takes_several(schema):
            before = values[name]
            before = before if isinstance(before, list) else [before]
            values[name] = [*before, value]
        else:
            raise BadOptionError(
                f"{name} takes one value, and {shown(values[name])} and {shown(value)} "
                "are given."
            )
    return values


def _takes_several(schema: Schema) -> bool:
    return any(each.get("type") == "array" for each in _kinds(schema))


def _kinds(schema: Schema) -> list[Schema]:
    kinds: list[Schema] = schema.get("anyOf", [schema])
    return kinds


def _read(text: str, schema: Schema) -> Any:
    """Return the value of a field that a text of a form stands for."""
    types = {each.get("type") for each in _kinds(schema)}
    if "boolean" in types and text.lower() in TRUTH:
        return TRUTH[text.lower()]
    for kind, make in (("integer", int), ("number", float)):
        if kind in types:
            try:
                return make(text)
            except ValueError:
                continue
    return text
