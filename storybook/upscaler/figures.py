"""How well pictures are enlarged, of scenes held back, beside plain enlarging."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn

from imaginairy.networks.autoencoder import Autoencoder
from storybook import settings
from storybook.drawing.autoencoder import psnr, to_pixels
from storybook.training.cache import to_tensor
from storybook.training.loop import Figures
from storybook.world import draw_scene
from storybook.world.canvas import SIZE

EDGE = 24
"""Steps of 255 to the next pixel that make an edge."""

Pair = dict[str, np.ndarray]
"""A scene: `drawn` and `decoded`, both small, and `large`; (side, side, 3) uint8."""


def fresh_pairs(count: int, autoencoder: Autoencoder) -> list[Pair]:
    """Draw scenes of combinations that are held back from training."""
    rng = random.Random(f"{settings.SEED}/large/fresh")
    pairs: list[Pair] = []
    while len(pairs) < count:
        if not draw_scene(random.Random(seed := rng.getrandbits(64))).held_out:
            continue
        scene = draw_scene(random.Random(seed), detail=settings.UPSCALER.scale)
        small = np.asarray(scene.image)
        with torch.no_grad():
            moments = autoencoder.encode(to_tensor(small[None], torch.device("cpu")))
            again = to_pixels(autoencoder.decode(moments.chunk(2, dim=1)[0]))[0]
        large = np.asarray(scene.large)
        pairs.append({"drawn": small, "decoded": again, "large": large})
    return pairs


def figures_of(network: nn.Module, pairs: Sequence[Pair]) -> Figures:
    """Return what is gained over bicubic enlarging, in decibels, and the sharpness.

    That is how steep the edges of the large drawings come out, 1 as drawn.
    """
    figures: Figures = {}
    wanted = np.stack([pair["large"] for pair in pairs])
    for kind in ("drawn", "decoded"):
        ours = np.stack([enlarged(network, pair[kind]) for pair in pairs])
        plain = np.stack([bicubic(pair[kind]) for pair in pairs])
        figures[f"{kind}_psnr"] = psnr(wanted, ours)
        figures[f"{kind}_gain"] = psnr(wanted, ours) - psnr(wanted, plain)
        figures[f"{kind}_sharpness"] = sharpness(wanted, ours)
        figures[f"{kind}_sharpness_bicubic"] = sharpness(wanted, plain)
    return figures


@torch.no_grad()
def enlarged(network: nn.Module, pixels: np.ndarray) -> np.ndarray:
    """Enlarge one picture whole, (side, side, 3) uint8."""
    device = next(network.parameters()).device
    picture = (to_tensor(pixels[None], device) + 1) / 2
    return to_pixels(network(picture) * 2 - 1)[0]


def bicubic(pixels: np.ndarray) -> np.ndarray:
    """Enlarge one picture as any program does."""
    side = settings.UPSCALER.scale * SIZE
    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image)


def sharpness(wanted: np.ndarray, drawn: np.ndarray) -> float:
    """Return how steep the edges of pictures are, as a share of how they should be."""
    steep = [0.0, 0.0]
    for axis in (1, 2):
        should, does = (
            np.abs(np.diff(pictures.astype(np.int16), axis=axis))
            for pictures in (wanted, drawn)
        )
        edges = should > EDGE
        steep[0] += float(should[edges].sum())
        steep[1] += float(does[edges].sum())
    return steep[1] / steep[0]
