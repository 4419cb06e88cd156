"""Pictures as the bytes of files, as they are sent."""

import io
from typing import Any

from PIL import Image

from imaginairy.metadata.write import JPEG_QUALITY

MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
"""What pictures can be sent as, and how the web calls it."""
LOSSY = ("jpeg", "webp")


def encoded(image: Image.Image, form: str, quality: int | None = None) -> bytes:
    """Return a picture as a file that holds nothing but the picture.

    What its numbers mean as colours (its ICC profile) is of the picture.

    Args:
        form: one of `MEDIA_TYPES`.
        quality: from 0 to 100, for those that are `LOSSY`.
    """
    save: dict[str, Any] = {"icc_profile": image.info.get("icc_profile")}
    if form in LOSSY:
        save["quality"] = JPEG_QUALITY if quality is None else quality
    if form == "jpeg":
        image = image if image.mode == "L" else image.convert("RGB")
        save["subsampling"] = "4:4:4"
    image = image.copy()
    image.info = {}  # some of which would be written too
    data = io.BytesIO()
    image.save(data, form.upper(), **save)
    return data.getvalue()
