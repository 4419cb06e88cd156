"""What people call the parts of a scene, and what is not in it: phrases with masks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from storybook.world import GROUPS, Scene, strays
from storybook.world.animals import CAT_COATS, COLLARS, DOG_COATS
from storybook.world.canvas import OVERSAMPLE
from storybook.world.colors import COLORS
from storybook.world.fruit import BOWLS, PLURALS
from storybook.world.lists import tables
from storybook.world.portraits import HAIRS, SHIRTS
from storybook.world.shapes import OUTLINES
from storybook.world.words import chance, with_article

Kind = Literal["whole", "part", "absent"]
LEAST_PIXELS = 10
"""What shows less of itself is neither asked for nor said to be absent."""

WORDS = {name: row.words for name, row in GROUPS.items() if row.words}
"""What groups say of themselves; the tables below are of those that say nothing."""

SAID = tables("phrases")
PARTS = SAID["parts"]
"""Names of what belongs to something larger; all other names are of wholes."""
OTHER_WORDS: dict[str, tuple[str, ...]] = {
    **{name: (plural,) for name, plural in PLURALS.items() if plural != name},
    **{name: (f"{name}s",) for name in ("shape", *OUTLINES)},
    **SAID["others"],
}
"""What else the world's names are called."""
SAILS = ("red", "white", "orange", "yellow", "pink")
COLORED: dict[str, dict[str, tuple[str, Sequence[str]]]] = {
    "fruit": {"bowl": ("bowl", BOWLS)},
    "portraits": {"hair": ("hair", tuple(HAIRS)), "shirt": ("shirt", SHIRTS)},
    "dog": {"coat": ("dog", DOG_COATS), "collar": ("collar", COLLARS)},
    "cat": {"coat": ("cat", CAT_COATS), "collar": ("collar", COLLARS)},
    "landscapes": {"sail": ("sail", SAILS)},
    **{name: dict(words.colored) for name, words in WORDS.items()},
}
"""By group and attribute: the part that has the colour, and all colours it may have."""
ARGUABLE: dict[str, str] = {
    **SAID["arguable"],
    **{name: words.arguable for name, words in WORDS.items()},
}
"""Names that are neither right nor wrong in a group, where the world has none so."""
ALIKE = (
    *map(set, SAID["alike"]),
    *(set(row.split(", ")) for words in WORDS.values() for row in words.alike),
)
"""Words of which, where one is right, the others are not quite wrong."""


@dataclass(frozen=True)
class Asked:
    """A phrase, and the named parts of the scene that it means."""

    phrase: str
    names: tuple[str, ...]
    kind: Kind

    def mask(self, scene: Scene) -> np.ndarray:
        """Return the (oversampled) pixels that the phrase means, bool."""
        assert scene.parts is not None
        return self.among(scene.parts.paths)[scene.parts.labels]

    def among(self, paths: Sequence[tuple[str, ...]]) -> np.ndarray:
        """Tell which of a scene's parts the phrase means, (parts,) bool."""
        return np.array([any(name in path for name in self.names) for path in paths])


def present(scene: Scene) -> list[Asked]:
    """Return every phrase for what a scene shows enough of."""
    shown, others = visible(scene), other_words(scene)
    asked: list[Asked] = []
    for name in shown:
        for word in (name, *others.get(name, ())):
            asked.append(Asked(word, (name,), kind_of(scene, name)))
    for phrase, names in described(scene):
        if all(name in shown for name in names):
            asked.append(Asked(phrase, names, kind_of(scene, names[0])))
    return asked


def other_words(scene: Scene) -> Mapping[str, tuple[str, ...]]:
    """Return what else the names of a scene are called."""
    words = WORDS.get(scene.group)
    return {**OTHER_WORDS, **words.others} if words else OTHER_WORDS


def visible(scene: Scene) -> list[str]:
    """Return the names of which at least `LEAST_PIXELS` are to be seen, sorted."""
    assert scene.parts is not None
    paths = scene.parts.paths
    counts = np.bincount(scene.parts.labels.ravel(), minlength=len(paths))
    pixels: dict[str, float] = {}
    for path, count in zip(paths, counts.tolist(), strict=True):
        for name in set(path):
            pixels[name] = pixels.get(name, 0) + count / OVERSAMPLE**2
    return sorted(name for name, seen in pixels.items() if seen >= LEAST_PIXELS)


