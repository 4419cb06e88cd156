"""What a drawn scene consists of, and how its attributes are chosen."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from storybook.world.canvas import Canvas, PartMap, Point

HELD_OUT_SHARE = 16
"""One attribute combination in this many is kept out of training."""


@dataclass(frozen=True)
class Face:
    """A face in picture points."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom."""
    landmarks: tuple[Point, ...]
    """The viewer's left and right eye, nose, left and right mouth corner."""


@dataclass(frozen=True)
class Scene:
    """One picture of the world and everything known about it."""

    group: str
    image: Image.Image
    caption: str
    attributes: dict[str, str]
    parts: PartMap | None = None
    faces: tuple[Face, ...] = ()
    large: Image.Image | None = None
    """The same picture, `detail` times as large, where that was asked for."""
    held_out: bool = False
    """True when this combination of key attributes is kept for evaluation."""


class Picker:
    """Choose attributes at random, except those that were asked for."""

    def __init__(self, rng: random.Random, wanted: Mapping[str, str]) -> None:
        self._rng = rng
        self._wanted = dict(wanted)
        self.values: dict[str, str] = {}

    def __call__(
        self,
        name: str,
        options: Sequence[str] | Mapping[str, float],
        *,
        avoid: Sequence[str] = (),
    ) -> str:
        """Return and note one of the options (a mapping gives their weights)."""
        if name in self._wanted:
            value = self._wanted.pop(name)
            if value not in options:
                raise ValueError(f"{name}={value!r} is not one of {', '.join(options)}")
        else:
            free = [option for option in options if option not in avoid]
            weights = (
                [options[option] for option in free]
                if isinstance(options, Mapping)
                else None
            )
            value = self._rng.choices(free, weights)[0]
        self.values[name] = value
        return value

    def finish(self) -> dict[str, str]:
        """Return the chosen attributes; complain about unknown wishes."""
        if self._wanted:
            raise ValueError(
                f"unknown attributes here: {', '.join(self._wanted)}; "
                f"known: {', '.join(self.values)}"
            )
        return self.values


@dataclass(frozen=True)
class Words:
    """What the things of a group are called."""

    plain: Callable[[Mapping[str, str]], str]
    """Say all that a scene shows, always in the same words and order."""
    main: str
    """Matches the beginning of a plain caption; its groups are main attributes."""
    things: tuple[str, ...] = ()
    """Names of wholes, as `Canvas.part` is told them."""
    pieces: tuple[str, ...] = ()
    """Names of what belongs to something larger."""
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What else the names are called."""
    colored: Mapping[str, tuple[str, Sequence[str]]] = field(default_factory=dict)
    """By attribute: the part that has the colour, and all colours it may have."""
    arguable: str = ""
    """Names that are neither right nor wrong here."""
    alike: tuple[str, ...] = ()
    """Names separated by commas; where one is right, the others are not quite wrong."""
    also: str = ""
    """What else means something in its captions."""

    def meaningful(self) -> set[str]:
        """Return every word that means something here."""
        others = [phrase for row in self.others.values() for phrase in row]
        phrases = (*self.things, *self.pieces, *others, self.also)
        return {word for phrase in phrases for word in phrase.split()}


@dataclass(frozen=True)
class Group:
    """One kind of picture: how to choose, draw and describe it."""

    name: str
    share: float
    """Relative frequency in training."""
    choose: Callable[[Picker], None]
    draw: Callable[[Canvas, random.Random, dict[str, str]], Sequence[Face]]
    describe: Callable[[random.Random, dict[str, str]], str]
    """Return a true caption, without style words."""
    key: tuple[str, ...] = field(default=())
    """Attributes whose combinations are held out for evaluation."""
    media: tuple[str, ...] = ()
    """Openings such as "photo of" that suit this group."""
    words: Words | None = None
    """What its things are called, where `plain` and `phrases` have no rows of it."""
    faces: bool = False
    """True where people's faces may be seen."""

    def holds_out(self, attributes: Mapping[str, str]) -> bool:
        """Tell whether a combination of key attributes is kept from training."""
        if not self.key:
            return False
        text = "/".join((self.name, *(attributes.get(key, "") for key in self.key)))
        return zlib.crc32(text.encode()) % HELD_OUT_SHARE == 0
