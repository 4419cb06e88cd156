"""How the moment modulates the blocks of Flux.1, Flux.2 and Chroma.

Adaptive norms: Peebles & Xie 2022 (arXiv:2212.09748, section 3.2). Each block of Flux.1
learnt its own; those of Flux.2 are modulated alike; Chroma has a network tell them.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.config import TokensConfig
from imaginairy.networks.layers import Linear, sinusoid
from imaginairy.networks.tokens import Embedded, RMSNorm

EPS = 1e-6
Modulates = Literal["each", "alike", "told"]
Modulation = tuple[Tensor, ...]
"""Shift, scale and gate, (batch, 1, width) each; of two streams' blocks twice."""


@dataclass(frozen=True)
class FluxConfig(TokensConfig):
    """Size one of these transformers; the defaults are Flux.1's."""

    in_channels: int = 16
    """Of the latents, and of what lies behind them for networks that see more."""
    out_channels: int = 16
    """Of the latents."""
    width: int = 3072
    heads: int = 24
    doubles: int = 19
    """Blocks of two streams."""
    singles: int = 38
    """Blocks of one stream."""
    context_dim: int = 4096
    """Width of the text embeddings."""
    pooled_dim: int | None = 768
    """Width of the embedding of the whole text; None where none is read."""
    reads_guidance: bool = False
    thought: int = 4
    """How many times wider than a token what blocks think in is."""
    gated: bool = False
    """Whether a SiLU gate is behind what they think, else it is a GELU."""
    bias: bool = True
    axes: tuple[int, ...] = (16, 56, 56)
    """Channels of a head that tell a place on each of the axes: a picture's number, y,
    x and, where there are four, the number of a text's token."""
    theta: float = 10000.0
    apart: int = 1
    """How far apart reference images are, and the first of them from what is drawn, on
    the first of the axes."""
    modulates: Modulates = "each"
    """Whether each block learnt how the moment modulates it, all do alike, or a network
    beside tells it."""
    told_width: int = 5120
    """Of that network."""
    told_depth: int = 5

    @property
    def guidance_dim(self) -> int | None:
        """Width of the sinusoid that the guidance scale is embedded as; None where it
        is not read."""
        return 256 if self.reads_guidance else None


@dataclass(frozen=True)
class Modulations:
    """How a moment modulates all blocks."""

    image: list[Modulation]
    text: list[Modulation]
    singles: list[Modulation]
    final: Modulation
    """Shift and scale."""


class Learnt(nn.Module):
    """Modulations that each block learnt, or all of a kind alike."""

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        width, bias, self.config = config.width, config.bias, config
        alike = config.modulates == "alike"
        doubles, singles = (1, 1) if alike else (config.doubles, config.singles)

        def row(count: int, parts: int) -> nn.ModuleList:
            return nn.ModuleList(
                Linear(width, parts * width, bias=bias) for _ in range(count)
            )

        self.image, self.text = row(doubles, 6), row(doubles, 6)
        self.singles = row(singles, 3)
        self.shift = Linear(width, width, bias=bias)
        self.scale = Linear(width, width, bias=bias)

    def forward(self, moment: Tensor) -> Modulations:
        """Map (batch, width) to the modulations."""
        moment = F.silu(moment)[:, None]

        def every(layers: nn.ModuleList, count: int, parts: int) -> list[Modulation]:
            each = [layer(moment).chunk(parts, dim=-1) for layer in layers]
            return each * count if len(each) == 1 else each

        doubles = self.config.doubles
        return Modulations(
            every(self.image, doubles, 6),
            every(self.text, doubles, 6),
            every(self.singles, self.config.singles, 3),
            (self.shift(moment), self.scale(moment)),
        )


class Told(nn.Module):
    """Modulations that a small network tells, one row of it after the other."""

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        self.config, wide = config, config.told_width
        self.rows = 3 * config.singles + 12 * config.doubles + 2
        self.project_in = Linear(64, wide)
        self.norms = nn.ModuleList(RMSNorm(wide, EPS) for _ in range(config.told_depth))
        self.layers = nn.ModuleList(
            Embedded(wide, wide) for _ in range(config.told_depth)
        )
        self.project_out = Linear(wide, config.width)

    def forward(self, timesteps: Tensor, dtype: torch.dtype) -> Modulations:
        """Map (batch,) in [0, 1000] to the modulations."""
        rows = torch.arange(self.rows, device=timesteps.device)
        moment = torch.cat(
            [sinusoid(timesteps, 16), sinusoid(torch.zeros_like(timesteps), 16)], dim=1
        )
        x = torch.cat(
            [
                moment[:, None].expand(-1, self.rows, -1),
                sinusoid(1000 * rows, 32).expand(len(timesteps), -1, -1),
            ],
            dim=2,
        )
        x = self.project_in(x.to(dtype))
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + layer(norm(x))
        each = [*self.project_out(x).split(1, dim=1)]

        def taken(blocks: int, parts: int) -> list[Modulation]:
            return [tuple(each.pop(0) for _ in range(parts)) for _ in range(blocks)]

        singles = taken(self.config.singles, 3)
        image, text = taken(self.config.doubles, 6), taken(self.config.doubles, 6)
        return Modulations(image, text, singles, (each[0], each[1]))
