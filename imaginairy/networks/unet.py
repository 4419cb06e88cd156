"""The denoising UNet with cross-attention of latent diffusion.

Rombach et al. 2022 (arXiv:2112.10752), after Dhariwal & Nichol 2021 (arXiv:2105.05233);
deeper transformers and what is told beside the text: Podell et al. 2023
(arXiv:2307.01952), section 2; a guidance scale that is read: Luo et al. 2023
(arXiv:2310.04378), section 4.2.
"""

from itertools import islice
from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.conditioning import Conditioning
from imaginairy.kept import DEEP
from imaginairy.networks.config import UNetConfig
from imaginairy.networks.layers import (
    Attention,
    Conv2d,
    LayerNorm,
    Linear,
    ResidualBlock,
    added,
    computed_in,
    group_norm,
    in_slices,
    laid_out_as,
    multiplied,
    norm_silu,
    sinusoid,
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

    def forward(self, x: Tensor, text: Conditioning) -> Tensor:
        x = added(self.self_attention(self.norm1(x)), x)
        attended = self.cross_attention(
            self.norm2(x), text.tokens, mask=text.mask, kept=text.kept
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
        height = x.shape[2]
        tokens = self.project_in(self.norm(x)).flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens, text)  # (batch, h * w, channels)
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


class BesideText(nn.Module):
    """Embed the pooled text and the ids, each id as a sinusoid, beside the time."""

    def __init__(self, dim: int, id_dim: int, time_dim: int) -> None:
        super().__init__()
        self.dim, self.id_dim = dim, id_dim
        self.widen = Linear(dim, time_dim)
        self.out = Linear(time_dim, time_dim)

    def forward(self, text: Conditioning) -> Tensor:
        """Map it to (batch, time_dim).

        Raises:
            ValueError: the pooled text or the ids are not there, or not as wide.
        """
        pooled, ids = text.pooled, text.ids
        if pooled is None or ids is None:
            lacking = "pooled text" if pooled is None else "ids"
            raise ValueError(
                "This UNet reads a pooled text and ids beside the tokens; its "
                f"conditioning has no {lacking}."
            )
        waves = sinusoid(ids.flatten(), self.id_dim).reshape(len(ids), -1)
        told = torch.cat([pooled, waves.to(pooled.dtype)], dim=1)
        if told.shape[1] != self.dim:
            raise ValueError(
                f"This UNet reads a pooled text and ids of {self.dim} numbers in all, "
                f"{self.id_dim} an id; its conditioning has a pooled text of "
                f"{pooled.shape[1]} and {ids.shape[1]} ids, which are {told.shape[1]}."
            )
        return self.out(F.silu(self.widen(told)))


class ReadGuidance(nn.Module):
    """Embed the guidance scale, to be added to the sinusoid of the timestep."""

    def __init__(self, dim: int, base: int) -> None:
        super().__init__()
        self.dim = dim
        self.project = Linear(dim, base, bias=False)

    def forward(self, text: Conditioning, dtype: torch.dtype) -> Tensor:
        """Map it to (batch, base).

        Raises:
            ValueError: it is not there.
        """
        if text.guidance is None:
            raise ValueError(
                "This UNet reads the guidance scale beside the text; its conditioning "
                "has none."
            )
        return self.project(guidance_waves(text.guidance - 1, self.dim).to(dtype))


def guidance_waves(weights: Tensor, dim: int) -> Tensor:
    """Embed weights of guidance (batch,), 0 for none, as (batch, dim) float32."""
    half = dim // 2
    numbers = torch.arange(half, dtype=torch.float32, device=weights.device)
    frequencies = torch.exp(-log(10000) * numbers / max(1, half - 1))
    angles = 1000 * weights.float()[:, None] * frequencies
    return F.pad(torch.cat([angles.sin(), angles.cos()], dim=1), (0, dim % 2))


class WayDown(nn.Module):
    """The part of a UNet that looks: what is told beside the text, and all the levels
    down to the middle."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        base, levels = config.channels[0], range(len(config.channels))
        self.time_in = Linear(base, 4 * base)
        self.time_out = Linear(4 * base, 4 * base)
        self.guidance_in = (
            None
            if config.guidance_dim is None
            else ReadGuidance(config.guidance_dim, base)
        )
        self.beside_text = (
            None
            if config.added_dim is None
            else BesideText(config.added_dim, config.id_dim, 4 * base)
        )
        self.conv_in = Conv2d(config.in_channels, base, 3, padding=1)
        self.down = nn.ModuleList(DownLevel(level, config) for level in levels)
        self.middle = Middle(config)

    def moment(self, timesteps: Tensor, text: Conditioning) -> Tensor:
        """Embed the timestep and what is told beside the tokens, (batch, dim)."""
        dtype = text.tokens.dtype
        time = sinusoid(timesteps, self.config.channels[0]).to(dtype)
        if self.guidance_in is not None:
            time = time + self.guidance_in(text, dtype)
        time = self.time_out(F.silu(self.time_in(time)))
        if self.beside_text is not None:
            time = time + self.beside_text(text)
        return time


class UNet(WayDown):
    """Predict the noise in noised latents, given the timestep and the text."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        base, levels = config.channels[0], range(len(config.channels))
        skips = skip_channels(config)
        blocks = sum(len(level) for level in config.up)
        if blocks != len(skips):
            raise ValueError(f"{blocks} blocks on the way up take {len(skips)} skips")
        self.up = nn.ModuleList(  # bottom first, the order in which they run
            UpLevel(level, skips, config) for level in reversed(levels)
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
                mask hides have no say. Its pooled text and its ids are read where
                `added_dim` says so, and its guidance where `guidance_dim` does.

        Raises:
            ValueError: the conditioning lacks what this network reads.
        """
        dtype = computed_in(self.conv_in)
        text = conditioning.to(dtype=dtype)
        # which every residual block starts with, done once
        time = F.silu(self.moment(timesteps, text))

        skips = [self.conv_in(latents.to(dtype))]
        outer = text.kept.outer if text.kept and text.features is None else 0
        skips += self.down[0](skips[-1], time, text, stop=max(0, outer - 1))
        x = self.deep(skips, time, text)
        if text.residuals is not None:
            skips = [*map(torch.add, skips, text.residuals)]
        x = self.up[-1](x, skips, time, text)
        return self.conv_out(norm_silu(self.norm_out, x)).to(latents.dtype)

    def deep(self, skips: list[Tensor], time: Tensor, text: Conditioning) -> Tensor:
        """Return what comes up to the blocks that are nearest to the picture.

        It changes slowly from step to step, and may be that of a step before (Ma et al.
        2023, arXiv:2312.00858).

        Args:
            skips: what these blocks gave on the way down.
        """
        keeps = text.kept and text.kept.outer and text.features is None
        kept = text.kept if keeps else None
        before = None if kept is None else kept.get(DEEP)
        if before is not None and before.dtype == time.dtype:
            return before
        near, skips = len(skips), [*skips]
        features = [*(text.features or ())]
        for level, down in enumerate(self.down):
            start, feature = 0 if level else near - 1, next_of(features)
            skips += down(skips[-1], time, text, start=start, feature=feature)
        x = self.middle(skips[-1], time, text)
        if features:  # of a network with fewer levels
            x = x + features.pop(0)
        if text.residuals is not None:
            *beside, below = text.residuals
            skips, x = [*map(torch.add, skips, beside)], x + below
        for up in self.up:
            x = up(x, skips, time, text, leave=near)
        if kept is not None:
            kept.keep(DEEP, x)
        return x


def next_of(features: list[Tensor]) -> Tensor | None:
    """Take the first of what is left."""
    return features.pop(0) if features else None


def skip_channels(config: UNetConfig) -> list[int]:
    """List the channels of every output that the way down leaves for the way up."""
    skips = [config.channels[0]]
    for level, channels in enumerate(config.channels):
        last = level == len(config.channels) - 1
        skips += [channels] * (len(config.down[level]) + (0 if last else 1))
    return skips
