"""Text encoders as they are asked for: one or several, each by a name or a path."""

from typing import Any

from imaginairy.asked_files import several
from imaginairy.checks import model
from imaginairy.errors import BadOptionError

MOST = 4
"""Text encoders of one model; none reads by more than three."""


def text_encoders(name: str, value: Any) -> tuple[str, ...]:
    """Take text encoders: one, or several, each a name, a path or `owner/repo`."""
    what = "text encoders, each a name, a path or owner/repo on the hub"
    given = [model(name, each) for each in several(name, value, what)]
    if len(given) > MOST:
        raise BadOptionError(
            f"There are {len(given)} text encoders; at most {MOST} can be given."
        )
    return tuple(dict.fromkeys(given))
