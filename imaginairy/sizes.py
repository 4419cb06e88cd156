"""How large an image is drawn so that it can be saved as large as was asked for.

The size of a prompt is that of the saved file. It is drawn at that size where the
model can, and else at one of its own area and the same shape, and enlarged. Nothing
here needs torch.
"""

import re
from dataclasses import dataclass
from math import sqrt

from imaginairy.errors import BadOptionError, shown

Size = tuple[int, int]
"""Width and height in pixels."""

GRID = 8
"""Sizes that can be asked for are multiples of this many pixels; what a model draws is
rounded to its family's grid."""
SMALLEST_SIDE = 64
LARGEST_SIDE = 8192
USUAL_SCALE = 4
"""What upscalers enlarge by unless their weights say otherwise."""
REACH_FROM_PICTURE = 4.0
"""How many times its own area a model can draw where an image says what goes where."""
LITTLE = 0.25
"""Share of a model's own area below which what it draws is hardly like anything."""
MOST_TOLD = 16384
"""Pixels that a side or a crop may be said to have."""
WHOLE = r"(\d{1,9})"
"""A whole number that is not too long to be read."""


@dataclass(frozen=True)
class Framing:
    """What a network may be told of the size of a picture, beside the text."""

    original: Size
    """Size of the picture that it was resized and cropped from."""
    crop: tuple[int, int]
    """Pixels that were cropped at the top and at the left."""
    target: Size
    """Its own size."""


def drawn_size(wanted: Size, native: Size, *, reach: float, scale: float = 1) -> Size:
    """Return the size at which to draw what is saved at another.

    Never larger than that. Without an upscaler it is that, up to the model's reach;
    with one it is what the upscaler makes that of, if the model can draw so much or so
    little. Else it has the area that the model was trained at.

    Args:
        native: the size that the model was trained at.
        reach: how many times that area it can draw.
        scale: how many times as large an upscaler makes it.
    """
    area, own = wanted[0] * wanted[1], native[0] * native[1]
    ideal = area / scale**2
    if ideal > reach * own:
        ideal = own
    elif ideal < own:
        ideal = min(own, area)
    factor = min(1.0, max(sqrt(ideal / area), SMALLEST_SIDE / min(wanted)))
    return on_grid(wanted, factor)


def exceeds(asked: tuple[int | None, int | None], drawn: Size) -> bool:
    """Tell whether what is asked for is larger than what is drawn; nothing asked is."""
    if asked == (None, None):
        return True
    width, height = (given or side for given, side in zip(asked, drawn, strict=True))
    return width * height > drawn[0] * drawn[1]


def on_grid(size: Size, factor: float = 1) -> Size:
    """Return a size times a factor, as the nearest that can be drawn."""
    width, height = (max(SMALLEST_SIDE, GRID * round(s * factor / GRID)) for s in size)
    return width, height


def fitted_size(size: Size, box: Size) -> Size:
    """Return the working size of a picture in a box; one that fits keeps its size.

    Both sides then go to the nearest on the grid, and are `SMALLEST_SIDE` at least.

    A box that is the picture's own shape but for the rounding is taken as it is, so
    that what was fitted once fits into its working size again.
    """
    sides = list(zip(size, box, strict=True))
    smallest = max((room - GRID / 2) / side for side, room in sides)
    largest = min(1.0, *((room + GRID / 2) / side for side, room in sides))
    if smallest <= largest:
        return box
    scale = min(1.0, *(room / side for side, room in sides))
    return on_grid(size, scale)


def with_margins(size: Size, margins: tuple[int, int, int, int], before: Size) -> Size:
    """Return a size with margins that are to it as they are to the size before.

    Args:
        margins: pixels up, right, down and left.
        before: the size that they are put around.
    """
    up, right, down, left = margins
    around = (left + right, up + down)
    after = before[0] + around[0], before[1] + around[1]
    return enlarged_like(size, before, after)


def enlarged_like(size: Size, before: Size, after: Size) -> Size:
    """Return a size that is to `size` as `after` is to `before`, on the grid."""
    width, height = (
        min(LARGEST_SIDE, on_grid((side, side), new / old)[0])
        for side, old, new in zip(size, before, after, strict=True)
    )
    return width, height


def parse_size(text: str) -> Size | None:
    """Read `512x768`; None where it is something else."""
    match = re.fullmatch(rf"\s*{WHOLE}\s*[xX×]\s*{WHOLE}\s*", text)  # noqa: RUF001
    return (int(match[1]), int(match[2])) if match else None


def written(size: Size) -> str:
    """Write a size as it is read."""
    return f"{size[0]}x{size[1]}"


def drawable(name: str, value: object) -> str:
    """Take a size that can be drawn, written as `512x768`.

    Raises:
        BadOptionError: it is none.
    """
    size = _read(name, value)
    for side in size:
        if not SMALLEST_SIDE <= side <= LARGEST_SIDE or side % GRID:
            raise BadOptionError(
                f"{name} {written(size)} cannot be drawn; both sides are multiples of "
                f"{GRID} from {SMALLEST_SIDE} to {LARGEST_SIDE}."
            )
    return written(size)


def tellable(name: str, value: object) -> str:
    """Take a size that a network may be told, written as `512x768`.

    Raises:
        BadOptionError: it is none.
    """
    size = _read(name, value)
    if not 1 <= min(size) <= max(size) <= MOST_TOLD:
        raise BadOptionError(
            f"{name} {written(size)} is out of range; both sides are from 1 to "
            f"{MOST_TOLD}."
        )
    return written(size)


def crop(name: str, value: object) -> str:
    """Take a crop that a network may be told, and return it as `top,left`.

    Raises:
        BadOptionError: it is none.
    """
    top, left = parse_crop(value, name)
    return f"{top},{left}"


def parse_crop(value: object, name: str = "crop") -> tuple[int, int]:
    """Read pixels at the top and at the left, as `64,0`, or `top64` and `left64`.

    A side that is not named gets 0.

    Raises:
        BadOptionError: it cannot be read so.
    """
    given = value if isinstance(value, str) else shown(value)
    parts = [part.strip() for part in given.lower().split(",")]
    by_place = [re.fullmatch(WHOLE, part) for part in parts]
    by_name = [re.fullmatch(rf"(t|top|l|left){WHOLE}", part) for part in parts]
    sides: dict[str, int] = {}
    if len(parts) == 2 and all(by_place):
        sides = dict(zip("tl", (int(part) for part in parts), strict=True))
    elif all(by_name):
        sides = {match[1][0]: int(match[2]) for match in by_name if match}
    if len(sides) < len(parts) or max(sides.values()) > MOST_TOLD:
        raise BadOptionError(
            f"{name} {shown(value, 30)} cannot be read; give the pixels cropped at "
            f"the top and at the left, from 0 to {MOST_TOLD}, as 64,0 or top64,left0."
        )
    return sides.get("t", 0), sides.get("l", 0)


def _read(name: str, value: object) -> Size:
    size = parse_size(value) if isinstance(value, str) else None
    if size is None:
        raise BadOptionError(
            f"{name} {shown(value, 30)} cannot be read; write width and height as "
            "512x768."
        )
    return size
