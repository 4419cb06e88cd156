"""What the fields of a prompt may hold: each check takes a value and gives it cleaned.

A check is called with the field's name and the value, returns the value in its one
form, and raises BadOptionError with what was given and what is allowed.
"""

import math
import numbers
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imaginairy.errors import (
    BadOptionError,
    BadPromptError,
    in_words,
    near_miss,
    shown,
)
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.plugins import find_plugin, name_and_value
from imaginairy.samplers import get_sampler

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_TEXT_BYTES = 200_000
"""Some 30,000 words, far more than a model can follow."""
OUTPAINT_SIDES = ("up", "right", "down", "left", "all")
MAX_MARGIN = 8192
USUAL_SHARE = 0.8
"""Of the noise schedule, after which a refiner takes over."""


@dataclass(frozen=True)
class Number:
    """A number in a range, both ends included; NumPy's become Python's own."""

    low: float
    high: float
    whole: bool = False
    multiple_of: int = 1

    def __call__(self, name: str, value: Any) -> Any:
        value = plain(value)
        if not is_number(value) or (self.whole and not isinstance(value, int)):
            kind = "a whole number" if self.whole else "a number"
            raise BadOptionError(f"{name} must be {kind}, not {shown(value)}.")
        if not self.low <= value <= self.high:
            raise BadOptionError(
                f"{name} {shown(value)} is out of range; give one from {self.low:g} to "
                f"{self.high:g}."
            )
        if self.whole and value % self.multiple_of:
            near = max(round(value / self.multiple_of), 1) * self.multiple_of
            raise BadOptionError(
                f"{name} {value} is not a multiple of {self.multiple_of}; the nearest "
                f"is {near}."
            )
        return value


@dataclass(frozen=True)
class Choice:
    """One of a few words, in any case."""

    words: tuple[str, ...]

    def __call__(self, name: str, value: Any) -> str:
        word = value.lower() if isinstance(value, str) else None
        if word not in self.words:
            raise BadOptionError(
                f"{name} {shown(value)} is unknown; choose one of "
                f"{', '.join(word or repr(word) for word in self.words)}."
                + near_miss(word or "", self.words)
            )
        return str(word)


class ScheduleName(Choice):
    """The name of a schedule, ours or another tool's."""

    def __call__(self, name: str, value: Any) -> str:
        from imaginairy.samplers.foreign_names import schedule_named

        ours = schedule_named(value) if isinstance(value, str) else None
        return super().__call__(name, ours or value)


class TileMode(Choice):
    """The axes along which a picture repeats; true means both, false none."""

    def __call__(self, name: str, value: Any) -> str:
        value, axes = plain(value), {True: "xy", False: ""}
        return super().__call__(name, axes[value] if isinstance(value, bool) else value)


def flag(name: str, value: Any) -> bool:
    """Take true or false."""
    value = plain(value)
    if not isinstance(value, bool):
        raise BadOptionError(f"{name} is true or false, not {shown(value)}.")
    return value


