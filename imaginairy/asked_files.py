"""Adapters as they are asked for: one or several, each a file that is named somehow."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

from imaginairy.checks import Number, kind_of, text
from imaginairy.errors import BadOptionError, shown

WEIGHT = Number(-100, 100)
"""How much of one acts."""
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
"""Pattern of a weight in a text."""
LONGEST = 4096
"""Letters of one."""
WAYS = "FILE is a name, a path, owner/repo on the hub or a web address"


def several(name: str, value: Any, what: str) -> list[Any]:
    """Return what was given, one or several; nothing of nothing.

    Args:
        what: what they are, and how each is given, for messages.
    """
    if isinstance(value, str | PathLike):
        value = (value,)
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise BadOptionError(f"{name} are {what}, not {kind_of(value)}.")
    return [each for each in value if not (isinstance(each, str) and not each)]


def asked_file(name: str, given: Any, what: str) -> str:
    """Return what names one file, a text or a path, as text.

    Args:
        what: what it is, and how it is given, for messages.
    """
    given = str(given) if isinstance(given, PathLike) else given
    if not isinstance(given, str) or not given.strip() or len(given) > LONGEST:
        raise BadOptionError(f"{what}, not {shown(given)}; {WAYS}.")
    return text(name, given).strip()
