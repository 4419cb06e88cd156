"""Masks from words: phrases and a picture to what of it they describe."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from PIL import Image, ImageFilter

from imaginairy.images import upright_rgb
from imaginairy.log import log, shortened
from imaginairy.masks.postprocessing import MEDIAN, postprocess
from imaginairy.masks.tree import (
    MAX_GROWTH,
    And,
    Growth,
    MaskTree,
    Modified,
    Not,
    Or,
    Values,
    descriptions,
    evaluate,
)

MASK_SIDE = 512
"""Pixels of a mask's longer side while it is made, however large the picture is, so
that smoothing and margin take the same share of every picture."""
EDGE = 4.0
"""How steeply a cut-out goes from clear to opaque, around a value of one half."""
TINT = (255, 40, 90)
TINT_STRENGTH = 0.5


@dataclass(frozen=True)
class TextMask:
    """Where words are in an image. All images here are of its own size."""

    image: Image.Image
    """The image, RGB and upright."""
    binary: Image.Image
    """What to paint on: white where the words are, with a margin, else black."""
    grayscale: Image.Image
    """How much the words are there, without the margin."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is masked."""
        return self.binary.getbbox() is None

    def cutout(self) -> Image.Image:
        """Return what the words describe, RGBA, transparent around it."""
        levels = [round(255 * ((v / 255 - 0.5) * EDGE + 0.5)) for v in range(256)]
        alpha = self.grayscale.point([min(max(level, 0), 255) for level in levels])
        whole = self.image.copy()
        whole.putalpha(alpha)
        return whole

    def overlay(self) -> Image.Image:
        """Return the image with the mask tinted and outlined, to look at."""
        tint = Image.new("RGB", self.image.size, TINT)
        mixed = Image.blend(self.image, tint, TINT_STRENGTH)
        inner = self.binary.filter(ImageFilter.MinFilter(3))
        shown = Image.composite(mixed, tint, inner)
        return Image.composite(shown, self.image, self.binary)


class PhraseFinder(Protocol):
    """A mask model, such as CLIPSeg."""

    def soft_masks(
        self, image: Image.Image, phrases: Sequence[str], size: tuple[int, int]
    ) -> list[Values]:
        """Say how much each pixel belongs to each phrase.

        Args:
            image: RGB, upright.
            phrases: what to find, each by itself.
            size: width and height of the masks.

        Returns:
            A mask for each phrase, (height, width) in [0, 1].
        """
        ...


def text_mask(
    image: Image.Image, mask_prompt: str, segmenter: PhraseFinder
) -> TextMask:
    """Find in a picture what a mask prompt describes; warn where that is nothing."""
    from imaginairy.masks.language import parse_mask_prompt  # it has a grammar to build

    whole = upright_rgb(image)
    tree = parse_mask_prompt(mask_prompt)
    size = mask_size(whole.size)
    scale = max(size) / max(whole.size)
    phrases = descriptions(tree)
    soft = dict(zip(phrases, segmenter.soft_masks(whole, phrases, size), strict=True))
    finished = postprocess(evaluate(rescaled(tree, scale), soft.__getitem__))
    grayscale = Image.fromarray(finished.grayscale).resize(whole.size)
    binary = Image.fromarray(finished.binary).resize(whole.size)
    found = TextMask(whole, binary.point([0] * 128 + [255] * 128), grayscale)
    if found.is_empty:
        said = shortened(str(tree))
        log.warning("Nothing in the picture is '%s'; the mask is empty.", said)
    return found


def mask_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size that the mask of a picture is made at, (width, height)."""
    scale = MASK_SIDE / max(size)
    width, height = (max(MEDIAN, round(side * scale)) for side in size)
    return width, height


def rescaled(tree: MaskTree, scale: float) -> MaskTree:
    """Return a tree in which growths count in pixels `scale` times as small."""
    match tree:
        case Modified(inner, Growth(pixels)):
            tree = rescaled(inner, scale)
            left = max(round(abs(pixels) * scale), 1) if pixels else 0
            for _ in range(ceil(left / MAX_GROWTH)):
                step = min(left, MAX_GROWTH)
                tree = Modified(tree, Growth(step if pixels > 0 else -step))
                left -= step
            return tree
        case Modified(inner, modifier):
            return Modified(rescaled(inner, scale), modifier)
        case Not(inner):
            return Not(rescaled(inner, scale))
        case And(parts):
            return And(tuple(rescaled(part, scale) for part in parts))
        case Or(parts):
            return Or(tuple(rescaled(part, scale) for part in parts))
    return tree
