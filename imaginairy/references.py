"""Reference images: what a picture is made of beside its text, as it is asked for."""

from typing import Any

from imaginairy import checks
from imaginairy.asked_files import several
from imaginairy.errors import BadOptionError

MOST = 10
"""Reference images of one picture."""


def reference_images(name: str, value: Any) -> tuple[Any, ...]:
    """Take reference images: one, or several, each as `checks.picture` takes it.

    Raises:
        BadOptionError: one is no picture, or they are too many.
        BadImageError: one cannot be read.
        MissingFileError: there is no such image.
    """
    if not isinstance(value, str | list | tuple):
        value = (value,)
    given = several(name, value, "pictures, each a path or a web address")
    if len(given) > MOST:
        raise BadOptionError(
            f"There are {len(given)} reference images; at most {MOST} are looked at."
        )
    return tuple(checks.picture(f"A picture of {name}", each) for each in given)
