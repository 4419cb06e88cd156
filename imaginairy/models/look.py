"""How pictures of a drawn world look, told from their pixels; nothing here needs torch.

A picture is counted in three ways, at about 128 x 128 pixels: which colours it has, how
much neighbouring pixels differ there, and how much they differ at half that size. Drawn
pictures are made of flat areas, soft blends and sharp edges in colours of their own;
photographs have fine texture nearly everywhere. A weighted sum of the counts tells them
apart; the weights lie beside the model of that world.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILE = "look.json"
Floats = NDArray[np.float32]

AREA = 128 * 128
"""Pixels that a picture is brought down to; smaller ones stay as they are."""
LEAST_SIDE = 8
STEPS = np.array((1.5, 3.5, 7.5, 15.5, 30.5, 70.5), np.float32) / 255
"""Between these, differences across a pixel are counted together."""
BENDS = np.array((2.5, 6.5, 14.5, 30.5, 70.5, 150.5), np.float32) / 255
"""Between these, differences from the mean of the neighbours, times 4."""
GREY = 16
"""Colours whose channels differ by less have no hue."""
HUES = 12
SATURATIONS = (48, 96, 160)
BRIGHTNESSES = (64, 128, 192)
COARSE = 16
"""Levels of a channel where colours are counted that differ clearly."""
COMMONEST = (1, 4, 16)


@dataclass(frozen=True)
class Look:
    """Tells whether pictures look as those of a world do."""

    weights: Floats
    """One for each of the counts, (counts,)."""
    bias: float

    def fits(self, image: Image.Image) -> bool:
        """Tell whether an RGB picture looks as if it were of this world."""
        return self.score(image) > 0

    def score(self, image: Image.Image) -> float:
        """Say how much it does; 0 is where pictures begin to be refused."""
        return float(counts(image) @ self.weights) + self.bias


@cache
def read_look(folder: Path) -> Look:
    """Read what lies beside a model's weights."""
    values: Mapping[str, Any] = json.loads((folder / FILE).read_bytes())
    return Look(np.array(values["weights"], np.float32), values["bias"])


def counts(image: Image.Image) -> Floats:
    """Return what is counted in an RGB picture, (counts,), each about 0 to 1."""
    pixels = reduced(image)
    half = halved(pixels)
    return np.concatenate(
        [texture(pixels), texture(half), colours(pixels), variety(pixels)]
    ).astype(np.float32)


def reduced(image: Image.Image) -> Floats:
    """Bring a picture down to about `AREA` pixels, (height, width, 3) in [0, 1]."""
    scale = min(1.0, (AREA / (image.width * image.height)) ** 0.5)
    size = [max(LEAST_SIDE, round(side * scale)) for side in image.size]
    if scale < 1 or min(image.size) < LEAST_SIDE:
        image = image.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32) / np.float32(255)


def halved(pixels: Floats) -> Floats:
    """Average every square of 2 x 2 pixels."""
    height, width = (side // 2 for side in pixels.shape[:2])
    squares = pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    means: Floats = squares.mean(axis=(1, 3)).astype(np.float32)
    return means


def texture(pixels: Floats) -> Floats:
    """Count how often how large a step meets how large a bend: roots of the shares.

    A step is what the pixels on both sides of one differ by, halved; a bend is what it
    differs by from its four neighbours' mean, times 4. The channel that differs most
    counts.
    """
    middle = pixels[1:-1, 1:-1]
    left, right = pixels[1:-1, :-2], pixels[1:-1, 2:]
    above, below = pixels[:-2, 1:-1], pixels[2:, 1:-1]
    across = np.maximum(abs(right - left), abs(below - above)).max(axis=-1) / 2
    bend = abs(4 * middle - left - right - above - below).max(axis=-1)
    kinds = len(BENDS) + 1
    both = np.digitize(across, STEPS) * kinds + np.digitize(bend, BENDS)
    return shares(both, (len(STEPS) + 1) * kinds)


def colours(pixels: Floats) -> Floats:
    """Count hues by saturation and brightness, and greys: roots of the shares."""
    levels = (255 * pixels).reshape(-1, 3)
    most, least = levels.max(axis=1), levels.min(axis=1)
    apart = most - least
    red, green, blue = levels.T
    turn = np.select(
        [most == red, most == green],
        [(green - blue), (blue - red) + 2 * apart],
        (red - green) + 4 * apart,
    ) / np.maximum(apart, 1)
    hue = np.floor(turn * HUES / 6).astype(int) % HUES
    bright = np.digitize(most, BRIGHTNESSES)
    tones = len(BRIGHTNESSES) + 1
    strength = np.digitize(apart, SATURATIONS)
    coloured = tones + (strength * HUES + hue) * tones + bright
    kinds = tones + (len(SATURATIONS) + 1) * HUES * tones
    return shares(np.where(apart < GREY, bright, coloured), kinds)


def variety(pixels: Floats) -> Floats:
    """Say how many clearly different colours there are, and how common the commonest.

    Returns:
        The logarithm of their number and their entropy, by the largest there can be,
        then the shares of the commonest one, four and sixteen.
    """
    coarse = np.minimum(pixels * COARSE, COARSE - 1).astype(int)
    codes = (coarse @ (COARSE**2, COARSE, 1)).ravel()
    found = np.bincount(codes, minlength=COARSE**3)
    sorted_shares = np.sort(found[found > 0])[::-1] / codes.size
    entropy = -(sorted_shares * np.log(sorted_shares)).sum()
    commonest = [sorted_shares[:number].sum() for number in COMMONEST]
    figures = [np.log(len(sorted_shares)), entropy] / np.log(COARSE**3)
    return np.array([*figures, *commonest], np.float32)


def shares(kinds: NDArray[Any], number: int) -> Floats:
    """Return the root of the share of each kind, (number,)."""
    return np.sqrt(np.bincount(kinds.ravel(), minlength=number) / kinds.size)
