"""How a file is told that no family draws with: by names and shapes alone."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from imaginairy.families.family import Shape
from imaginairy.samplers.prediction import Prediction

SD1, SD2 = "Stable Diffusion 1.x", "Stable Diffusion 2.x"
SDXL, REFINER = "Stable Diffusion XL (SDXL)", "the refiner of Stable Diffusion XL"
SD3 = "Stable Diffusion 3"
FLUX1, FLUX2, CHROMA = "Flux.1", "Flux.2", "Chroma"
ZIMAGE, LUMINA = "Z-Image", "Lumina 2"

CONTEXTS = {768: SD1, 1024: SD2, 2048: SDXL, 1280: REFINER}
"""How wide the text is that a UNet reads."""
READS_TEXT = r"attn2\.to_k\.weight$"


@dataclass(frozen=True)
class Sign:
    """A tensor that is there."""

    name: str
    """Pattern of a part of its name."""
    axis: int = 0
    sizes: Collection[int] = ()
    """What it may measure along that axis; anything where there are none."""

    def is_in(self, shapes: Mapping[str, Shape]) -> bool:
        """Tell whether there is such a tensor."""
        found = filter(re.compile(self.name).search, shapes)
        return any(
            not self.sizes or {*shapes[name][self.axis :][:1]} & {*self.sizes}
            for name in found
        )


@dataclass(frozen=True)
class Absent(Sign):
    """A tensor that is not there."""

    def is_in(self, shapes: Mapping[str, Shape]) -> bool:
        """Tell whether there is no such tensor."""
        return not super().is_in(shapes)


Signs = tuple[Sign, ...]
"""Tensors that are all there."""


@dataclass(frozen=True)
class Kind:
    """What a file can hold."""

    name: str
    """What it is called where its family stands beside it."""
    title: str
    """The same with its article, where the family is not known."""
    signs: Signs
    families: tuple[tuple[str, Signs], ...] = ()
    """The families that it may be of, and by what each is told."""
    of: str = ""
    """The title with `{}` for the family, where one is told."""
    advice: str = ""
    """What follows in a refusal; nothing where it is a model of another family."""
    says_family: bool = False
    """Whether its metadata may say the family; see `SAID`."""


@dataclass(frozen=True)
class Stranger:
    """What a file is that no family draws with."""

    kind: str
    family: str | None
    title: str
    """What it is, with its article, for the middle of a sentence."""
    advice: str = ""
    """What follows in a refusal; nothing where it is a model of another family."""
    predicts: Prediction | None = None
    """What a model's network says of noised latents, where that is known."""


def names(*patterns: str) -> Signs:
    """Return signs of which each is a name."""
    return tuple(map(Sign, patterns))


def widths(
    pattern: str, axis: int, of: Mapping[int, str]
) -> tuple[tuple[str, Signs], ...]:
    """Tell families by what a tensor measures along an axis."""
    return tuple(
        (family, (Sign(pattern, axis, (size,)),)) for size, family in of.items()
    )
