"""Other tools' names for the fields of a prompt: on the command line, in prompts files
and in sweeps. Which they are is said where the fields stand."""

from collections.abc import Mapping
from typing import Any

from imaginairy.errors import BadOptionError
from imaginairy.fields import options
from imaginairy.schema import ImaginePrompt

OPTIONS = options(ImaginePrompt)
OPPOSITES = {row.opposite.name: name for name, row in OPTIONS.items() if row.opposite}
"""How much of the init image is changed, where ours is how much of it stays."""
ALIASES = OPPOSITES | {
    alias: name for name, row in OPTIONS.items() for alias in row.also
}
"""The fields that are meant; the values are ours too, unless it is an opposite."""
DIGITS = 10
"""Of 1 minus a fraction, so that 0.7 gives 0.3."""


def in_our_terms(name: str, value: Any) -> tuple[str, Any]:
    """Return a field and its value for a name that may be another tool's.

    Raises:
        BadOptionError: the value is none that could be turned round.
    """
    ours = ALIASES.get(name, name)
    if name in OPPOSITES:
        value = round(1 - OPTIONS[ours].check(name, value), DIGITS)
    return ours, value


def _each(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def as_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is set in `values` by our names alone.

    What may be several things is all that is said of it by any name.

    Raises:
        BadOptionError: another field is set by two names, or see `in_our_terms`.
    """
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, value in values.items():
        if value is None:
            continue
        field, fields_value = in_our_terms(name, value)
        if field in names and isinstance(OPTIONS[field].default, tuple):
            fields[field] = [*_each(fields[field]), *_each(fields_value)]
            continue
        if field in names:
            raise BadOptionError(
                f"{names[field]} and {name} say the same thing; give one of them."
            )
        fields[field], names[field] = fields_value, name
    return fields
