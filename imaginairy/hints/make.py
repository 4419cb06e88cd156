"""A picture to a hint of it, at the size that is drawn."""

from typing import Any

import numpy as np
from PIL import Image

from imaginairy.hints.table import filled_options, hint_kind
from imaginairy.images import upright_rgb


def make_hint(
    kind: str, image: Image.Image, size: tuple[int, int], **options: Any
) -> Image.Image:
    """Make a hint of a picture. The same always comes of the same.

    Args:
        kind: a name in `table.HINTS`, or another that it goes by.
        image: any picture; turned as EXIF says, on white where transparent.
        size: width and height of the hint, in pixels.
        options: those of the kind, such as `low` and `high` of canny.

    Returns:
        RGB, of the size given.

    Raises:
        BadOptionError: no such kind, or an option that it does not take.
        BadImageError: nobody can tell what white is in the picture.
    """
    row = hint_kind(kind)
    settled = filled_options(row, options)
    fitting = upright_rgb(image).resize(size, Image.Resampling.LANCZOS)
    return Image.fromarray(row.make(np.asarray(fitting), **settled))
