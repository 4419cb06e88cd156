"""Whether a model draws or remembers: how near pictures are to those trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from storybook.training.cache import load_pictures

SIDE = 32
"""Pixels each way at which pictures are compared."""
AT_ONCE = 2_000


def nearest(images: Sequence[Image.Image]) -> np.ndarray:
    """Return how far each picture is from the nearest one trained on, in levels.

    Returns:
        (count,) root mean squares of differences, of 255.
    """
    shown = torch.stack([_small(np.asarray(image.convert("RGB"))) for image in images])
    least = torch.full((len(shown),), torch.inf)
    pictures = load_pictures()
    for first in range(0, len(pictures), AT_ONCE):
        batch = np.asarray(pictures[first : first + AT_ONCE])
        trained = torch.stack([_small(pixels) for pixels in batch])
        least = torch.minimum(least, torch.cdist(shown, trained).min(dim=1).values)
    return (least / shown.shape[1] ** 0.5).numpy()


def _small(pixels: np.ndarray) -> Tensor:
    side = len(pixels) // SIDE
    whole = torch.from_numpy(np.array(pixels)).float()
    return whole.view(SIDE, side, SIDE, side, 3).mean(dim=(1, 3)).flatten()
