"""The KL autoencoder that turns pictures into latents and back.

Rombach et al. 2022 (arXiv:2112.10752), section 3.1, after Esser et al. 2021
(arXiv:2012.09841).
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.config import AutoencoderConfig
from imaginairy.networks.layers import (
    Attention,
    Conv2d,
    ResidualBlock,
    computed_in,
    group_norm,
    norm_silu,
)
from imaginairy.networks.stripes import (
    activated,
    computed,
    convolved,
    doubled,
    held,
    one_further,
    passed,
)

EPS = 1e-6
SIDE, LEAST_VARIANCE = 2, 1e-4
"""Latents a side of the squares in which places are normalised, and what is added."""


def residual(
    in_channels: int, out_channels: int, config: AutoencoderConfig
) -> ResidualBlock:
    return ResidualBlock(
        in_channels, out_channels, norm_groups=config.norm_groups, eps=EPS
    )


class PictureAttention(nn.Module):
    """Let every place of a feature map look at every other, with one head."""

    def __init__(self, channels: int, norm_groups: int) -> None:
        super().__init__()
        self.norm = group_norm(norm_groups, channels, EPS)
        self.attention = Attention(channels, heads=1, qkv_bias=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (batch, h * w, channels)
        return x + self.attention(tokens).transpose(1, 2).unflatten(2, x.shape[2:])


class Middle(nn.Module):
    """The coarsest level: residual, attention where configured, residual."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        channels = config.channels[-1]
        self.first = residual(channels, channels, config)
        self.attention = (
            PictureAttention(channels, config.norm_groups)
            if config.middle_attention
            else nn.Identity()
        )
        self.second = residual(channels, channels, config)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.attention(self.first(x)))


class EncoderLevel(nn.Module):
    """The blocks of one resolution, then a halving."""

    def __init__(self, level: int, config: AutoencoderConfig) -> None:
        super().__init__()
        channels = config.channels[level]
        incoming = config.channels[max(level - 1, 0)]
        self.blocks = nn.Sequential(
            *(
                residual(incoming if index == 0 else channels, channels, config)
                for index in range(config.blocks_per_level)
            )
        )
        last = level == len(config.channels) - 1
        self.downsample = None if last else Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        if self.downsample is None:
            return x
        # One row and column of zeros, at the far side only.
        return self.downsample(F.pad(x, (0, 1, 0, 1)))


