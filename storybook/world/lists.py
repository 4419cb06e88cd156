"""What things are called: the lists of words in `lists/`.

A word that stands in a list twice is said twice as often.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "lists"


@cache
def lines(name: str) -> tuple[str, ...]:
    """Return the lines of a list."""
    return tuple((FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines())


@cache
def tables(name: str) -> dict[str, Any]:
    """Return what a group's lists are by their names; each list is a tuple."""
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {key: _fixed(value) for key, value in content.items()}


def _fixed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _fixed(each) for key, each in value.items()}
    return tuple(value) if isinstance(value, list) else value
