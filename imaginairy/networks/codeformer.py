"""CodeFormer: a face rewritten in the words of a codebook of good faces.

Zhou et al. 2022 (arXiv:2206.11253). The encoder, codebook and decoder are a VQGAN
(Esser et al. 2021, arXiv:2012.09841); the transformer places the positions where Carion
et al. 2020 (arXiv:2005.12872) do.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.autoencoder import PictureAttention
from imaginairy.networks.enhancer_config import CodeFormerConfig
from imaginairy.networks.layers import Conv2d, ResidualBlock, group_norm

EPS = 1e-6
ADAIN_EPS = 1e-5
SLOPE = 0.2


def residual(
    in_channels: int, out_channels: int, config: CodeFormerConfig
) -> ResidualBlock:
    return ResidualBlock(
        in_channels, out_channels, norm_groups=config.norm_groups, eps=EPS
    )


class Block(nn.Module):
    """One residual block, and attention behind it where the level has that."""

    def __init__(
        self, in_channels: int, channels: int, config: CodeFormerConfig, *, attend: bool
    ) -> None:
        super().__init__()
        self.residual = residual(in_channels, channels, config)
        self.attention = (
            PictureAttention(channels, config.norm_groups) if attend else None
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.residual(x)
        return x if self.attention is None else self.attention(x)


def middle(config: CodeFormerConfig) -> nn.Sequential:
    """The coarsest place: residual, attention, residual."""
    channels = config.channels[-1]
    return nn.Sequential(
        Block(channels, channels, config, attend=True),
        Block(channels, channels, config, attend=False),
    )


def level_blocks(
    level: int, incoming: int, config: CodeFormerConfig
) -> list[nn.Module]:
    channels = config.channels[level]
    return [
        Block(
            incoming if index == 0 else channels,
            channels,
            config,
            attend=config.attention[level],
        )
        for index in range(config.blocks_per_level)
    ]


class EncoderLevel(nn.Module):
    """The blocks of one resolution, and the halving that leads there."""

    def __init__(self, level: int, config: CodeFormerConfig) -> None:
        super().__init__()
        incoming = config.channels[max(level - 1, 0)]
        self.downsample = Conv2d(incoming, incoming, 3, stride=2) if level else None
        self.blocks = nn.Sequential(*level_blocks(level, incoming, config))

    def forward(self, x: Tensor) -> Tensor:
        if self.downsample is not None:
            # One row and column of zeros, at the far side only.
            x = self.downsample(F.pad(x, (0, 1, 0, 1)))
        return self.blocks(x)


class Encoder(nn.Module):
    """Picture to one vector a place."""

    def __init__(self, config: CodeFormerConfig) -> None:
        super().__init__()
        channels = config.channels
        self.conv_in = Conv2d(config.image_channels, channels[0], 3, padding=1)
        self.levels = nn.ModuleList(
            EncoderLevel(level, config) for level in range(len(channels))
        )
        self.middle = middle(config)
        self.norm_out = group_norm(config.norm_groups, channels[-1], EPS)
        self.conv_out = Conv2d(channels[-1], config.code_width, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the vectors, and the features of every level, the finest first."""
        x = self.conv_in(x)
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x)
        # Unlike in VQGAN, nothing is activated before the last convolution.
        return self.conv_out(self.norm_out(self.middle(x))), features


class Fusion(nn.Module):
    """Let the encoder's features steer the decoder's (section 3.3)."""

    def __init__(self, channels: int, config: CodeFormerConfig) -> None:
        super().__init__()
        self.merge = residual(2 * channels, channels, config)
        self.scale1 = Conv2d(channels, channels, 3, padding=1)
        self.scale2 = Conv2d(channels, channels, 3, padding=1)
        self.shift1 = Conv2d(channels, channels, 3, padding=1)
        self.shift2 = Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, features: Tensor, fidelity: float) -> Tensor:
        merged = self.merge(torch.cat([features, x], dim=1))
        scale = self.scale2(F.leaky_relu(self.scale1(merged), SLOPE))
        shift = self.shift2(F.leaky_relu(self.shift1(merged), SLOPE))
        return x + fidelity * (x * scale + shift)


