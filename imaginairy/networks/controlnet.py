"""ControlNet: what a picture shows, added to what a UNet sees on its way down.

Zhang et al. 2023 (arXiv:2302.05543), section 3; one network for several kinds of hints:
ControlNet++ "union", which Stable Diffusion XL has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.conditioning import Conditioning
from imaginairy.networks.config import UNetConfig
from imaginairy.networks.layers import (
    Conv2d,
    LayerNorm,
    Linear,
    computed_in,
    sinusoid,
)
from imaginairy.networks.unet import WayDown, skip_channels

HINT_CHANNELS = (16, 32, 96, 256)
"""Of the network that reads hints, at each of its resolutions."""
UNION_HEADS = 8
KIND_DIM = 256
"""Width of the sinusoid that tells whether there is a hint of a kind."""


@dataclass(frozen=True)
class ControlNetConfig:
    """Size a ControlNet."""

    unet: UNetConfig
    """Of the way down, which is that of the UNet that it controls."""
    hint_channels: tuple[int, ...] = HINT_CHANNELS
    colours: int = 3
    """Channels of a hint."""
    kinds: int = 0
    """How many kinds of hints it knows apart; 0 where it knows one."""


class HintReader(nn.Module):
    """Read a picture in steps down to the size of the latents, an eighth."""

    def __init__(self, config: ControlNetConfig) -> None:
        super().__init__()
        first, *_ = channels = config.hint_channels
        self.conv_in = Conv2d(config.colours, first, 3, padding=1)
        self.blocks = nn.ModuleList()
        for before, after in pairwise(channels):
            self.blocks.append(Conv2d(before, before, 3, padding=1))
            self.blocks.append(Conv2d(before, after, 3, stride=2, padding=1))
        self.conv_out = Conv2d(channels[-1], config.unet.channels[0], 3, padding=1)

    def forward(self, hint: Tensor) -> Tensor:
        x = F.silu(self.conv_in(hint))
        for block in self.blocks:
            x = F.silu(block(x))
        return self.conv_out(x)


class UnionBlock(nn.Module):
    """Think about the token of each hint, which attends to itself alone.

    Attention that has one thing to look at gives the value of that.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(width)
        self.attention = nn.ModuleDict(
            {name: Linear(width, width) for name in ("query", "key", "value", "out")}
        )
        self.norm2 = LayerNorm(width)
        self.widen = Linear(width, 4 * width)
        self.narrow = Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention["out"](self.attention["value"](self.norm1(x)))
        wide = self.widen(self.norm2(x))
        return x + self.narrow(wide * torch.sigmoid(1.702 * wide))


class Union(nn.Module):
    """Tell several kinds of hints apart, and weigh them against each other."""

    def __init__(self, config: ControlNetConfig) -> None:
        super().__init__()
        base = config.unet.channels[0]
        self.kinds = config.kinds
        self.task = nn.Parameter(torch.empty(config.kinds, base))
        self.block = UnionBlock(base)
        self.project = Linear(base, base)
        self.kinds_in = Linear(KIND_DIM * config.kinds, 4 * base)
        self.kinds_out = Linear(4 * base, 4 * base)

    def told(self, kinds: Sequence[int], like: Tensor) -> Tensor:
        """Embed which kinds of hints there are, (1, dim), to be added to the time."""
        flags = torch.zeros(self.kinds, device=like.device)
        flags[[*kinds]] = 1
        waves = sinusoid(flags, KIND_DIM).reshape(1, -1).to(like.dtype)
        return self.kinds_out(F.silu(self.kinds_in(waves)))

    def seen(self, hint: Tensor, kind: int, weight: float = 1.0) -> Tensor:
        """Return what is added of an encoded hint of a kind.

        Args:
            weight: how much the hint counts beside others.
        """
        token = weight * (hint.mean(dim=(2, 3)) + self.task[kind].to(hint.dtype))
        return weight * (hint + self.project(self.block(token))[:, :, None, None])


class ControlNet(WayDown):
    """Say what hints add to the feature maps of a UNet."""

    def __init__(self, config: ControlNetConfig) -> None:
        super().__init__(config.unet)
        self.sizes = config
        self.hint = HintReader(config)
        self.union = Union(config) if config.kinds else None
        channels = skip_channels(config.unet)
        self.outputs = nn.ModuleList(Conv2d(each, each, 1) for each in channels)
        last = config.unet.channels[-1]
        self.output_middle = Conv2d(last, last, 1)

    @property
    def dtype(self) -> torch.dtype:
        """The type that it computes in."""
        return computed_in(self.conv_in)

    def read(
        self, hint: Tensor, kind: int | None = None, weight: float = 1.0
    ) -> Tensor:
        """Return what it sees in hints, once for all steps.

        Args:
            hint: (batch, colours, 8 * height, 8 * width) in [0, 1].
            kind: of those that a union knows apart, from 0.
            weight: how much it counts beside others that a union sees.
        """
        seen = self.hint(hint.to(self.dtype))
        if self.union is not None and kind is not None:
            seen = self.union.seen(seen, kind, weight)
        return seen

    def forward(
        self,
        latents: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        seen: Tensor,
        kinds: Sequence[int] = (),
    ) -> list[Tensor]:
        """Return what is added to each skip of the UNet, and last to its middle.

        Args:
            latents, timesteps, conditioning: as the UNet is asked.
            seen: what `read` gave of the hints, summed, (batch, channels, h, w).
            kinds: which kinds of hints those are, where it is a union.
        """
        dtype = self.dtype
        text = conditioning.to(dtype=dtype)
        time = self.moment(timesteps, text)
        if self.union is not None:
            time = time + self.union.told(kinds, time)
        time = F.silu(time)
        maps = [self.conv_in(latents.to(dtype)) + seen]
        for down in self.down:
            maps += down(maps[-1], time, text)
        below = self.middle(maps[-1], time, text)
        added = [out(x) for out, x in zip(self.outputs, maps, strict=True)]
        return [*added, self.output_middle(below)]
