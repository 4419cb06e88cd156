"""A picture to a hint of it, at the size that is drawn."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from imaginairy.errors import BadOptionError
from imaginairy.hints.table import HintKind, filled_options, hint_kind
from imaginairy.images import upright_rgb

Find: TypeAlias = Callable[[str], Any]
"""Gives the model of a role; see `roles`."""


def make_hint(
    kind: str,
    image: Image.Image,
    size: tuple[int, int],
    find: Find | None = None,
    **options: Any,
) -> Image.Image:
    """Make a hint of a picture. The same always comes of the same.

    Args:
        kind: a name in `table.HINTS`, or another that it goes by.
        image: any picture; turned as EXIF says, on white where transparent.
        size: width and height of the hint, in pixels.
        find: gives the model of a role, for kinds that one finds.
        options: those of the kind, such as `low` and `high` of canny.

    Returns:
        RGB, of the size given.

    Raises:
        BadOptionError: no such kind, an option that it does not take, or nothing gives
            the model that it needs.
        BadImageError: nobody can tell what white is in the picture.
    """
    row = hint_kind(kind)
    settled = filled_options(row, options)
    fitting = upright_rgb(image).resize(size, Image.Resampling.LANCZOS)
    return Image.fromarray(row.make(_seen(row, fitting, find), **settled))


def _seen(row: HintKind, image: Image.Image, find: Find | None) -> Any:
    """Return what a kind is made of: pixels, or what a model found in it."""
    if row.role is None:
        return np.asarray(image)
    if find is None:
        raise BadOptionError(
            f"The hint {row.name} is found by a {row.role} model; give `find`, such as "
            "a store's `finder`."
        )
    where = [] if row.after is None else [find(row.after).found(image)]
    return find(row.role).found(image, *where)