class DecoderLevel(nn.Module):
    """The blocks of one resolution, steered behind the first, then a doubling."""

    def __init__(self, level: int, config: CodeFormerConfig) -> None:
        super().__init__()
        channels = config.channels[level]
        incoming = config.channels[min(level + 1, len(config.channels) - 1)]
        self.blocks = nn.ModuleList(level_blocks(level, incoming, config))
        self.fusion = Fusion(channels, config) if config.fused[level] else None
        self.upsample = Conv2d(channels, channels, 3, padding=1) if level else None

    def forward(self, x: Tensor, features: Tensor | None, fidelity: float) -> Tensor:
        first, *others = self.blocks
        x = first(x)
        if self.fusion is not None and features is not None:
            x = self.fusion(x, features, fidelity)
        for block in others:
            x = block(x)
        if self.upsample is None:
            return x
        return self.upsample(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Decoder(nn.Module):
    """Codes to picture."""

    def __init__(self, config: CodeFormerConfig) -> None:
        super().__init__()
        channels = config.channels
        self.conv_in = Conv2d(config.code_width, channels[-1], 3, padding=1)
        self.middle = middle(config)
        self.levels = nn.ModuleList(  # coarsest first, the order in which they run
            DecoderLevel(level, config) for level in reversed(range(len(channels)))
        )
        self.norm_out = group_norm(config.norm_groups, channels[0], EPS)
        self.conv_out = Conv2d(channels[0], config.image_channels, 3, padding=1)

    def forward(
        self, codes: Tensor, features: list[Tensor] | None, fidelity: float
    ) -> Tensor:
        x = self.middle(self.conv_in(codes))
        steering = reversed(features) if features else [None] * len(self.levels)
        for level, of_level in zip(self.levels, steering, strict=True):
            x = level(x, of_level, fidelity)
        return self.conv_out(self.norm_out(x))


class Layer(nn.Module):
    """Look at all places of the face, then think about each."""

    def __init__(self, config: CodeFormerConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width)
        self.attention = nn.MultiheadAttention(
            config.width, config.heads, batch_first=True
        )
        self.norm2 = nn.LayerNorm(config.width)
        self.widen = nn.Linear(config.width, config.mlp_width)
        self.narrow = nn.Linear(config.mlp_width, config.width)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        value = self.norm1(x)
        placed = value + positions
        x = x + self.attention(placed, placed, value, need_weights=False)[0]
        return x + self.narrow(F.gelu(self.widen(self.norm2(x))))


class CodeFormer(nn.Module):
    """Restore an aligned face, from what it shows and what faces look like."""

    def __init__(self, config: CodeFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.codebook = nn.Embedding(config.codes, config.code_width)
        self.positions = nn.Embedding(config.code_side**2, config.width)
        self.embed = nn.Linear(config.code_width, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm_out = nn.LayerNorm(config.width)
        self.choose = nn.Linear(config.width, config.codes, bias=False)
        self.decoder = Decoder(config)

    def forward(
        self, pictures: Tensor, *, fidelity: float, adain: bool = True
    ) -> Tensor:
        """Restore faces (batch, 3, image_size, image_size) in [-1, 1].

        Args:
            fidelity: in [0, 1]; 0 trusts the codebook alone, 1 keeps closest to the
                picture.
            adain: give the codes the mean and deviation of what the encoder saw, so
                that colour and light stay (Huang & Belongie 2017, arXiv:1703.06868).
        """
        vectors, features = self.encode(pictures)
        codes = self.look_up(self.predict(vectors).argmax(dim=-1))
        if adain:
            codes = with_statistics_of(vectors, codes)
        return self.decode(codes, features, fidelity).to(pictures.dtype)

    def encode(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return vectors (batch, code_width, side, side) and each level's features."""
        return self.encoder(pictures.to(self.codebook.weight.dtype))

    def predict(self, vectors: Tensor) -> Tensor:
        """Score every code for every place: (batch, side * side, codes), not softmaxed.

        This is the transformer, which knows whole faces.
        """
        x = self.embed(vectors.flatten(2).transpose(1, 2))
        for layer in self.layers:
            x = layer(x, self.positions.weight)
        return self.choose(self.norm_out(x))

    def nearest(self, vectors: Tensor) -> Tensor:
        """Return the code closest to every place's vector, (batch, side * side).

        This is the plain autoencoder, which trains the codebook.
        """
        tokens = vectors.flatten(2).transpose(1, 2)
        return torch.cdist(tokens, self.codebook.weight[None]).argmin(dim=-1)

    def look_up(self, indices: Tensor) -> Tensor:
        """Map codes (batch, side * side) to vectors (batch, code_width, side, side)."""
        side = self.config.code_side
        return self.codebook(indices).transpose(1, 2).unflatten(2, (side, side))

    def decode(
        self,
        vectors: Tensor,
        features: list[Tensor] | None = None,
        fidelity: float = 0.0,
    ) -> Tensor:
        """Draw a picture, about [-1, 1], from vectors; `features` steer it."""
        return self.decoder(vectors, features if fidelity else None, fidelity)


def with_statistics_of(style: Tensor, content: Tensor) -> Tensor:
    """Give every channel of `content` the mean and deviation that it has in `style`."""
    (style_deviation, style_mean), (deviation, mean) = (
        channel_statistics(x) for x in (style, content)
    )
    return (content - mean) / deviation * style_deviation + style_mean


def channel_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True)
    return (variance + ADAIN_EPS).sqrt(), mean
