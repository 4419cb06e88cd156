"""The painted patch put back: what a mask keeps is as it was."""

from PIL import Image, ImageFilter

from imaginairy.masks.canvas import Canvas, resized

FEATHER = 3
"""Blur of the mask's edge when the patch is pasted at the size it was drawn at."""
ORIGINAL_FEATHER = 5
"""The same, in the original picture."""


def pasted(drawn: Image.Image, canvas: Canvas) -> Image.Image:
    """Put back what stays, at working size, with a feathered edge."""
    assert canvas.keep is not None
    return _composite(drawn, canvas.picture, canvas.keep, FEATHER)


def pasted_into_original(drawn: Image.Image, canvas: Canvas) -> Image.Image:
    """Put the painted patch into the full-size original, with a feathered edge."""
    assert canvas.original_keep is not None
    large = resized(drawn, canvas.original.size)
    return _composite(large, canvas.original, canvas.original_keep, ORIGINAL_FEATHER)


def _composite(
    drawn: Image.Image, original: Image.Image, keep: Image.Image, feather: int
) -> Image.Image:
    soft = keep.filter(ImageFilter.GaussianBlur(feather))
    return Image.composite(original, drawn, soft)
