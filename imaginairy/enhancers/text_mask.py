"""Masks from words: phrases and a picture to what of it they describe."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import torch
from PIL import Image, ImageFilter
from torch.nn import functional as F

from imaginairy import checks
from imaginairy.enhancers.mask_language import parse_mask_prompt
from imaginairy.enhancers.mask_postprocess import MEDIAN, postprocess
from imaginairy.enhancers.mask_tree import (
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
from imaginairy.images import upright_rgb
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.log import log, shortened
from imaginairy.models.segmentation import Segmenter
from imaginairy.models.store import ModelStore
from imaginairy.stand_ins import suited

MASK_SIDE = 512
"""Pixels of a mask's longer side while it is made, however large the picture is, so
that smoothing and margin take the same share of every picture."""
PHRASES_AT_ONCE = 16
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


def mask(
    image: str | Path | Image.Image | LazyLoadingImage,
    mask_prompt: str,
    *,
    mask_model: str | None = None,
    device: str | None = None,
    store: ModelStore | None = None,
) -> TextMask:
    """Find in an image what words describe, such as `fruit AND NOT banana`.

    Args:
        image: a path, a web address or an image.
        mask_prompt: descriptions, joined by AND, OR, NOT and brackets, with strengths
            such as `{*1.5}` and growths such as `{+5px}`.
        mask_model: a mask model's name, path, or owner/repo on the hub; None takes
            CLIPSeg or, where that cannot be had, for images of storybook's world the
            bundled one.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        store: keeps models loaded from one call to the next; `device` is its own then.

    Raises:
        ForeignPictureError: CLIPSeg cannot be had, and the image is of another world.
        ImaginairyError: the image, the words or a model are not as they should be.
    """
    checks.mask_prompt("mask_prompt", mask_prompt)  # refused before any work
    pillow = checks.as_pillow("image", image)
    store = store or ModelStore(device)
    with store.in_use():
        segmenter = store.segmenter(suited(store, "mask", mask_model, pillow))
        return text_mask(pillow, mask_prompt, segmenter)


def text_mask(image: Image.Image, mask_prompt: str, segmenter: Segmenter) -> TextMask:
    """Find in a picture what a mask prompt describes; warn where that is nothing."""
    whole = upright_rgb(image)
    tree = parse_mask_prompt(mask_prompt)
    size = mask_size(whole.size)
    scale = max(size) / max(whole.size)
    phrases = descriptions(tree)
    soft = dict(zip(phrases, soft_masks(whole, phrases, segmenter, size), strict=True))
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


@torch.inference_mode()
def soft_masks(
    image: Image.Image,
    phrases: Sequence[str],
    segmenter: Segmenter,
    size: tuple[int, int],
) -> list[Values]:
    """Say how much each pixel belongs to each phrase, (height, width) in [0, 1].

    The picture is encoded once for all phrases.
    """
    meanings = segmenter.read(phrases)
    seen = segmenter.look(segmenter.picture_input.of(image))
    width, height = size
    masks: list[Values] = []
    for several in torch.split(meanings, PHRASES_AT_ONCE):
        for logits in segmenter.find(seen, several).cpu():
            large = F.interpolate(logits[None, None], (height, width), mode="bilinear")
            masks.append(large[0, 0].sigmoid().numpy())
    return masks


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
