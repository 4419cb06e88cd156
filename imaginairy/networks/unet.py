"""The denoising UNet with cross-attention of latent diffusion.

Rombach et al. 2022 (arXiv:2112.10752), after Dhariwal & Nichol 2021 (arXiv:2105.05233);
deeper transformers and what is told beside the text: Podell et al. 2023
(arXiv:2307.01952), section 2; a guidance scale that is read: Luo et al. 2023
(arXiv:2310.04378), section 4.2.
"""

from collections.abc import Sequence
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
    Linear,
    computed_in,
    group_norm,
    norm_silu,
    sinusoid,
)
from imaginairy.networks.unet_levels import (
    RESIDUAL_EPS,
    DownLevel,
    Middle,
    SpatialTransformer,
    TransformerBlock,
    UpLevel,
)


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
        outer = self._outer(text)
        skips += self.down[0](skips[-1], time, text, stop=max(0, outer - 1))
        x = self.deep(skips, time, text)
        if text.residuals is not None:
            skips = [*map(torch.add, skips, text.residuals)]
        x = self.up[-1](x, skips, time, text)
        return self.conv_out(norm_silu(self.norm_out, x)).to(latents.dtype)

    def attending(self) -> list[Attention]:
        """Return the attentions to the text in the order in which image prompts number
        them: the way down, the way up, the middle."""
        return attentions_of([self.down, self.up, self.middle])

    def speaking(self, of: str) -> list[Attention]:
        """Return the attentions that draw the `style` or the `composition` of a
        picture, as far as these are apart; or `all`.

        Style is in the second transformer of the first level on the way up that reads
        the text, composition in the last on the way down (Wang et al. 2024,
        arXiv:2404.02733, section 3.2, of SDXL). Where a transformer is but one block
        deep, its whole level is meant, and with the last on the way down the middle.
        """
        if of == "all":
            return self.attending()
        down, up = (
            [found for each in way if (found := transformers_in(each))]
            for way in (self.down, self.up)
        )
        shallow = all(len(each.blocks) == 1 for each in up[0])
        if of == "style":
            chosen = up[0] if shallow else up[0][1:2]
        else:
            middle = transformers_in(self.middle)
            chosen = [*down[-1], *middle] if shallow else down[-1][-1:]
        return attentions_of(chosen)

    def _outer(self, text: Conditioning) -> int:
        """Return how many blocks are computed anew beside what is kept of the rest.

        Nothing is kept where these take in the end of the first level, to which
        controls may add.
        """
        outer = text.kept.outer if text.kept else 0
        adds = text.features is not None and outer > len(self.config.down[0])
        return 0 if adds else outer

    def deep(self, skips: list[Tensor], time: Tensor, text: Conditioning) -> Tensor:
        """Return what comes up to the blocks that are nearest to the picture.

        It changes slowly from step to step, and may be that of a step before (Ma et al.
        2023, arXiv:2312.00858).

        Args:
            skips: what these blocks gave on the way down.
        """
        kept = text.kept if self._outer(text) else None
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


def attentions_of(parts: Sequence[nn.Module]) -> list[Attention]:
    """List the attentions to the text of parts of a UNet, in order."""
    blocks = (each for part in parts for each in part.modules())
    return [e.cross_attention for e in blocks if isinstance(e, TransformerBlock)]


def transformers_in(part: nn.Module) -> list[SpatialTransformer]:
    """List the transformers of a part of a UNet, in order."""
    return [each for each in part.modules() if isinstance(each, SpatialTransformer)]


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
