"""GFPGAN restores faces: a U-shaped network looks, and steers a StyleGAN2 that paints.

Wang et al. 2021 (arXiv:2101.04061), in the form published from version 1.2 on, which
needs no operations of its own; the generator is that of Karras et al. 2020
(arXiv:1912.04958), bilinear where that filters. The noise that the generator takes is
the fixed one that lies beside its weights, so that a face is restored the same each
time.
"""

from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.enhancer_config import LEAST_SIDE, GFPGANConfig
from imaginairy.networks.layers import Conv2d

SLOPE = 0.2
EPS = 1e-8


def activate(x: Tensor) -> Tensor:
    """Leak a fifth of what is negative."""
    return F.leaky_relu(x, SLOPE)


def resized(x: Tensor, factor: float) -> Tensor:
    """Make a feature map so many times as large in both directions."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class ResizingBlock(nn.Module):
    """Two convolutions beside a shortcut; both resize the feature map on the way."""

    def __init__(self, incoming: int, outgoing: int, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.conv1 = Conv2d(incoming, incoming, 3, padding=1)
        self.conv2 = Conv2d(incoming, outgoing, 3, padding=1)
        self.shortcut = Conv2d(incoming, outgoing, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = resized(activate(self.conv1(x)), self.factor)
        return activate(self.conv2(hidden)) + self.shortcut(resized(x, self.factor))


class Steering(nn.Module):
    """Say, from what was seen at a level, by how much to scale or to shift features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = Conv2d(channels, channels, 3, padding=1)
        self.conv2 = Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(activate(self.conv1(x)))


class ModulatedConv(nn.Module):
    """Convolve with weights that a style scales, channel by channel coming in.

    Scaling what comes in is the same. Where `demodulate`, what goes out is scaled so
    that the scaled weights have length 1 (Karras et al. 2020, section 2.2).
    """

    def __init__(
        self, incoming: int, outgoing: int, size: int, style_width: int, *, plain: bool
    ) -> None:
        super().__init__()
        self.plain = plain
        self.weight = nn.Parameter(torch.randn(1, outgoing, incoming, size, size))
        self.modulation = nn.Linear(style_width, incoming)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scales = self.modulation(style)  # (batch, incoming)
        weight = self.weight[0]
        x = F.conv2d(x * scales[:, :, None, None], weight, padding="same")
        if self.plain:
            return x
        lengths = scales.square() @ weight.square().sum((2, 3)).T
        return x * (lengths + EPS).rsqrt()[:, :, None, None]


class Strength(nn.Module):
    """How much of the noise is added: one number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


class Offset(nn.Module):
    """What is added to each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))


class StyledConv(nn.Module):
    """Convolve as a style says, add noise, and activate."""

    def __init__(
        self, incoming: int, outgoing: int, config: GFPGANConfig, *, enlarges: bool
    ) -> None:
        super().__init__()
        self.enlarges = enlarges
        width = config.style_width
        self.conv = ModulatedConv(incoming, outgoing, 3, width, plain=False)
        self.noise = Strength()
        self.offset = Offset(outgoing)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        x = self.conv(resized(x, 2.0) if self.enlarges else x, style) * sqrt(2)
        return activate(x + self.noise.weight * noise + self.offset.bias)


class ToPicture(nn.Module):
    """Turn features into what they add to the picture."""

    def __init__(self, channels: int, config: GFPGANConfig) -> None:
        super().__init__()
        shown, width = config.image_channels, config.style_width
        self.conv = ModulatedConv(channels, shown, 1, width, plain=True)
        self.offset = Offset(shown)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return self.conv(x, style) + self.offset.bias


class Start(nn.Module):
    """What every face begins as."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, channels, LEAST_SIDE, LEAST_SIDE))


class Noises(nn.Module):
    """The fixed noise: one field for the coarsest level, then two a level."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        for index in range(2 * levels - 1):
            side = LEAST_SIDE << (index + 1) // 2
            self.register_buffer(f"noise{index}", torch.randn(1, 1, side, side))

    def __getitem__(self, index: int) -> Tensor:
        return self.get_buffer(f"noise{index}")


