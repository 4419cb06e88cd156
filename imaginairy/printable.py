"""Text from anywhere, as a terminal may be given it."""

import re

COMMANDING = (
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f"
    "\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that command a terminal or turn the order of others round, and those that
are none; only tabs and ends of lines are let through."""


def printable(text: str) -> str:
    """Return a text with nothing in it that a terminal would obey."""
    return re.sub(COMMANDING, "\N{REPLACEMENT CHARACTER}", text)
