"""The tiny autoencoder that stands in for a KL autoencoder: TAESD.

By Ollin Boer Bohan (2023, https://github.com/madebyollin/taesd): plain convolutions
without normalisation or attention, which learnt to give what the large one gives.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.config import TinyAutoencoderConfig
from imaginairy.networks.layers import Conv2d, added, computed_in

LARGEST = 3.0
"""Latents are bent to lie within plus and minus this before they are decoded."""


def relu(x: Tensor) -> Tensor:
    """Cut off what is negative, of a tensor that nothing else uses."""
    return F.relu(x, inplace=not torch.is_grad_enabled())


class TinyBlock(nn.Module):
    """Three convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            Conv2d(width, width, 3, padding=1) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.convolutions
        return relu(added(third(relu(second(relu(first(x))))), x))


def tiny_blocks(count: int, width: int) -> nn.Sequential:
    return nn.Sequential(*(TinyBlock(width) for _ in range(count)))


class TinyEncoderLevel(nn.Module):
    """A halving, but at the finest level, then the blocks of one resolution."""

    def __init__(self, blocks: int, width: int, *, halves: bool) -> None:
        super().__init__()
        self.downsample = (
            Conv2d(width, width, 3, padding=1, stride=2, bias=False)
            if halves
            else nn.Identity()
        )
        self.blocks = tiny_blocks(blocks, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.downsample(x))


class TinyDecoderLevel(nn.Module):
    """The blocks of one resolution, then a doubling, but at the finest level."""

    def __init__(self, blocks: int, width: int, *, doubles: bool) -> None:
        super().__init__()
        self.blocks = tiny_blocks(blocks, width)
        self.upsample = (
            Conv2d(width, width, 3, padding=1, bias=False) if doubles else None
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        if self.upsample is None:
            return x
        return self.upsample(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class TinyEncoder(nn.Module):
    """Picture to latents."""

    def __init__(self, config: TinyAutoencoderConfig) -> None:
        super().__init__()
        width = config.width
        self.conv_in = Conv2d(config.image_channels, width, 3, padding=1)
        self.levels = nn.Sequential(
            *(
                TinyEncoderLevel(blocks, width, halves=level > 0)
                for level, blocks in enumerate(config.encoder_blocks)
            )
        )
        self.conv_out = Conv2d(width, config.latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_out(self.levels(self.conv_in(x)))


class TinyDecoder(nn.Module):
    """Latents to picture."""

    def __init__(self, config: TinyAutoencoderConfig) -> None:
        super().__init__()
        width, last = config.width, len(config.decoder_blocks) - 1
        self.conv_in = Conv2d(config.latent_channels, width, 3, padding=1)
        self.levels = nn.Sequential(
            *(
                TinyDecoderLevel(blocks, width, doubles=level < last)
                for level, blocks in enumerate(config.decoder_blocks)
            )
        )
        self.conv_out = Conv2d(width, config.image_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        bent = LARGEST * torch.tanh(x / LARGEST)
        return self.conv_out(self.levels(relu(self.conv_in(bent))))


class TinyAutoencoder(nn.Module):
    """Encode pictures as latents; decode latents to pictures.

    Latents here are those that the diffusion model sees, but for `config.scale_factor`.
    """

    def __init__(self, config: TinyAutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = TinyEncoder(config) if config.encoder_blocks else None
        self.decoder = TinyDecoder(config)

    def encode(self, pictures: Tensor) -> Tensor:
        """Map pictures (batch, 3, h, w), in [-1, 1], to latents (batch, c, h/p, w/p).

        c and p are the config's `latent_channels` and `downsampling`.

        Raises:
            ValueError: there is a decoder alone.
        """
        if self.encoder is None:
            raise ValueError("this tiny autoencoder has no encoder")
        latents = self.encoder((pictures.to(self.dtype) + 1) / 2)
        return latents.to(pictures.dtype)

    def decode(self, latents: Tensor) -> Tensor:
        """Map latents (batch, c, h, w) to pictures (batch, 3, h p, w p), in [-1, 1]."""
        pictures = self.decoder(latents.to(self.dtype)) * 2 - 1
        return pictures.to(latents.dtype)

    def latents_of(self, pictures: Tensor, noise: Tensor) -> Tensor:
        """Return the latents that a diffusion model sees of pictures (batch, 3, h, w).

        Args:
            noise: what other autoencoders draw with; here nothing is left to chance.
        """
        return self.encode(pictures) * self.config.scale_factor

    def pictures_of(self, latents: Tensor) -> Tensor:
        """Return the pictures of latents as a diffusion model draws them."""
        return self.decode(latents / self.config.scale_factor)

    @property
    def dtype(self) -> torch.dtype:
        """The type that it computes in."""
        return computed_in(self.decoder.conv_in)