def text(name: str, value: Any) -> str:
    """Take text of a length that can still be drawn."""
    if not isinstance(value, str):
        raise BadPromptError(f"{name} is text, not {kind_of(value)}.")
    try:
        length = len(value.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise BadPromptError(
            f"The {name} holds a character that is not valid text ({error.reason})."
        ) from error
    if length > MAX_TEXT_BYTES:
        raise BadPromptError(
            f"The {name} is {length} bytes long; at most {MAX_TEXT_BYTES} are possible."
        )
    return value


def emphasised_text(name: str, value: Any) -> str:
    """Take text in which the emphasis can be read."""
    from imaginairy.prompt_language import parse_text

    parse_text(text(name, value))
    return str(value)


def sampler(name: str, value: Any) -> str:
    """Take the name of a sampler, ours or another tool's, and return ours."""
    if not isinstance(value, str):
        raise BadOptionError(f"{name} must be a name, not {shown(value)}.")
    from imaginairy.samplers.foreign_names import SAMPLER_NAMES, plain_name, read_pair

    ours = SAMPLER_NAMES.get(plain_name(value))
    both = read_pair(value)
    if ours is None and both.sampler and both.schedule:
        raise BadOptionError(
            f"{name} '{value}' names a noise schedule too; give {both.sampler}, and "
            f"{both.schedule} as the schedule."
        )
    return get_sampler(ours or value).name


def model(name: str, value: Any) -> str:
    """Take what may be a model's name, path or repository; it is looked up later."""
    if not isinstance(value, str | Path):
        raise BadOptionError(f"{name} must be a name or a path, not {shown(value)}.")
    if not str(value).strip():
        raise BadOptionError(f"{name} is empty; leave it out or give a name.")
    return str(value)


def refiner(name: str, value: Any) -> str:
    """Take what `parse_refiner` can read; a share that goes without saying is said."""
    of, share = parse_refiner(value, name)
    return f"{of}@{share:g}"


def parse_refiner(value: Any, name: str = "refiner") -> tuple[str, float]:
    """Read a model, and behind an @ the share of the noise schedule before it.

    Where the model itself has an @, as a revision on the hub, the share must be said.

    Raises:
        BadOptionError: it cannot be read so.
    """
    of, sign, said = model(name, value).rpartition("@")
    share = _numbers(said) if sign else ()
    if not share and said:  # the share is left open
        of, share = str(value), (USUAL_SHARE,)
    if not of.strip() or len(share) != 1 or not 0 < share[0] < 1:
        raise BadOptionError(
            f"{name} {shown(str(value))} cannot be read; give a model and, behind an "
            "@, the share of the noise schedule after which it takes over, between 0 "
            f"and 1, as NAME@{USUAL_SHARE:g}."
        )
    return of, share[0]


def enhancers(name: str, value: Any) -> tuple[str, ...]:
    """Take names of enhancers that packages bring, each as `name` or `name=value`."""
    asked = (value,) if isinstance(value, str) else value
    if not isinstance(asked, tuple | list) or not all(
        isinstance(each, str) for each in asked
    ):
        raise BadOptionError(f"{name} is a name or several, not {shown(value)}.")
    for each in asked:
        find_plugin(name_and_value(each)[0])
    return tuple(asked)


def picture(name: str, value: Any) -> "Image | LazyLoadingImage":
    """Take a path, a web address, a Pillow picture or a LazyLoadingImage.

    Pillow reads a picture when it is first used; that is done here, so that one whose
    file is broken or was closed is refused now.
    """
    if isinstance(value, str | Path):
        return LazyLoadingImage.of(value)
    if isinstance(value, LazyLoadingImage):
        return value

    from PIL.Image import Image

    from imaginairy.pictures import require_usable

    if not isinstance(value, Image):
        makes = hasattr(value, "__array_interface__") or hasattr(value, "__array__")
        raise BadOptionError(
            f"{name} is a path, a web address or a picture, not {kind_of(value)}"
            + ("; PIL.Image.fromarray makes a picture of it." if makes else ".")
        )
    require_usable(value, name)
    return value


def as_pillow(name: str, value: Any) -> "Image":
    """Take what `picture` takes and read it."""
    given = picture(name, value)
    return given.as_pillow() if isinstance(given, LazyLoadingImage) else given


def embeddings(name: str, value: Any) -> Any:
    """Take text embeddings, a tensor (1, tokens, dim)."""
    torch = sys.modules.get("torch")  # where it was not imported, nothing is a tensor
    is_tensor = torch is not None and isinstance(value, torch.Tensor)
    if not is_tensor or value.ndim != 3 or value.shape[0] != 1:
        raise BadOptionError(
            f"{name} must be a tensor of shape (1, tokens, dim), not "
            + (f"one of {tuple(value.shape)}" if is_tensor else kind_of(value))
            + "."
        )
    if not value.isfinite().all():
        raise BadOptionError(f"{name} holds NaN or infinity; give finite numbers.")
    return value


def mask_prompt(name: str, value: Any) -> str:
    """Take what the language of mask prompts can read."""
    from imaginairy.masks.language import parse_mask_prompt

    parse_mask_prompt(text(name, value))
    return str(value)


def margins(name: str, value: Any) -> str:
    """Take what `parse_margins` can read."""
    parse_margins(value)
    return str(value)


def parse_margins(value: Any) -> tuple[int, int, int, int]:
    """Read `up10,down300,left50,right50`, `u10,d300`, or `all200`.

    Returns:
        Pixels above, right, below and left; a side that is not named gets 0, or what
        `all` says.

    Raises:
        BadOptionError: it cannot be read so.
    """
    value = value if isinstance(value, str) else shown(value)
    sides: dict[str, int] = {}
    for part in value.lower().replace(" ", "").split(","):
        match = re.fullmatch(r"([a-z]+)(\d{1,9})", part)
        named = [s for s in OUTPAINT_SIDES if match and match[1] in (s, s[0])]
        if match is None or not named or named[0] in sides:
            raise BadOptionError(
                f"outpaint '{value}' cannot be read at '{part}'; write each side once, "
                "as up10,down300,left50,right50 or u10,d300,l50,r50 or all200."
            )
        sides[named[0]] = int(match[2])
    rest = sides.get("all", 0)
    up, right, down, left = (sides.get(side, rest) for side in OUTPAINT_SIDES[:4])
    if not 0 < max(up, right, down, left) <= MAX_MARGIN:
        raise BadOptionError(
            f"outpaint '{value}' adds {max(up, right, down, left)} pixels at most; "
            f"give 1 to {MAX_MARGIN} for at least one side."
        )
    return up, right, down, left


def interval(name: str, value: Any) -> str:
    """Take what `parse_interval` can read."""
    parse_interval(value, name)
    return str(value)


def parse_interval(value: Any, name: str = "guidance_interval") -> tuple[float, float]:
    """Read two shares of the steps, as `0.2:0.8`.

    Raises:
        BadOptionError: it cannot be read so.
    """
    shares = _numbers(value)
    if len(shares) != 2 or not 0 <= shares[0] < shares[1] <= 1:
        raise BadOptionError(
            f"{name} {shown(value)} cannot be read; give the shares of the steps where "
            "it starts and where it ends, from 0 to 1, as 0.2:0.8."
        )
    return shares[0], shares[1]


def projection(name: str, value: Any) -> str:
    """Take what `parse_projection` can read."""
    value = plain(value)
    value = f"{value:g}" if is_number(value) else value
    parse_projection(value, name)
    return str(value)


def parse_projection(value: Any, name: str = "apg") -> tuple[float, ...]:
    """Read one to three numbers, as `0`, `0:15` or `0:15:-0.5`.

    Raises:
        BadOptionError: it cannot be read so.
    """
    numbers = _numbers(value)
    parallel, radius, momentum = (*numbers, *(0.0, 1.0, 0.0)[len(numbers) :])[:3]
    ranges = 0 <= parallel <= 1, 0 < radius < math.inf, -1 < momentum < 1
    if not 1 <= len(numbers) <= 3 or not all(ranges):
        raise BadOptionError(
            f"{name} {shown(value)} cannot be read; give eta, from 0 to 1, and, where "
            "they are to be others, the norm threshold, above 0, and the momentum, "
            "between -1 and 1, as 0:15:-0.5."
        )
    return numbers


def threshold(name: str, value: Any) -> float | str:
    """Take what `parse_threshold` can read; one number alone is one."""
    numbers = parse_threshold(value, name)
    return numbers[0] if len(numbers) == 1 else str(value)


def parse_threshold(value: Any, name: str = "dynamic_threshold") -> tuple[float, ...]:
    """Read one or two numbers, as `0.995` or `0.995:7`.

    Raises:
        BadOptionError: it cannot be read so.
    """
    numbers = (plain(value),) if is_number(value) else _numbers(value)
    if not 1 <= len(numbers) <= 2:
        raise BadOptionError(
            f"{name} {shown(value)} cannot be read; give a share, as 0.995, or a share "
            "and the prompt strength (guidance scale) to whose range to hold it, as "
            "0.995:7."
        )
    share = Number(0.5, 1)(name, numbers[0])
    return share, *(Number(1, 100)(f"the strength of {name}", n) for n in numbers[1:])


def _numbers(value: Any) -> tuple[float, ...]:
    """Return numbers with colons between; none of what cannot be read."""
    try:
        return tuple(float(part) for part in in_words(value).split(":"))
    except ValueError:
        return ()


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number."""
    try:
        value = plain(value)
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return numeric and math.isfinite(value)
    except OverflowError:  # whole, and larger than any float
        return False


def plain(value: Any) -> Any:
    """Return a single value of NumPy's or torch's as Python's own, others as they are.

    What JSON cannot say would be missing from a picture's metadata.
    """
    if getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, numbers.Real) and not isinstance(value, int | float):
        try:
            return int(value) if isinstance(value, numbers.Integral) else float(value)
        except OverflowError:  # a fraction that is larger than any float
            return math.inf
    return value


def kind_of(value: Any) -> str:
    """Name the type of a value, for messages."""
    return type(value).__name__