class DecoderLevel(nn.Module):
    """The blocks of one resolution, then a doubling."""

    def __init__(self, level: int, config: AutoencoderConfig) -> None:
        super().__init__()
        channels = config.channels[level]
        incoming = config.channels[min(level + 1, len(config.channels) - 1)]
        self.blocks = nn.Sequential(
            *(
                residual(incoming if index == 0 else channels, channels, config)
                for index in range(config.blocks_per_level + 1)
            )
        )
        self.upsample = Conv2d(channels, channels, 3, padding=1) if level else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        if self.upsample is None:
            return x
        return self.upsample(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Encoder(nn.Module):
    """Picture to latent statistics."""

    comes_alone = True
    in_stripes = False
    """Whether it works stripe by stripe, which takes longer and less memory."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.conv_in = Conv2d(config.image_channels, config.channels[0], 3, padding=1)
        self.levels = nn.Sequential(
            *(EncoderLevel(level, config) for level in range(len(config.channels)))
        )
        self.middle = Middle(config)
        self.norm_out = group_norm(config.norm_groups, config.channels[-1], EPS)
        self.conv_out = Conv2d(
            config.channels[-1], 2 * config.latent_channels, 3, padding=1
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.in_stripes:
            return self.striped(x)
        x = self.middle(self.levels(self.conv_in(x)))
        return self.conv_out(norm_silu(self.norm_out, x))

    def striped(self, x: Tensor) -> Tensor:
        """Compute the same without ever holding more than one fine map."""
        map = convolved(self.conv_in, held(x))
        level: Any
        for level in self.levels:
            map = passed(level.blocks, map)
            if level.downsample is not None:
                map = held(computed(convolved(level.downsample, one_further(map))))
        x = self.middle(computed(map))
        return self.conv_out(norm_silu(self.norm_out, x))


class Decoder(nn.Module):
    """Latents to picture."""

    comes_alone = True
    in_stripes = False
    """Whether it works stripe by stripe, which takes longer and less memory."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        config = replace(config, channels=config.decoder_channels or config.channels)
        self.conv_in = Conv2d(config.latent_channels, config.channels[-1], 3, padding=1)
        self.middle = Middle(config)
        self.levels = nn.Sequential(  # coarsest first, the order in which they run
            *(
                DecoderLevel(level, config)
                for level in reversed(range(len(config.channels)))
            )
        )
        self.norm_out = group_norm(config.norm_groups, config.channels[0], EPS)
        self.conv_out = Conv2d(config.channels[0], config.image_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if self.in_stripes:
            return self.striped(x)
        x = self.levels(self.middle(self.conv_in(x)))
        return self.conv_out(norm_silu(self.norm_out, x))

    def striped(self, x: Tensor) -> Tensor:
        """Compute the same without ever holding more than one fine map."""
        map = held(self.middle(self.conv_in(x)))
        level: Any
        for level in self.levels:
            map = passed(level.blocks, map)
            if level.upsample is not None:
                map = convolved(level.upsample, doubled(map))
        return computed(convolved(self.conv_out, activated(self.norm_out, map)))


class PlaceNorm(nn.Module):
    """Normalise each channel of each place in squares of 2 x 2 latents by its own.

    It is the batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167) of latents
    that were cut in such squares, done where they lie.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        numbers = channels * SIDE**2  # the channel first, then row and column
        self.mean = nn.Parameter(torch.zeros(numbers))
        self.variance = nn.Parameter(torch.ones(numbers))

    def forward(self, latents: Tensor) -> Tensor:
        """Normalise latents (batch, c, h, w)."""
        mean, deviation = self._of(latents)
        return (latents - mean) / deviation

    def undone(self, latents: Tensor) -> Tensor:
        """Return what latents were before."""
        mean, deviation = self._of(latents)
        return latents * deviation + mean

    def _of(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means and deviations of latents, (c, h, w) each."""
        mean, variance = (
            all_over(each.to(latents.dtype), latents)
            for each in (self.mean, self.variance)
        )
        return mean, (variance + LEAST_VARIANCE).sqrt()


def all_over(numbers: Tensor, latents: Tensor) -> Tensor:
    """Lay numbers of squares (c * 2 * 2,) over latents (batch, c, h, w)."""
    height, width = latents.shape[-2:]
    square = numbers.reshape(-1, SIDE, SIDE)
    tiled = square.repeat(1, -(-height // SIDE), -(-width // SIDE))
    return tiled[:, :height, :width]  # (c, h, w)


class Autoencoder(nn.Module):
    """Encode pictures as Gaussians over latents; decode latents to pictures.

    Latents here are the autoencoder's own; the diffusion model's are those, normalised
    where `config.by_places`, or `config.means` and `config.deviations`, say how, less
    `config.shift` and times `config.scale_factor`.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        latent = config.latent_channels
        self.encoder = Encoder(config)
        self.quantise, self.unquantise = (
            Conv2d(channels, channels, 1) if config.quantises else nn.Identity()
            for channels in (2 * latent, latent)
        )
        self.decoder = Decoder(config)
        if config.by_places:
            self.normal = PlaceNorm(latent)

    def encode(self, pictures: Tensor) -> Tensor:
        """Map pictures (batch, 3, h, w) to moments (batch, 2 c, h / p, w / p).

        Pictures are in [-1, 1]; c and p are the config's `latent_channels` and
        `downsampling`. The first half of the channels is the mean of each latent, the
        second half the logarithm of its variance; `sample_latents` draws from them.
        """
        moments = self.quantise(self.encoder(pictures.to(self.dtype)))
        return moments.to(pictures.dtype)

    def decode(self, latents: Tensor) -> Tensor:
        """Map latents (batch, c, h, w) to pictures (batch, 3, h p, w p), in [-1, 1]."""
        pictures = self.decoder(self.unquantise(latents.to(self.dtype)))
        return pictures.to(latents.dtype)

    def latents_of(self, pictures: Tensor, noise: Tensor) -> Tensor:
        """Draw the latents that a diffusion model sees of pictures (batch, 3, h, w).

        Args:
            noise: standard normal, in the latents' shape; nothing is drawn with it
                where the model sees their means.
        """
        moments = self.encode(pictures)
        if self.config.by_places:
            latents = self.normal(moments.chunk(2, dim=1)[0])
        else:
            latents = sample_latents(moments, noise)
        if self.config.means:
            means, deviations = self._normal(latents)
            latents = (latents - means) / deviations
        return (latents - self.config.shift) * self.config.scale_factor

    def pictures_of(self, latents: Tensor) -> Tensor:
        """Return the pictures of latents as a diffusion model draws them."""
        latents = latents / self.config.scale_factor + self.config.shift
        if self.config.means:
            means, deviations = self._normal(latents)
            latents = latents * deviations + means
        if self.config.by_places:
            latents = self.normal.undone(latents)
        return self.decode(latents)

    def _normal(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means and deviations of latents, (channels, 1, 1) each."""
        both = (self.config.means, self.config.deviations)
        means, deviations = (latents.new_tensor(each)[:, None, None] for each in both)
        return means, deviations

    @property
    def dtype(self) -> torch.dtype:
        """The type that it computes in."""
        return computed_in(self.decoder.conv_in)


def sample_latents(moments: Tensor, noise: Tensor) -> Tensor:
    """Draw latents from the encoder's moments; `noise` is standard normal.

    The variance's logarithm is kept in [-30, 20], as it was in training
    (Kingma & Welling 2013, the reparametrised draw).
    """
    mean, log_variance = moments.chunk(2, dim=1)
    return mean + torch.exp(0.5 * log_variance.clamp(-30.0, 20.0)) * noise
