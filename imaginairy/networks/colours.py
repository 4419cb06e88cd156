"""Latents as a small picture of their own, for previews where nothing better decodes.

Latents of a picture show it, with few more channels than there are colours; how a
decoder colours them is fit by least squares, so it suits whatever autoencoder it is of.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.config import TinyAutoencoderConfig

SAMPLES = 4
"""How many latents are decoded to see how they are coloured, and their side:"""
SIDE = 16
COARSE = (4, 8, SIDE)
"""On how many places a side they differ: those of pictures are smooth, and not all."""
COLOURS = 3


class Colours(nn.Module):
    """Give each latent a colour.

    Args:
        weights: (channels + 1, 3); the last row is what is added.
        pixels: side of the square that a latent stands for.
    """

    def __init__(self, weights: Tensor, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels
        self.config = TinyAutoencoderConfig(COLOURS, latent_channels=len(weights) - 1)
        self.colour = nn.Linear(len(weights) - 1, COLOURS, device="meta")
        self.colour.weight = nn.Parameter(weights[:-1].T, requires_grad=False)
        self.colour.bias = nn.Parameter(weights[-1], requires_grad=False)

    def pictures_of(self, latents: Tensor) -> Tensor:
        """Return the pictures (batch, 3, h, w) of latents, in [-1, 1]."""
        small = self.colour(latents.float().movedim(1, -1)).movedim(-1, 1)
        scale = float(self.pixels)
        large = F.interpolate(small, scale_factor=scale, mode="bilinear")
        return large.clamp(-1, 1)


def fitted(
    decode: Callable[[Tensor], Tensor], channels: int, device: torch.device
) -> Colours:
    """See how a decoder colours latents of so many channels."""
    generator = torch.Generator().manual_seed(0)
    latents = sum(
        F.interpolate(
            torch.randn(SAMPLES, channels, side, side, generator=generator),
            size=(SIDE, SIDE),
            mode="bilinear",
        )
        for side in COARSE
    )
    latents = (latents / len(COARSE) ** 0.5).to(device)
    pictures = torch.cat([decode(each) for each in latents.split(1)]).float()
    pixels = pictures.shape[-1] // SIDE
    colours = F.avg_pool2d(pictures, pixels).clamp(-1, 1)
    rows = latents.movedim(1, -1).flatten(0, -2).cpu()
    given = F.pad(rows, (0, 1), value=1.0)
    wanted = colours.movedim(1, -1).flatten(0, -2).cpu()
    weights = torch.linalg.lstsq(given, wanted).solution
    return Colours(weights.to(device), pixels)
