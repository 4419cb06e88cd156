"""Controls: what a picture is steered by, as it is asked for.

    canny                       edges, by the ControlNet for these of the model's family
    canny=0.8:edges.png         a strength, and the picture that the hint is made of
    canny=0.8:edges.png@0-0.7   only over a part of the steps
    FILE,hint=depth             a ControlNet or T2I-Adapter of one's own
    FILE,raw:depth.png          a picture that is a hint already
    canny,guess                 what it shows is found out without the prompt

`FILE` is a path, a name, `owner/repo[:file]` on the hub or a web address.
"""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from imaginairy.asked_files import LONGEST, NUMBER, asked_file, several
from imaginairy.checks import Number, flag, picture
from imaginairy.errors import BadOptionError, shown
from imaginairy.lazy_image import LazyLoadingImage

if TYPE_CHECKING:
    from PIL.Image import Image

STRENGTH = Number(0, 10)
SHARE = Number(0, 1)
MOST = 20
"""Controls of one picture."""
NAME = (
    r"(?:[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]+://(?:[^:/]+:\d+/)?)?[^:]+?"
    r"(?::[^:]*?\.(?:safetensors|pth|pt|bin|ckpt))?"
)
"""Colons are of a drive, of an address or before a file of weights of a repository."""
GIVEN = (
    rf"(?s)(?P<name>{NAME})(?:=(?P<strength>{NUMBER}))?"
    r"(?P<more>(?:,(?:hint=[A-Za-z][\w-]*|guess|raw))*)"
    rf"(?::(?P<image>.+?))?(?:@(?P<start>{NUMBER})-(?P<end>{NUMBER}))?"
)
WAYS = "as canny=0.8:edges.png@0-0.7, where all but the first word may be left out"


@dataclass(frozen=True, eq=False)
class Control:
    """What a picture is steered by, how much, and for which of the steps.

    Raises:
        BadOptionError: a number is out of range, or something is of another kind.
        BadImageError: the image cannot be read.
        MissingFileError: there is no such image.
    """

    name: str
    """A kind of hint, for which the model's family has a ControlNet or T2I-Adapter, or
    such a model: a name, a path, `owner/repo[:file]` on the hub, or a web address."""
    image: "str | Path | Image | LazyLoadingImage | None" = None
    """What the hint is made of; None for the prompt's own `control_image`."""
    strength: float = 1.0
    """How much of it acts; 0 is nothing, up to 10."""
    start: float = 0.0
    """The share of the steps that is walked before it acts."""
    end: float = 1.0
    """The share of the steps after which it acts no more."""
    hint: str | None = None
    """The kind of hint that is made of the image, where the name does not tell."""
    raw: bool = False
    """Whether the image is a hint already."""
    guess: bool = False
    """Whether the control finds out what the hint shows without the prompt."""

    def __post_init__(self) -> None:
        name = asked_file("name of a control", self.name, f"A control is given {WAYS}")
        self._set("name", name)
        said = f"The strength of the control '{name}'"
        self._set("strength", STRENGTH(said, self.strength))
        for share in ("start", "end"):
            said = f"The {share} of the control '{name}'"
            self._set(share, SHARE(said, getattr(self, share)))
        if self.start >= self.end:
            raise BadOptionError(
                f"The control '{name}' acts from {self.start:g} to {self.end:g} of the "
                "steps, which is none of them; give a start below the end, as @0-0.7."
            )
        for choice in ("raw", "guess"):
            said = f"{choice} of the control '{name}'"
            self._set(choice, flag(said, getattr(self, choice)))
        if self.hint is not None and not _is_word(self.hint):
            raise BadOptionError(
                f"The hint of the control '{name}' is a word such as canny or depth, "
                f"not {shown(self.hint)}."
            )
        if self.image is not None:
            said = f"The image of the control '{name}'"
            self._set("image", picture(said, self.image))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def kind(self) -> Hashable:
        """What it has in common with those that act the same on other images."""
        numbers = self.strength, self.start, self.end
        return self.name, *numbers, self.hint, self.raw, self.guess

    def __str__(self) -> str:
        """Return it as it is given in a line; an image in memory has no words."""
        strength = "" if self.strength == 1 else f"={self.strength!r}"
        more = f",hint={self.hint}" if self.hint else ""
        more += ",guess" * self.guess + ",raw" * self.raw
        image = f":{self.image}" if isinstance(self.image, LazyLoadingImage) else ""
        whole = (self.start, self.end) == (0, 1)
        shares = "" if whole else f"@{self.start!r}-{self.end!r}"
        return f"{self.name}{strength}{more}{image}{shares}"


