"""What a mask prompt says, as a tree of frozen dataclasses, and what it comes to.

`str(tree)` writes it back with no bracket too many; reading that gives the same tree.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Values: TypeAlias = npt.NDArray[np.float32]
"""How much each pixel belongs to something, in [0, 1]."""

MAX_AMOUNT = 1e6
"""The largest number in a strength; one over it is the least to divide by."""
MAX_GROWTH = 100
"""Pixels of one growth; it takes time by the square."""


BARE = r"[a-z0-9 \t-]*[a-z0-9]"
"""Descriptions that need no quotes."""


@dataclass(frozen=True)
class Strength:
    """`{*1.5}`: calculate with each value of a mask, then clamp it to [0, 1]."""

    operator: Literal["*", "/", "+", "-"]
    amount: float
    """Not negative, at most MAX_AMOUNT; to divide by, at least 1 / MAX_AMOUNT."""

    def apply(self, values: Values) -> Values:
        """Return the changed values."""
        match self.operator:
            case "*":
                values = values * self.amount
            case "/":
                values = values / self.amount
            case "+":
                values = values + self.amount
            case "-":
                values = values - self.amount
        return np.clip(values, 0, 1)

    def __str__(self) -> str:
        amount = format(Decimal(repr(self.amount)), "f").removesuffix(".0")
        return f"{{{self.operator}{amount}}}"


@dataclass(frozen=True)
class Growth:
    """`{+5px}`: grow the light areas of a mask, or shrink them where negative.

    Beyond the edge of the picture is nothing that could grow in or eat away.
    """

    pixels: int
    """From -MAX_GROWTH to MAX_GROWTH."""

    def apply(self, values: Values) -> Values:
        """Return the grey mask, dilated or eroded with a round brush."""
        import cv2

        size = 2 * abs(self.pixels) + 1
        brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        change = cv2.dilate if self.pixels > 0 else cv2.erode
        return np.asarray(change(values, brush), dtype=np.float32)

    def __str__(self) -> str:
        return f"{{{self.pixels:+d}px}}"


class _Writable:
    def __str__(self: "MaskTree") -> str:  # type: ignore[misc]  # is one of them
        return _write(self)


@dataclass(frozen=True)
class Phrase(_Writable):
    """A description of something to be seen; not blank."""

    text: str


@dataclass(frozen=True)
class Modified(_Writable):
    """A mask made stronger, weaker, larger or smaller."""

    mask: "MaskTree"
    modifier: Strength | Growth


@dataclass(frozen=True)
class Not(_Writable):
    """Everything but the mask."""

    mask: "MaskTree"


@dataclass(frozen=True)
class And(_Writable):
    """What all of two or more masks share."""

    masks: tuple["MaskTree", ...]


@dataclass(frozen=True)
class Or(_Writable):
    """What is in any of two or more masks."""

    masks: tuple["MaskTree", ...]


MaskTree: TypeAlias = Phrase | Modified | Not | And | Or


def descriptions(tree: MaskTree) -> tuple[str, ...]:
    """Return the distinct descriptions of a tree, in the order they appear."""
    if isinstance(tree, Phrase):
        return (tree.text,)
    return tuple(dict.fromkeys(d for part in _parts(tree) for d in descriptions(part)))


def evaluate(tree: MaskTree, mask_of: Callable[[str], npt.ArrayLike]) -> Values:
    """Return the mask that a tree describes.

    `mask_of` gives the mask of a description, in [0, 1] and always of one shape; it is
    asked once for each. Growth counts in pixels of these masks.
    """
    return _combine(
        tree, {d: np.asarray(mask_of(d), dtype=np.float32) for d in descriptions(tree)}
    )


def _combine(tree: MaskTree, masks: Mapping[str, Values]) -> Values:
    match tree:
        case Phrase(text):
            return masks[text]
        case Modified(mask, modifier):
            return modifier.apply(_combine(mask, masks))
        case Not(mask):
            return np.clip(1 - _combine(mask, masks), 0, 1)
        case And(several):
            return reduce(np.minimum, [_combine(mask, masks) for mask in several])
        case Or(several):
            return reduce(np.maximum, [_combine(mask, masks) for mask in several])


def _parts(tree: MaskTree) -> tuple[MaskTree, ...]:
    match tree:
        case Phrase():
            return ()
        case Modified(mask, _) | Not(mask):
            return (mask,)
        case And(masks) | Or(masks):
            return masks


def levels_of(tree: MaskTree) -> int:
    """Return how many levels a tree has; `NOT NOT a` has three."""
    levels, level = 0, [tree]
    while level:
        levels, level = levels + 1, [part for each in level for part in _parts(each)]
    return levels


# Writing

_BINDS = {Or: 0, And: 1, Not: 2, Modified: 3, Phrase: 4}


def _write(tree: MaskTree) -> str:
    match tree:
        case Phrase(text):
            bare = "\t" not in text and re.fullmatch(f"(?! ){BARE}", text)
            return text if bare else _quote(text)
        case Modified(mask, modifier):
            twice = isinstance(modifier, Strength) and _has_strength(mask)
            return _write_within(Phrase if twice else Modified, mask) + str(modifier)
        case Not(mask):
            return f"NOT {_write_within(Not, mask)}"
        case And(masks):
            return " AND ".join(_write_within(Not, mask) for mask in masks)
        case Or(masks):
            return " OR ".join(_write_within(And, mask) for mask in masks)


def _write_within(loosest: type[MaskTree], tree: MaskTree) -> str:
    loose = _BINDS[type(tree)] < _BINDS[loosest]
    return f"({_write(tree)})" if loose else _write(tree)


def _has_strength(tree: MaskTree) -> bool:
    while isinstance(tree, Modified) and isinstance(tree.modifier, Growth):
        tree = tree.mask
    return isinstance(tree, Modified)


def _quote(text: str) -> str:
    mark = "'" if '"' in text and "'" not in text else '"'
    escaped = text.replace("\\", r"\\").replace(mark, f"\\{mark}")
    return f"{mark}{escaped}{mark}"