class Generator(nn.Module):
    """StyleGAN2, with half of its features steered at every level."""

    def __init__(self, config: GFPGANConfig) -> None:
        super().__init__()
        coarsest, *finer = reversed(config.channels)
        self.start = Start(coarsest)
        self.conv_in = StyledConv(coarsest, coarsest, config, enlarges=False)
        self.picture_in = ToPicture(coarsest, config)
        self.enlarge = nn.ModuleList()
        self.refine = nn.ModuleList()
        self.pictures = nn.ModuleList()
        incoming = coarsest
        for channels in finer:
            self.enlarge.append(StyledConv(incoming, channels, config, enlarges=True))
            self.refine.append(StyledConv(channels, channels, config, enlarges=False))
            self.pictures.append(ToPicture(channels, config))
            incoming = channels
        self.noises = Noises(len(config.channels))

    def forward(self, styles: Tensor, steering: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Paint a picture.

        Args:
            styles: (batch, styles, style_width).
            steering: of each level but the coarsest, from there up, what half of its
                features is scaled by and shifted by.
        """
        x = self.start.weight.expand(len(styles), -1, -1, -1)
        x = self.conv_in(x, styles[:, 0], self.noises[0])
        picture = self.picture_in(x, styles[:, 1])
        levels = zip(self.enlarge, self.refine, self.pictures, steering, strict=True)
        for place, (enlarge, refine, to_picture, (scale, shift)) in enumerate(levels):
            first = 1 + 2 * place
            x = enlarge(x, styles[:, first], self.noises[first])
            free, steered = x.chunk(2, dim=1)
            x = torch.cat([free, steered * scale + shift], dim=1)
            x = refine(x, styles[:, first + 1], self.noises[first + 1])
            picture = to_picture(x, styles[:, first + 2]) + resized(picture, 2.0)
        return picture


class GFPGAN(nn.Module):
    """Restore an aligned face, from what it shows and what faces look like."""

    def __init__(self, config: GFPGANConfig) -> None:
        super().__init__()
        self.config = config
        seen = [channels // 2 for channels in config.channels]
        coarser = list(pairwise(seen))
        self.conv_in = Conv2d(config.image_channels, seen[0], 1)
        self.shrink = nn.ModuleList(
            ResizingBlock(fine, coarse, 0.5) for fine, coarse in coarser
        )
        self.conv_middle = Conv2d(seen[-1], seen[-1], 3, padding=1)
        self.style = nn.Linear(
            seen[-1] * LEAST_SIDE**2, config.styles * config.style_width
        )
        self.grow = nn.ModuleList(
            ResizingBlock(coarse, fine, 2.0) for fine, coarse in reversed(coarser)
        )
        self.scale = nn.ModuleList(Steering(fine) for fine, _ in reversed(coarser))
        self.shift = nn.ModuleList(Steering(fine) for fine, _ in reversed(coarser))
        self.generator = Generator(config)

    def forward(self, pictures: Tensor) -> Tensor:
        """Restore faces (batch, 3, image_size, image_size) in [-1, 1]; about the same.

        How close they stay is nothing that this network can be told.
        """
        styles, steering = self.look(pictures)
        return self.generator(styles, steering).to(pictures.dtype)

    def look(self, pictures: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return the styles, and what steers each level, from the coarsest up."""
        x = activate(self.conv_in(pictures.to(self.conv_in.weight.dtype)))
        seen = []
        for shrink in self.shrink:
            x = shrink(x)
            seen.append(x)
        x = activate(self.conv_middle(x))
        styles = self.style(x.flatten(1)).unflatten(1, (self.config.styles, -1))
        steering = []
        levels = zip(reversed(seen), self.grow, self.scale, self.shift, strict=True)
        for before, grow, scale, shift in levels:
            x = grow(x + before)
            steering.append((scale(x), shift(x)))
        return styles, steering
