"""The kinds of hints, one row each; nothing here needs torch or OpenCV."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imaginairy.errors import BadOptionError, near_miss
from imaginairy.hints import bodies, classes, colours, lines, relief
from imaginairy.hints.options import OPTIONS, HintOption


@dataclass(frozen=True)
class HintKind:
    """A kind of hint: what is seen in a picture, and how it is found."""

    name: str
    says: str
    """What the hint shows, in one sentence."""
    make: Callable[..., lines.Pixels]
    """Takes the pixels (height, width, 3), 0 to 255, or what the model of its role
    found in the picture, and `options` by name."""
    also: tuple[str, ...] = ()
    """Other names that it goes by."""
    role: str | None = None
    """The role of the model that finds it, or None where none is needed."""
    after: str | None = None
    """The role of the model that says where that one is to look, or None."""

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of all models that it needs."""
        return tuple(role for role in (self.role, self.after) if role is not None)

    @property
    def options(self) -> Mapping[str, HintOption]:
        """The numbers that it takes, by name."""
        return OPTIONS.get(self.name, {})


DEPTH, SOFT_EDGES, SEGMENTER = "depth", "soft-edges", "segmenter"
POSE, PEOPLE = "pose", "person-detector"


HINTS: dict[str, HintKind] = {
    kind.name: kind
    for kind in (
        HintKind(
            "canny",
            "Edges, one pixel wide, white on black.",
            lines.canny,
            ("edges", "edge"),
        ),
        HintKind(
            "lines",
            "What is darker than its surroundings, as drawn lines are, white on black.",
            lines.lines,
            ("lineart", "line"),
        ),
        HintKind(
            "scribble",
            "The main edges in a broad stroke, white on black.",
            lines.scribble,
            ("sketch",),
        ),
        HintKind(
            "depth",
            "How near things are, the nearest white.",
            relief.depth,
            ("midas", "zoe"),
            role=DEPTH,
        ),
        HintKind(
            "normal",
            "Which way surfaces face: red to the right, green up, blue to the viewer.",
            relief.normal,
            ("normals", "normalbae"),
            role=DEPTH,
        ),
        HintKind(
            "softedge",
            "Edges as soft as they are unsure, white on black.",
            relief.softedge,
            ("hed",),
            role=SOFT_EDGES,
        ),
        HintKind(
            "segmentation",
            "What is where, each class of things in its colour of ADE20K.",
            classes.segmentation,
            ("seg",),
            role=SEGMENTER,
        ),
        HintKind(
            "pose",
            "Joints and limbs of people in OpenPose's colours, on black.",
            bodies.pose,
            ("openpose",),
            role=POSE,
            after=PEOPLE,
        ),
        HintKind(
            "blur",
            "The picture, blurred.",
            colours.blur,
            ("gaussian",),
        ),
        HintKind("tile", "The picture itself, whose details are new.", colours.tile),
        HintKind(
            "colours",
            "A grid of squares of the picture's mean colours.",
            colours.colours,
            ("colors", "color", "colour"),
        ),
        HintKind(
            "shuffle",
            "The picture's colours, moved about by chance.",
            colours.shuffle,
        ),
        HintKind(
            "invert",
            "The picture with light and dark exchanged, for black lines on white.",
            colours.invert,
            ("inverted",),
        ),
    )
}
"""Every kind of hint that is made of a picture alone; one for inpainting needs a mask,
and `inpainting` makes it."""

_BY_NAME = {name: kind for kind in HINTS.values() for name in (kind.name, *kind.also)}


def hint_kind(name: str) -> HintKind:
    """Return the row of a kind, by its name or another that it goes by.

    Raises:
        BadOptionError: no kind goes by that name.
    """
    kind = _BY_NAME.get(name.strip().lower())
    if kind is None:
        raise BadOptionError(
            f"'{name}' is no kind of hint; there are {', '.join(HINTS)}."
            f"{near_miss(name, _BY_NAME)}"
        )
    return kind


def filled_options(kind: HintKind, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of a kind, those that were not given by default.

    Raises:
        BadOptionError: one is not the kind's, no number, or out of its bounds.
    """
    for name, value in given.items():
        option = kind.options.get(name)
        if option is None:
            takes = ", ".join(kind.options) or "none"
            raise BadOptionError(
                f"The hint {kind.name} has no option '{name}'; its options: {takes}."
            )
        allowed = (int,) if option.whole else (int, float)
        if (
            not isinstance(value, allowed)
            or isinstance(value, bool)
            or not option.low <= value <= option.high
        ):
            number = "a whole number" if option.whole else "a number"
            raise BadOptionError(
                f"{name} of the hint {kind.name} is {value!r}; give {number} from "
                f"{option.low:g} to {option.high:g}."
            )
    filled = {name: given.get(name, row.default) for name, row in kind.options.items()}
    if {"low", "high"} <= filled.keys() and filled["low"] > filled["high"]:
        raise BadOptionError(
            f"low of the hint {kind.name} is {filled['low']:g} and high is "
            f"{filled['high']:g}; low can be no more than high."
        )
    return filled


def shared_options(
    names: Iterable[str], given: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return for each kind all its options, from numbers that are given once for all.

    Raises:
        BadOptionError: a kind is none, no kind takes an option, or one is wrong.
    """
    kinds = [hint_kind(name) for name in names]
    for name in given:
        if not any(name in kind.options for kind in kinds):
            filled_options(kinds[0], {name: given[name]})
    return {
        kind.name: filled_options(
            kind, {name: given[name] for name in kind.options if name in given}
        )
        for kind in kinds
    }
