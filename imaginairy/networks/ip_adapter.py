"""IP-Adapter: what a picture says, as tokens that a UNet attends to beside the text.

Ye et al. 2023 (arXiv:2308.06721), section 3.2; the resampler of the Plus design is
Flamingo's (Alayrac et al. 2022, arXiv:2204.14198, section 3.1).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.layers import LayerNorm, Linear, added, computed_in

Design = Literal["plain", "plus", "full-face"]


@dataclass(frozen=True)
class IPAdapterConfig:
    """Size an IP-Adapter."""

    design: Design
    """Which way from what the image encoder gives to tokens."""
    seen: int
    """How wide what the image encoder gives is."""
    context: int
    """How wide tokens are, those of the text too."""
    widths: tuple[int, ...]
    """Of the cross-attentions of the UNet: those of the way down, up, the middle."""
    tokens: int = 4
    """How many of them a picture gives, where the design has a number of its own."""
    width: int = 768
    """Of the resampler."""
    heads: int = 12
    """Of the resampler's attention."""
    depth: int = 4
    """Layers of the resampler."""


class Projected(nn.Module):
    """The plain design: a projection of one embedding of the picture."""

    def __init__(self, config: IPAdapterConfig) -> None:
        super().__init__()
        self.context = config.context
        self.last = Linear(config.seen, config.tokens * config.context)
        self.norm = LayerNorm(config.context)

    def forward(self, seen: Tensor) -> Tensor:
        """Map (batch, seen) to (batch, tokens, context)."""
        return self.norm(self.last(seen).unflatten(-1, (-1, self.context)))


class EachProjected(nn.Module):
    """The full-face design: every token of the picture by itself."""

    def __init__(self, config: IPAdapterConfig) -> None:
        super().__init__()
        self.widen = Linear(config.seen, config.seen)
        self.last = Linear(config.seen, config.context)
        self.norm = LayerNorm(config.context)

    def forward(self, seen: Tensor) -> Tensor:
        """Map (batch, n, seen) to (batch, n, context)."""
        return self.norm(self.last(F.gelu(self.widen(seen))))


class Reading(nn.Module):
    """Let latents attend to the picture and to themselves, then think about each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_seen = LayerNorm(width)
        self.norm_latents = LayerNorm(width)
        self.query = Linear(width, width, bias=False)
        self.key_value = Linear(width, 2 * width, bias=False)
        self.out = Linear(width, width, bias=False)
        self.norm = LayerNorm(width)
        self.widen = Linear(width, 4 * width, bias=False)
        self.narrow = Linear(4 * width, width, bias=False)

    def forward(self, latents: Tensor, seen: Tensor) -> Tensor:
        """Map latents (batch, tokens, width) to the same."""
        latents = added(self.read(self.norm_latents(latents), seen), latents)
        return added(self.narrow(F.gelu(self.widen(self.norm(latents)))), latents)

    def read(self, latents: Tensor, seen: Tensor) -> Tensor:
        """Return what normalised latents find in the picture and in themselves."""
        both = torch.cat([self.norm_seen(seen), latents], dim=1)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(latents), *self.key_value(both).chunk(2, dim=-1))
        )
        found = F.scaled_dot_product_attention(query, key, value)
        return self.out(found.transpose(1, 2).flatten(2))


class Resampler(nn.Module):
    """The Plus design: learnt latents that read all tokens of the picture."""

    def __init__(self, config: IPAdapterConfig) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.zeros(1, config.tokens, config.width))
        self.project_in = Linear(config.seen, config.width)
        self.layers = nn.ModuleList(
            Reading(config.width, config.heads) for _ in range(config.depth)
        )
        self.last = Linear(config.width, config.context)
        self.norm = LayerNorm(config.context)

    def forward(self, seen: Tensor) -> Tensor:
        """Map (batch, n, seen) to (batch, tokens, context)."""
        latents = self.latents.to(seen.dtype).expand(len(seen), -1, -1)
        seen = self.project_in(seen)
        for layer in self.layers:
            latents = layer(latents, seen)
        return self.norm(self.last(latents))


DESIGNS: dict[str, type[Projected] | type[Resampler] | type[EachProjected]] = {
    "plain": Projected,
    "plus": Resampler,
    "full-face": EachProjected,
}


class KeyValue(nn.Module):
    """What one cross-attention of a UNet looks at of the tokens of a picture."""

    def __init__(self, context: int, width: int) -> None:
        super().__init__()
        self.key = Linear(context, width, bias=False)
        self.value = Linear(context, width, bias=False)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return self.key(tokens), self.value(tokens)


class IPAdapter(nn.Module):
    """Turn what an image encoder sees into keys and values for a UNet."""

    def __init__(self, config: IPAdapterConfig) -> None:
        super().__init__()
        self.config = config
        self.image = DESIGNS[config.design](config)
        self.pairs = nn.ModuleList(
            KeyValue(config.context, width) for width in config.widths
        )

    def tokens(self, seen: Tensor) -> Tensor:
        """Map what the image encoder gives to tokens, (batch, m, context).

        Args:
            seen: of the plain design the projected embedding, (batch, seen); of the
                others the hidden states before the last layer, (batch, n, seen).
        """
        return self.image(seen.to(self.dtype))

    def beside(self, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return keys and values, (batch, m, width) each, for each cross-attention.

        They are in the published order: the way down, the way up, the middle.
        """
        return [pair(tokens) for pair in self.pairs]

    def forward(self, seen: Tensor) -> list[tuple[Tensor, Tensor]]:
        return self.beside(self.tokens(seen))

    @property
    def dtype(self) -> torch.dtype:
        """The type that it computes in."""
        return computed_in(self.image.last)