def described(scene: Scene) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield phrases that tell things by their colour, and what they mean."""
    values = scene.attributes
    for attribute, (part, _) in COLORED.get(scene.group, {}).items():
        if values.get(attribute, "none") != "none":
            yield f"{values[attribute]} {part}", (part,)
    if values.get("ground", "none") != "none":
        yield f"{values['ground']} background", ("background",)
    by_color: dict[str, list[str]] = {}
    for color, shape in shapes_of(scene):
        by_color.setdefault(color, []).append(f"{color} {shape}")
    for color, names in by_color.items():
        yield f"{color} shape", tuple(dict.fromkeys(names))


def shapes_of(scene: Scene) -> list[tuple[str, str]]:
    """Return the colour and outline of each shape."""
    values = scene.attributes
    return [
        (values[f"{side}color"], values[f"{side}shape"])
        for side in ("", "left_", "right_", "upper_", "lower_")
        if f"{side}color" in values and f"{side}shape" in values
    ]


def absent(rng: random.Random, scene: Scene) -> Asked:
    """Return a phrase for nothing in the scene: a near miss, a name, or any word."""
    return next(absents(rng, scene))


def absents(rng: random.Random, scene: Scene) -> Iterator[Asked]:
    """Yield such phrases without end."""
    others = other_words(scene)
    here = {word for names in scene.parts.paths for word in names}  # type: ignore[union-attr]
    right = {asked.phrase for asked in present(scene)} | {
        p for p, _ in described(scene)
    }
    right |= {other for name in here for other in others.get(name, ())} | here
    right |= set(ARGUABLE.get(scene.group, "").split())
    right |= {word for words in ALIKE if words & right for word in words}
    while True:
        phrase = rng.choice((near_miss, near_miss, any_name, any_name, any_word))(
            rng, scene
        )
        if phrase not in right:
            yield Asked(phrase, (), "absent")


def near_miss(rng: random.Random, scene: Scene) -> str:
    """Name something of the scene by a colour that it has not."""
    options = [
        f"{value} {part}"
        for part, values in COLORED.get(scene.group, {}).values()
        for value in values
        if value != "none"
    ]
    for color, shape in shapes_of(scene):
        options += [f"{other} {kind}" for other in COLORS for kind in (shape, "shape")]
        options += [f"{color} {other}" for other in OUTLINES]
        options += [f"{other} background" for other in COLORS]
    return rng.choice(options or [any_name(rng, scene)])


def any_name(rng: random.Random, _scene: Scene) -> str:
    """Name something of the world."""
    name = rng.choice(NAMES)
    return rng.choice((name, *NAMED_ELSE.get(name, ())))


def any_word(rng: random.Random, _scene: Scene) -> str:
    """Name something that the world does not know."""
    return " ".join(rng.sample(strays(), rng.choice((1, 1, 2))))


def reworded(rng: random.Random, phrase: str) -> str:
    """Put an article before a phrase now and then, and spell grey as others do."""
    if chance(rng, 0.3):
        phrase = phrase.replace("gray", "grey")
    if chance(rng, 0.25):
        return f"the {phrase}" if chance(rng, 0.5) else with_article(phrase)
    return phrase


def kind_of(scene: Scene, name: str) -> Kind:
    """Tell parts of things from whole things."""
    words = WORDS.get(scene.group)
    pieces = (*PARTS, *words.pieces) if words else PARTS
    return "part" if name in pieces else "whole"


FIRST_NAMES = (
    *PARTS,
    *PLURALS,
    *OUTLINES,
    *SAID["wholes"],
)
LATER = [name for row in WORDS.values() for name in (*row.things, *row.pieces)]
NAMES: tuple[str, ...] = tuple(dict.fromkeys((*FIRST_NAMES, *LATER)))
"""What the world is made of."""
NAMED_ELSE = OTHER_WORDS | {
    name: rest for words in WORDS.values() for name, rest in words.others.items()
}
"""What else these names are called, wherever they are."""
