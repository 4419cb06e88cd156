"""T2I-Adapter: feature maps of a hint, added to those of a UNet on its way down.

Mou et al. 2023 (arXiv:2302.08453), section 3.2. They are computed once a picture.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.layers import Conv2d, computed_in

NARROWER = 4
"""How many times fewer channels a light one works in."""


@dataclass(frozen=True)
class T2IAdapterConfig:
    """Size a T2I-Adapter."""

    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    """Of each of the feature maps that it gives."""
    blocks: int = 2
    """Residual blocks of each."""
    colours: int = 3
    """Channels of a hint."""
    shrinks: int = 8
    """How many times smaller than the hint the first feature map is along a side."""
    halves: tuple[int, ...] = (1, 2, 3)
    """Which of the feature maps are half as large as the one before."""
    light: bool = False
    """Whether it is the narrow design."""


class AdapterBlock(nn.Module):
    """Two convolutions beside what they are given."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = Conv2d(channels, channels, 3, padding=1)
        self.conv2 = Conv2d(channels, channels, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class Stage(nn.Module):
    """One feature map."""

    def __init__(
        self, before: int, channels: int, config: T2IAdapterConfig, *, halves: bool
    ) -> None:
        super().__init__()
        self.halves = halves
        inner = channels // NARROWER if config.light else channels
        self.conv_in = Conv2d(before, inner, 1) if before != inner else None
        self.blocks = nn.ModuleList(
            AdapterBlock(inner, 3 if config.light else 1) for _ in range(config.blocks)
        )
        self.conv_out = Conv2d(inner, channels, 1) if config.light else None

    def forward(self, x: Tensor) -> Tensor:
        if self.halves:
            x = F.avg_pool2d(x, 2, ceil_mode=True)
        if self.conv_in is not None:
            x = self.conv_in(x)
        for block in self.blocks:
            x = block(x)
        return x if self.conv_out is None else self.conv_out(x)


class T2IAdapter(nn.Module):
    """Turn a hint into a feature map for each level of a UNet."""

    def __init__(self, config: T2IAdapterConfig) -> None:
        super().__init__()
        self.config = config
        first, *_ = config.channels
        seen = config.colours * config.shrinks**2
        self.conv_in = None if config.light else Conv2d(seen, first, 3, padding=1)
        befores = [seen if config.light else first, *config.channels]
        self.stages = nn.ModuleList(
            Stage(before, channels, config, halves=number in config.halves)
            for number, (before, channels) in enumerate(
                zip(befores, config.channels, strict=False)
            )
        )

    def forward(self, hint: Tensor) -> list[Tensor]:
        """Return the feature maps, finest first.

        Args:
            hint: (batch, colours, height, width) in [0, 1], as large as the picture.
        """
        x = F.pixel_unshuffle(hint.to(self.dtype), self.config.shrinks)
        if self.conv_in is not None:
            x = self.conv_in(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    @property
    def dtype(self) -> torch.dtype:
        """The type that it computes in."""
        stage: Any = self.stages[0]
        return computed_in(stage.blocks[0].conv1)
