"""The denoising UNet with cross-attention of Stable Diffusion 1.x.

Rombach et al. 2022 (arXiv:2112.10752), after Dhariwal & Nichol 2021 (arXiv:2105.05233).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.conditioning import Conditioning
from imaginairy.networks.config import UNetConfig
from imaginairy.networks.layers import (
    Attention,
    Conv2d,
    ResidualBlock,
    added,
    group_norm,
    sinusoid,
)

RESIDUAL_EPS = 1e-5
TRANSFORMER_EPS = 1e-6


class FeedForward(nn.Module):
    """Widen fourfold behind a GELU gate, and narrow again (Shazeer 2020, GEGLU)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.widen = nn.Linear(width, 8 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.widen(x).chunk(2, dim=-1)
        return self.narrow(value * F.gelu(gate))


class TransformerBlock(nn.Module):
    """Attend to the picture, then to the text, then think about each place."""

    def __init__(self, width: int, *, heads: int, context_dim: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.self_attention = Attention(width, heads=heads)
        self.norm2 = nn.LayerNorm(width)
        self.cross_attention = Attention(width, heads=heads, context_width=context_dim)
        self.norm3 = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width)

    def forward(self, x: Tensor, text: Conditioning) -> Tensor:
        x = added(self.self_attention(self.norm1(x)), x)
        attended = self.cross_attention(self.norm2(x), text.tokens, mask=text.mask)
        x = added(attended, x)
        return added(self.feed_forward(self.norm3(x)), x)


class SpatialTransformer(nn.Module):
    """Read a feature map as a row of tokens, let the text in, and write it back."""

    def __init__(
        self, channels: int, *, heads: int, context_dim: int, norm_groups: int
    ) -> None:
        super().__init__()
        self.norm = group_norm(norm_groups, channels, TRANSFORMER_EPS)
        self.project_in = Conv2d(channels, channels, 1)
        self.block = TransformerBlock(channels, heads=heads, context_dim=context_dim)
        self.project_out = Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, text: Conditioning) -> Tensor:
        height = x.shape[2]
        tokens = self.project_in(self.norm(x)).flatten(2).transpose(1, 2)
        tokens = self.block(tokens, text)  # (batch, h * w, channels)
        picture = tokens.transpose(1, 2).unflatten(2, (height, -1))
        return added(self.project_out(picture), x)


class Block(nn.Module):
    """One residual block, and a transformer behind it where the level has attention."""

    def __init__(
        self, in_channels: int, level: int, config: UNetConfig, *, attention: bool
    ) -> None:
        super().__init__()
        channels = config.channels[level]
        self.residual = ResidualBlock(
            in_channels,
            channels,
            norm_groups=config.norm_groups,
            eps=RESIDUAL_EPS,
            time_channels=4 * config.channels[0],
        )
        self.transformer = (
            SpatialTransformer(
                channels,
                heads=config.heads[level],
                context_dim=config.context_dim,
                norm_groups=config.norm_groups,
            )
            if attention
            else None
        )

    def forward(self, x: Tensor, time: Tensor, text: Conditioning) -> Tensor:
        x = self.residual(x, time)
        return x if self.transformer is None else self.transformer(x, text)


class DownLevel(nn.Module):
    """The blocks of one resolution on the way down, then a halving."""

    def __init__(self, level: int, config: UNetConfig) -> None:
        super().__init__()
        channels = config.channels[level]
        incoming = config.channels[max(level - 1, 0)]
        self.blocks = nn.ModuleList(
            Block(
                incoming if index == 0 else channels,
                level,
                config,
                attention=config.attention[level],
            )
            for index in range(config.blocks_per_level)
        )
        last = level == len(config.channels) - 1
        self.downsample = (
            None if last else Conv2d(channels, channels, 3, stride=2, padding=1)
        )

    def forward(self, x: Tensor, time: Tensor, text: Conditioning) -> list[Tensor]:
        """Return the output of every block and of the halving, in order."""
        outputs = []
        for block in self.blocks:
            x = block(x, time, text)
            outputs.append(x)
        if self.downsample is not None:
            outputs.append(self.downsample(x))
        return outputs


