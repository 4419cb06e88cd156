"""The levels of the UNet: residual blocks, and transformers that let the text in."""

from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.conditioning import Conditioning
from imaginairy.networks.config import UNetConfig
from imaginairy.networks.layers import (
    Attention,
    Conv2d,
    LayerNorm,
    Linear,
    ResidualBlock,
    added,
    group_norm,
    in_slices,
    laid_out_as,
    multiplied,
)

RESIDUAL_EPS = 1e-5
TRANSFORMER_EPS = 1e-6


class FeedForward(nn.Module):
    """Widen fourfold behind a GELU gate, and narrow again (Shazeer 2020, GEGLU)."""

    slices = 1
    """In how many slices tokens are worked on, to hold less at once."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.widen = Linear(width, 8 * width)
        self.narrow = Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return in_slices(self.think, x, self.slices)

    def think(self, x: Tensor) -> Tensor:
        """Map tokens (batch, n, width) to the same, each by itself."""
        value, gate = self.widen(x).chunk(2, dim=-1)
        return self.narrow(multiplied(F.gelu(gate), value))


class TransformerBlock(nn.Module):
    """Attend to the picture, then to the text, then think about each place."""

    comes_alone = True

    def __init__(self, width: int, *, heads: int, context_dim: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(width)
        self.self_attention = Attention(width, heads=heads)
        self.norm2 = LayerNorm(width)
        self.cross_attention = Attention(width, heads=heads, context_width=context_dim)
        self.norm3 = LayerNorm(width)
        self.feed_forward = FeedForward(width)

    def forward(self, x: Tensor, text: Conditioning, size: tuple[int, int]) -> Tensor:
        x = added(self.self_attention(self.norm1(x)), x)
        attended = self.cross_attention(
            self.norm2(x),
            text.tokens,
            mask=text.mask,
            kept=text.kept,
            beside=text.seen_by(self.cross_attention, size),
        )
        x = added(attended, x)
        return added(self.feed_forward(self.norm3(x)), x)


class SpatialTransformer(nn.Module):
    """Read a feature map as a row of tokens, let the text in, and write it back."""

    def __init__(self, level: int, depth: int, config: UNetConfig) -> None:
        super().__init__()
        channels = config.channels[level]
        self.norm = group_norm(config.norm_groups, channels, TRANSFORMER_EPS)
        self.project_in = Conv2d(channels, channels, 1)
        self.blocks = nn.ModuleList(
            TransformerBlock(
                channels, heads=config.heads[level], context_dim=config.context_dim
            )
            for _ in range(depth)
        )
        self.project_out = Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, text: Conditioning) -> Tensor:
        height, width = x.shape[2:]
        tokens = self.project_in(self.norm(x)).flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens, text, (height, width))  # (batch, h * w, channels)
        picture = tokens.transpose(1, 2).unflatten(2, (height, -1))
        return added(self.project_out(laid_out_as(x, picture)), x)


class Block(nn.Module):
    """One residual block, and a transformer behind it where it has a depth."""

    def __init__(
        self, in_channels: int, level: int, depth: int, config: UNetConfig
    ) -> None:
        super().__init__()
        self.residual = ResidualBlock(
            in_channels,
            config.channels[level],
            norm_groups=config.norm_groups,
            eps=RESIDUAL_EPS,
            time_channels=4 * config.channels[0],
        )
        self.transformer = SpatialTransformer(level, depth, config) if depth else None

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
            Block(incoming if index == 0 else channels, level, depth, config)
            for index, depth in enumerate(config.down[level])
        )
        last = level == len(config.channels) - 1
        self.attends = any(config.down[level])
        self.downsample = (
            None if last else Conv2d(channels, channels, 3, stride=2, padding=1)
        )

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        text: Conditioning,
        start: int = 0,
        stop: int | None = None,
        feature: Tensor | None = None,
    ) -> list[Tensor]:
        """Return the output of every block and of the halving, in order.

        Args:
            start: how many of the blocks it went through before.
            stop: how many of them are enough for now; None for all and the halving.
            feature: what is added where it ends: to the last block if that attends to
                the text, else to what comes last.
        """
        outputs = []
        for block in islice(self.blocks, start, stop):
            x = block(x, time, text)
            outputs.append(x)
        if stop is not None:
            return outputs
        if feature is not None and self.attends and outputs:
            outputs[-1] = x = x + feature
        if self.downsample is not None:
            outputs.append(self.downsample(x))
        if feature is not None and not self.attends:
            outputs[-1] = outputs[-1] + feature
        return outputs


class Middle(nn.Module):
    """The bottom of the U: most often a residual, a transformer, a residual."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        last = len(config.channels) - 1
        self.blocks = nn.ModuleList(
            Block(config.channels[last], last, depth, config) for depth in config.middle
        )

    def forward(self, x: Tensor, time: Tensor, text: Conditioning) -> Tensor:
        for block in self.blocks:
            x = block(x, time, text)
        return x


class UpLevel(nn.Module):
    """The blocks of one resolution on the way up, each fed a skip, then a doubling."""

    def __init__(
        self, level: int, skip_channels: list[int], config: UNetConfig
    ) -> None:
        """Take the channels of the skips off the end of the list."""
        super().__init__()
        channels = config.channels[level]
        incoming = config.channels[min(level + 1, len(config.channels) - 1)]
        depths = config.up[len(config.channels) - 1 - level]
        self.blocks = nn.ModuleList(
            Block(
                (incoming if index == 0 else channels) + skip_channels.pop(),
                level,
                depth,
                config,
            )
            for index, depth in enumerate(depths)
        )
        self.upsample = Conv2d(channels, channels, 3, padding=1) if level else None

    def forward(
        self,
        x: Tensor,
        skips: list[Tensor],
        time: Tensor,
        text: Conditioning,
        leave: int = 0,
    ) -> Tensor:
        """Use up the last skips of the list, newest first; one for each block.

        Args:
            leave: how many of them are left there, and with them the last blocks.
        """
        for block in [*self.blocks][-len(skips) :]:
            if len(skips) == leave:
                return x
            x = block(torch.cat([x, skips.pop()], dim=1), time, text)
        if self.upsample is None:
            return x
        # The next skip's size, not twice ours: a side may have been odd when halved.
        size = skips[-1].shape[-2:]
        return self.upsample(F.interpolate(x, size=size, mode="nearest"))
