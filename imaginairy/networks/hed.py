"""Holistically-nested edge detection: soft edges, seen at five sizes at once.

Xie and Tu 2015 (arXiv:1504.06375), as ControlNet's annotators have it: colours less a
shift that is learnt, the convolutions of VGG-16, an edge map of each of its stages, and
their mean in place of a layer that fuses them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.layers import Conv2d


@dataclass(frozen=True)
class HEDConfig:
    """Size an edge detector."""

    channels: tuple[int, ...] = (64, 128, 256, 512, 512)
    """Of each stage, half as large as the one before."""
    layers: tuple[int, ...] = (2, 2, 3, 3, 3)
    """Convolutions of each."""
    colours: int = 3

    @property
    def smallest(self) -> int:
        """Pixels that a side of a picture has at least."""
        return 2 ** (len(self.channels) - 1)


class EdgeStage(nn.Module):
    """Convolutions at one size, and the edges that are seen there."""

    def __init__(self, before: int, channels: int, layers: int) -> None:
        super().__init__()
        widths = [before, *[channels] * layers]
        self.convolutions = nn.ModuleList(
            Conv2d(incoming, channels, 3, padding=1) for incoming in widths[:layers]
        )
        self.edges = Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
        return x, self.edges(x)


class HED(nn.Module):
    """Say how sure it is of each pixel that there is an edge."""

    def __init__(self, config: HEDConfig) -> None:
        super().__init__()
        self.config = config
        self.shift = nn.Parameter(torch.zeros(1, config.colours, 1, 1))
        befores = (config.colours, *config.channels)
        self.stages = nn.ModuleList(
            EdgeStage(before, channels, layers)
            for before, channels, layers in zip(
                befores, config.channels, config.layers, strict=False
            )
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (batch, 3, h, w), 0 to 255, to edges (batch, 1, h, w), 0 to 1.

        No side is less than `config.smallest` pixels.
        """
        size = pictures.shape[2:]
        x = pictures.to(self.shift.dtype) - self.shift
        seen = []
        for number, stage in enumerate(self.stages):
            x, edges = stage(F.max_pool2d(x, 2) if number else x)
            seen.append(F.interpolate(edges, size, mode="bilinear"))
        return torch.stack(seen).mean(dim=0).sigmoid()