class Middle(nn.Module):
    """The bottom of the U: residual, transformer, residual."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        last = len(config.channels) - 1
        channels = config.channels[last]
        self.first = Block(channels, last, config, attention=True)
        self.second = Block(channels, last, config, attention=False)

    def forward(self, x: Tensor, time: Tensor, text: Conditioning) -> Tensor:
        return self.second(self.first(x, time, text), time, text)


class UpLevel(nn.Module):
    """The blocks of one resolution on the way up, each fed a skip, then a doubling."""

    def __init__(
        self, level: int, skip_channels: list[int], config: UNetConfig
    ) -> None:
        super().__init__()
        channels = config.channels[level]
        incoming = config.channels[min(level + 1, len(config.channels) - 1)]
        self.blocks = nn.ModuleList(
            Block(
                (incoming if index == 0 else channels) + skip,
                level,
                config,
                attention=config.attention[level],
            )
            for index, skip in enumerate(skip_channels)
        )
        self.upsample = Conv2d(channels, channels, 3, padding=1) if level else None

    def forward(
        self, x: Tensor, skips: list[Tensor], time: Tensor, text: Conditioning
    ) -> Tensor:
        """Use up the last skips of the list, newest first."""
        for block in self.blocks:
            x = block(torch.cat([x, skips.pop()], dim=1), time, text)
        if self.upsample is None:
            return x
        # The next skip's size, not twice ours: a side may have been odd when halved.
        size = skips[-1].shape[-2:]
        return self.upsample(F.interpolate(x, size=size, mode="nearest"))


class UNet(nn.Module):
    """Predict the noise in noised latents, given the timestep and the text."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        base, levels = config.channels[0], range(len(config.channels))
        self.time_in = nn.Linear(base, 4 * base)
        self.time_out = nn.Linear(4 * base, 4 * base)
        self.conv_in = Conv2d(config.in_channels, base, 3, padding=1)
        self.down = nn.ModuleList(DownLevel(level, config) for level in levels)
        self.middle = Middle(config)
        skips = skip_channels(config)
        self.up = nn.ModuleList(  # bottom first, the order in which they run
            UpLevel(
                level, [skips.pop() for _ in range(config.blocks_per_level + 1)], config
            )
            for level in reversed(levels)
        )
        self.norm_out = group_norm(config.norm_groups, base, RESIDUAL_EPS)
        self.conv_out = Conv2d(base, config.out_channels, 3, padding=1)

    def forward(
        self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        """Return the noise predicted in `latents`, in their shape and dtype.

        Args:
            latents: (batch, in_channels, height, width), scaled so that pictures have
                about unit deviation.
            timesteps: (batch,) in [0, 999], fractions allowed.
            conditioning: its tokens are (batch, n, context_dim); those that its
                mask hides have no say.
        """
        dtype = self.conv_in.weight.dtype
        time = sinusoid(timesteps, self.config.channels[0]).to(dtype)
        # Every residual block starts by activating the time; it is done once, here.
        time = F.silu(self.time_out(F.silu(self.time_in(time))))
        text = conditioning.to(dtype=dtype)

        x = self.conv_in(latents.to(dtype))
        skips = [x]
        for down in self.down:
            skips += down(skips[-1], time, text)
        x = self.middle(skips[-1], time, text)
        for up in self.up:
            x = up(x, skips, time, text)
        return self.conv_out(F.silu(self.norm_out(x))).to(latents.dtype)


def skip_channels(config: UNetConfig) -> list[int]:
    """List the channels of every output that the way down leaves for the way up."""
    skips = [config.channels[0]]
    for level, channels in enumerate(config.channels):
        last = level == len(config.channels) - 1
        skips += [channels] * (config.blocks_per_level + (0 if last else 1))
    return skips
