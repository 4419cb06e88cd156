"""Pictures of any mode as what they show: RGB, or how much a mask paints."""

import numpy as np
from PIL import Image, ImageChops, ImageOps

from imaginairy.errors import BadImageError

WHITES = (1, 255, 65535)
"""What white may be in pictures of numbers that have no white of their own."""
WHITE_OF = {**dict.fromkeys(("I;16", "I;16L", "I;16B", "I;16N"), 65535), "F": 1}
"""The same, by modes in which darker pictures than half of it are usual."""
NUMBERS = ("I", *WHITE_OF)
OVERSHOOT = 0.125
"""How far beyond black and white numbers may go, as sharp resizing makes them."""
PROFILE = "icc_profile"
"""Where Pillow keeps what the numbers of a picture mean as colours."""
STRAIGHT = {"La": "LA", "RGBa": "RGBA"}
"""Modes whose colours are multiplied by their opacity, and those where they are not."""


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return any picture as RGB, turned as EXIF says, on white where transparent.

    A colour profile stays if it still holds.

    Raises:
        BadImageError: nobody can tell what white is in it.
    """
    color, opacity = color_and_opacity(image)
    if opacity is None:
        return color
    color.putalpha(opacity)
    ground = Image.new("RGBA", color.size, "white")
    flat = Image.alpha_composite(ground, color).convert("RGB")
    if PROFILE in color.info:
        flat.info[PROFILE] = color.info[PROFILE]
    return flat


def painted(mask: Image.Image) -> Image.Image:
    """Return how much a mask of any mode paints, `L`, turned as EXIF says.

    That is how bright it is times how opaque: white paints, black and clear do not. In
    one of numbers white is 1, 255 or 65535, as its largest is; so 0 and 1 alone are
    black and white in 8 bits too.

    Raises:
        BadImageError: nobody can tell what white is in it.
    """
    color, opacity = color_and_opacity(mask)
    grey = color.convert("L")
    if grey.getextrema()[1] == 1:
        grey = grey.point([0, *[255] * 255])
    return grey if opacity is None else ImageChops.multiply(grey, opacity)


def color_and_opacity(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return any picture as RGB, turned as EXIF says, and its opacity where it has any.

    Raises:
        BadImageError: nobody can tell what white is in it.
    """
    image = ImageOps.exif_transpose(image)
    if not image.mode.startswith(("RGB", "P")):
        image.info.pop(PROFILE, None)  # of grey or of inks, it holds for those only
    if image.mode in NUMBERS:
        return _of_numbers(image)
    try:
        if image.mode in STRAIGHT:
            image = image.convert(STRAIGHT[image.mode])
        if not image.has_transparency_data:
            return image.convert("RGB"), None
        image = image.convert("RGBA")
    except ValueError as error:
        raise BadImageError(
            f"A picture of mode {image.mode} cannot be read here; save it as RGB."
        ) from error
    return image.convert("RGB"), image.getchannel("A")


def _of_numbers(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Read grey of more than 8 bits, of which a png may declare one value clear."""
    numbers = np.asarray(image, dtype=np.float64)
    grey = numbers / _white_in(numbers, image.mode) * 255
    clear, opacity = image.info.get("transparency"), None
    if isinstance(clear, int):
        opacity = Image.fromarray(np.where(numbers == clear, 0, 255).astype(np.uint8))
    grey8 = Image.fromarray(grey.clip(0, 255).round().astype(np.uint8))
    return grey8.convert("RGB"), opacity


def _white_in(numbers: np.ndarray, mode: str) -> float:
    """Return which of `WHITES` numbers are of, by the largest."""
    low, high = float(numbers.min()), float(numbers.max())
    for white in WHITES:
        if high <= white * (1 + OVERSHOOT):
            is_usual = not 0 < high < white / 2 or white == WHITE_OF.get(mode)
            if is_usual and low >= -white * OVERSHOOT:
                return white
            break
    raise BadImageError(
        f"A picture of mode {mode} whose numbers go from {low:g} to {high:g} does not "
        "say what white is; let them go from 0 to 1, to 255 or to 65535, or save it "
        "with 8 bits."
    )