FIELDS = tuple(each.name for each in fields(Control))
ControlLike: TypeAlias = "str | PathLike[str] | Control | Mapping[str, Any]"
"""What asks for a control: text that `parse_control` reads, a path, or the thing."""


def recorded_control(control: Control, image: str | None) -> dict[str, Any]:
    """Return a control as plain values that `parse_control` takes.

    Args:
        image: what its image is recorded as.
    """
    usual = {each.name: each.default for each in fields(Control)}
    said = {name: getattr(control, name) for name in FIELDS} | {"image": image}
    return {n: v for n, v in said.items() if n == "name" or v != usual[n]}


def filled_control(control: Control, image: Any, *, raw: bool, guess: bool) -> Control:
    """Return a control with what was left open of it.

    Args:
        image: what the hint is made of where it has no image of its own.
        raw: whether it is a hint already.
        guess: whether the control finds out what the hint shows.

    Raises:
        BadOptionError: there is no image.
    """
    own, name = image if control.image is None else control.image, control.name
    if own is None:
        raise BadOptionError(
            f"The control '{name}' has no image to make its hint of; give "
            f"control_image, or one of its own behind a colon, as {name}:FILE."
        )
    raw, guess = control.raw or raw, control.guess or guess
    return replace(control, image=own, raw=raw, guess=guess)


def parse_control(given: Any) -> Control:
    """Read `NAME=0.8,hint=KIND,guess,raw:FILE@0-0.7`; all but the name may be left out.

    Raises:
        BadOptionError: it cannot be read so, or a number is out of range.
        BadImageError: the image cannot be read.
        MissingFileError: there is no such image.
    """
    if isinstance(given, Control):
        return given
    if isinstance(given, Mapping) and "name" in given and set(given) <= {*FIELDS}:
        return Control(**given)
    if isinstance(given, PathLike):
        return Control(str(given))
    short = isinstance(given, str) and len(given) <= LONGEST
    read = re.fullmatch(GIVEN, given) if short else None
    if read is None or not read["name"].strip():
        raise BadOptionError(f"A control is given {WAYS}, not {shown(given)}.")
    more = [each for each in read["more"].split(",") if each]
    said = [each.partition("=")[0] for each in more]
    if len({*said}) < len(said):
        raise BadOptionError(f"The control {shown(given)} says a thing twice.")
    hints = [each.partition("=")[2] for each in more if each.startswith("hint=")]
    return Control(
        read["name"],
        read["image"],
        _number(read["strength"], 1.0),
        _number(read["start"], 0.0),
        _number(read["end"], 1.0),
        hint=next(iter(hints), None),
        raw="raw" in said,
        guess="guess" in said,
    )


def said_of(given: Any) -> tuple[str, Any]:
    """Return the name and the image of what asks for a control, with no look at either.

    What cannot be read has no name.
    """
    if isinstance(given, Control):
        return given.name, given.image
    if isinstance(given, Mapping):
        return str(given.get("name", "")), given.get("image")
    short = isinstance(given, str) and len(given) <= LONGEST
    read = re.fullmatch(GIVEN, given) if short else None
    return (read["name"], read["image"]) if read else ("", None)


def controls(name: str, value: Any) -> tuple[Control, ...]:
    """Take controls: one, or several, each as `parse_control` takes it.

    Raises:
        BadOptionError: they cannot be read so, or are too many.
    """
    if isinstance(value, Control | Mapping):
        value = (value,) if value else ()
    given = several(name, value, f"controls, each {WAYS}")
    if len(given) > MOST:
        raise BadOptionError(
            f"There are {len(given)} controls; at most {MOST} can act."
        )
    return tuple(parse_control(each) for each in given)


def _is_word(hint: Any) -> bool:
    return isinstance(hint, str) and re.fullmatch(r"[A-Za-z][\w-]*", hint) is not None


def _number(said: str | None, usual: float) -> float:
    return usual if said is None else float(said)
