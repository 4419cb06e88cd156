"""A picture with a red box and a blue one, and where masks of words find them."""

from PIL import Image, ImageDraw

from imaginairy import TextMask

RED, GREEN, BLUE = (226, 52, 46), (62, 165, 66), (42, 94, 214)
RED_BOX = (32, 48, 96, 144)
BLUE_BOX = (160, 96, 224, 144)


def boxes(scale: float = 1) -> Image.Image:
    """A landscape picture with a red box and a blue one."""
    image = Image.new("RGB", (256, 192), "white")
    pen = ImageDraw.Draw(image)
    for (left, top, right, bottom), colour in ((RED_BOX, RED), (BLUE_BOX, BLUE)):
        pen.rectangle((left, top, right - 1, bottom - 1), fill=colour)
    width, height = image.size
    return image.resize((round(width * scale), round(height * scale)))


def inner(found: TextMask) -> tuple[int, int, int, int] | None:
    """Where the words are, without the margin."""
    return found.grayscale.point([0] * 128 + [255] * 128).getbbox()
