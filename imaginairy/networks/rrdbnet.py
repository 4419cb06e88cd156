"""The upscaling network of ESRGAN and Real-ESRGAN.

Wang et al. 2018 (arXiv:1809.00219), section 3.1, for the residual-in-residual dense
blocks; Wang et al. 2021 (arXiv:2107.10833), section 3.4, for scales below 4.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.enhancer_config import RRDBNetConfig
from imaginairy.networks.layers import Conv2d

RESIDUAL_SCALE = 0.2
SLOPE = 0.2
CONVOLUTIONS = 5
DENSE_BLOCKS = 3


def activate(x: Tensor) -> Tensor:
    """Leak a fifth of what is negative; in place, since pictures are large."""
    return F.leaky_relu(x, SLOPE, inplace=True)


class DenseBlock(nn.Module):
    """Convolutions that each see the outputs of all before them, beside a shortcut."""

    def __init__(self, config: RRDBNetConfig) -> None:
        super().__init__()
        last = CONVOLUTIONS - 1
        self.convolutions = nn.ModuleList(
            Conv2d(
                config.channels + index * config.growth,
                config.channels if index == last else config.growth,
                3,
                padding=1,
            )
            for index in range(CONVOLUTIONS)
        )

    def forward(self, x: Tensor) -> Tensor:
        *inner, last = self.convolutions
        seen = x
        for convolution in inner:
            seen = torch.cat([seen, activate(convolution(seen))], dim=1)
        return x + RESIDUAL_SCALE * last(seen)


class ResidualDenseBlock(nn.Module):
    """Three dense blocks, beside a shortcut of their own."""

    def __init__(self, config: RRDBNetConfig) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(DenseBlock(config) for _ in range(DENSE_BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL_SCALE * self.dense(x)


class RRDBNet(nn.Module):
    """Enlarge pictures by a power of two, those folded smaller first by less."""

    def __init__(self, config: RRDBNetConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.conv_in = Conv2d(
            config.image_channels * config.fold**2, channels, 3, padding=1
        )
        self.blocks = nn.Sequential(
            *(ResidualDenseBlock(config) for _ in range(config.blocks))
        )
        self.conv_trunk = Conv2d(channels, channels, 3, padding=1)
        self.enlarge = nn.ModuleList(
            Conv2d(channels, channels, 3, padding=1) for _ in range(config.doublings)
        )
        self.conv_fine = Conv2d(channels, channels, 3, padding=1)
        self.conv_out = Conv2d(channels, config.drawn_channels, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (batch, 3, h, w) in [0, 1] to (batch, 3, scale h, scale w).

        Networks of grey pictures take, or make, 1 channel. Any size will do; where it
        cannot be folded evenly, the picture is mirrored a little at its right and
        bottom, and the result cut.
        """
        height, width = pictures.shape[2:]
        fold, scale = self.config.fold, self.config.scale
        padded = mirror(pictures, right=-width % fold, bottom=-height % fold)
        x = F.pixel_unshuffle(padded.to(self.conv_in.weight.dtype), fold)
        x = self.conv_in(x)
        x = x + self.conv_trunk(self.blocks(x))
        for enlarge in self.enlarge:
            x = activate(enlarge(double(x)))
        x = self.conv_out(activate(self.conv_fine(x)))
        return x[:, :, : scale * height, : scale * width].to(pictures.dtype)


def double(x: Tensor) -> Tensor:
    """Repeat every place of a feature map twice in both directions."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def mirror(pictures: Tensor, *, right: int, bottom: int) -> Tensor:
    """Extend pictures beyond their right and bottom edges by what they mirror there.

    A side too short to be mirrored that far repeats its last pixel instead.
    """
    height, width = pictures.shape[2:]
    for pad, room in (((0, right, 0, 0), width), ((0, 0, 0, bottom), height)):
        mode = "reflect" if max(pad) < room else "replicate"
        pictures = F.pad(pictures, pad, mode=mode)
    return pictures
