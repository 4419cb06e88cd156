"""In which numbers images are computed, by name; nothing here needs torch."""

import os
from typing import Literal, get_args

from imaginairy.errors import BadOptionError, in_words

Precision = Literal["autocast", "full"]
"""`autocast` computes in what the device is fastest in, `full` in float32."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
VARIABLE = "IMAGINAIRY_PRECISION"


def usual_precision() -> Precision:
    """Return what the environment asks for: `autocast` where it does not say.

    Raises:
        BadOptionError: it says something else than one of `PRECISIONS`.
    """
    given = os.environ.get(VARIABLE, "").strip().lower() or PRECISIONS[0]
    return known_precision(given, f"The environment variable {VARIABLE}")


def known_precision(given: object, place: str = "Precision") -> Precision:
    """Return a precision if there is one of that name.

    Raises:
        BadOptionError: there is none.
    """
    for precision in PRECISIONS:
        if isinstance(given, str) and given == precision:
            return precision
    raise BadOptionError(
        f"{place} '{in_words(given)}' is unknown; choose {' or '.join(PRECISIONS)}."
    )
