"""Values among settings that lie beside weights: taken, or refused in a sentence."""

import reprlib
from collections.abc import Collection, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError

Settings = Mapping[str, Any]
"""What a file of settings says; empty where there is none."""


def require(
    where: Path,
    settings: Settings,
    supported: Mapping[str, Collection[Any]],
    owner: str,
) -> None:
    """Check that settings are those that our networks have.

    Args:
        supported: what each may be where it is there and not null.
        owner: what has these, in messages.

    Raises:
        CheckpointError: one of them is not.
    """
    for name, allowed in supported.items():
        value = settings.get(name)
        each = value if isinstance(value, list) and value else [value]
        if value is None or all(one in allowed for one in each):
            continue
        *others, last = [f"'{one}'" for one in allowed] or ["none"]
        shown = f"{', '.join(others)} and {last}" if others else last
        raise CheckpointError(
            f"'{where}' has {name} '{shown_value(value)}'; only {shown}, as {owner} "
            "has, is supported."
        )


def number(
    where: Path,
    settings: Settings,
    name: str,
    usual: float,
    low: float,
    high: float | None = None,
) -> float:
    """Return a number among settings, above `low` and below `high`.

    Raises:
        CheckpointError: it is no such number.
    """
    value = settings.get(name)
    if value is None:
        return usual
    try:
        read = float(value)  # YAML takes 1e-4 for a text
    except (TypeError, ValueError, OverflowError):
        read = float("nan")
    if isinstance(value, bool) or not low < read < (high or float("inf")):
        raise CheckpointError(
            f"'{where}' has {name} '{shown_value(value)}', which is no number "
            + (f"above {low:g}." if high is None else f"between {low:g} and {high:g}.")
        )
    return read


def whole(what: str, value: Any) -> int:
    """Return what settings say how many there are of; refuse what is no number.

    Raises:
        CheckpointError: it is no whole number above 0.
    """
    if type(value) is not int or value < 1:
        raise CheckpointError(
            f"The settings of this checkpoint ask for {shown_value(value)} {what}; "
            "give a whole number above 0."
        )
    return value


def shown_value(value: Any) -> str:
    """Return a setting as messages show it, however much it holds."""
    return (value if isinstance(value, str) else reprlib.repr(value))[:60]


def is_number(value: Any) -> bool:
    """Tell a number of which something can be computed."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return plain and isfinite(value)
    except OverflowError:  # an integer too large for any float
        return False


def is_true(text: str | None) -> bool:
    """Tell whether metadata, which are all text, say yes."""
    return (text or "").strip().lower() in ("true", "1", "yes")
