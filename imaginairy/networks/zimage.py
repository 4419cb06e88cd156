"""The transformer of Z-Image, which predicts the velocity of a flow.

One stream of picture and text (Z-Image Team 2025, arXiv:2511.22699, section 2), after
Lumina-Image 2.0 (Qin et al. 2025, arXiv:2503.21758).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.conditioning import Conditioning
from imaginairy.networks.config import TokensConfig
from imaginairy.networks.layers import Linear, computed_in, in_slices
from imaginairy.networks.tokens import (
    FEW_PLACES,
    Embedded,
    RMSNorm,
    cut,
    grid,
    joined,
    looked,
    sides_that_fit,
    turned,
    turns,
    waves,
)

PATCH = 2
EPS, LAST_EPS = 1e-5, 1e-6
FULL = 32
"""Tokens of a text, and those of a picture, are filled up to a multiple of this."""


@dataclass(frozen=True)
class ZImageConfig(TokensConfig):
    """Size a Z-Image transformer."""

    in_channels: int = 16
    """Of the latents."""
    width: int = 3840
    heads: int = 30
    layers: int = 30
    """Blocks of all tokens."""
    refiners: int = 2
    """Blocks of a picture's tokens alone, and of a text's."""
    context_dim: int = 2560
    """Width of the text embeddings."""
    thought: int = 10240
    """Width that blocks think in."""
    moment: int = 256
    """Width of the embedding of the moment."""
    moment_thought: int = 1024
    """Width that it is made in."""
    axes: tuple[int, ...] = (32, 48, 48)
    """Channels of a head that tell a place: the number of a text's token, y and x."""
    theta: float = 256.0


class Block(nn.Module):
    """Attend, then think; each is normalised before and after.

    Args:
        moves: whether the moment modulates it.
    """

    comes_alone = True
    slices = 1

    def __init__(self, config: ZImageConfig, *, moves: bool) -> None:
        super().__init__()
        self.heads, width = config.heads, config.width
        self.modulation = Linear(config.moment, 4 * width) if moves else None
        self.norm_before = RMSNorm(width, EPS)
        self.query = Linear(width, width, bias=False)
        self.key = Linear(width, width, bias=False)
        self.value = Linear(width, width, bias=False)
        self.norm_query = RMSNorm(width // config.heads, EPS)
        self.norm_key = RMSNorm(width // config.heads, EPS)
        self.out = Linear(width, width, bias=False)
        self.norm_after = RMSNorm(width, EPS)
        self.norm_thinking = RMSNorm(width, EPS)
        self.widen = Linear(width, config.thought, bias=False)
        self.gate = Linear(width, config.thought, bias=False)
        self.narrow = Linear(config.thought, width, bias=False)
        self.norm_thought = RMSNorm(width, EPS)

    def forward(
        self, x: Tensor, moment: Tensor, turns: Tensor, seen: Tensor | None
    ) -> Tensor:
        """Map tokens (batch, n, width) to the same.

        Args:
            moment: embedded, (batch, moment).
            turns: of the tokens' places.
            seen: which of them are read, (batch, n) of bool; None where all are.
        """
        if self.modulation is None:
            x = x + self.norm_after(self.attended(self.norm_before(x), turns, seen))
            return x + self.norm_thought(self.thought(self.norm_thinking(x)))
        told = self.modulation(moment)[:, None].chunk(4, dim=-1)
        scale1, gate1, scale2, gate2 = told
        hidden = self.norm_before(x) * (1 + scale1)
        x = x + gate1.tanh() * self.norm_after(self.attended(hidden, turns, seen))
        hidden = self.norm_thinking(x) * (1 + scale2)
        return x + gate2.tanh() * self.norm_thought(self.thought(hidden))

    def attended(self, x: Tensor, turns: Tensor, seen: Tensor | None) -> Tensor:
        """Return what each token gets of all that are read."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        query = turned(self.norm_query(query), turns)
        key = turned(self.norm_key(key), turns)
        return self.out(looked(query, key, value, seen, self.slices))

    def thought(self, x: Tensor) -> Tensor:
        """Return what each token makes of itself (SwiGLU, arXiv:2002.05202)."""
        return in_slices(
            lambda part: self.narrow(F.silu(self.widen(part)) * self.gate(part)),
            x,
            self.slices,
        )


@dataclass(frozen=True)
class Laid:
    """How the tokens of a batch of texts lie, each filled up by itself."""

    said: Tensor
    """Which are a text's own, (batch, n) of bool, n a multiple of `FULL`."""
    read: Tensor | None
    """Which are read; None where all are."""
    length: Tensor
    """How many are, (batch,)."""

    @classmethod
    def of(cls, text: Conditioning) -> "Laid":
        """Lay out texts whose own tokens come first, those that a mask hides last."""
        count = text.tokens.shape[1]
        said = F.pad(text.read(), (0, -count % FULL))
        own = said.sum(dim=1)
        length = (own + (-own % FULL)).clamp(min=FULL)
        places = torch.arange(said.shape[1], device=said.device)
        read = None if text.mask is None else places < length[:, None]
        return cls(said, read, length)


class ZImage(nn.Module):
    """Predict the velocity, noise - clean latents, of noised latents."""

    most_recorded = FEW_PLACES

    def __init__(self, config: ZImageConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        patch = PATCH**2 * config.in_channels
        self.image_in = Linear(patch, width)
        self.text_norm = RMSNorm(config.context_dim, EPS)
        self.text_in = Linear(config.context_dim, width)
        self.time = Embedded(256, config.moment_thought, out=config.moment)
        self.image_fill = nn.Parameter(torch.zeros(1, width))
        self.text_fill = nn.Parameter(torch.zeros(1, width))

        def blocks(count: int, *, moves: bool = True) -> nn.ModuleList:
            return nn.ModuleList(Block(config, moves=moves) for _ in range(count))

        self.of_image = blocks(config.refiners)
        self.of_text = blocks(config.refiners, moves=False)
        self.of_both = blocks(config.layers)
        self.last = Linear(config.moment, width)
        self.out = Linear(width, patch)

    def forward(
        self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        """Return the velocity predicted in `latents`, in their shape and dtype.

        Args:
            latents: (batch, in_channels, height, width), sides even.
            timesteps: (batch,) in [0, 1000], 1000 times the share of noise.
            conditioning: its tokens are (batch, n, context_dim); those that its mask
                hides stand behind the others, and have no say.

        Raises:
            ValueError: a side is odd.
        """
        sides_that_fit(latents, PATCH)
        dtype = computed_in(self.image_in)
        laid = Laid.of(conditioning)
        moment = self.time(waves(1000 - timesteps, dtype))
        image = self.image_in(cut(latents.to(dtype), PATCH, channels_last=True))
        count = image.shape[1]
        fill = self.image_fill.to(dtype).expand(len(image), -count % FULL, -1)
        image = torch.cat([image, fill], dim=1)
        of_image, of_text = self.turns(latents, laid)
        for block in self.of_image:
            image = block(image, moment, of_image, None)
        text = self.texts(conditioning.tokens.to(dtype), laid)
        for block in self.of_text:
            text = block(text, moment, of_text, laid.read)
        x = torch.cat([image, text], dim=1)
        both = torch.cat([of_image, of_text], dim=1)
        seen = None
        if laid.read is not None:
            seen = F.pad(laid.read, (image.shape[1], 0), value=True)
        for block in self.of_both:
            x = block(x, moment, both, seen)
        scale = self.last(F.silu(moment))[:, None]
        image = F.layer_norm(x[:, :count], x.shape[-1:], eps=LAST_EPS) * (1 + scale)
        patches = self.out(image)
        return -joined(patches, latents.shape, PATCH, channels_last=True).to(latents)

    def texts(self, tokens: Tensor, laid: Laid) -> Tensor:
        """Embed what texts say, and fill up each."""
        tokens = F.pad(tokens, (0, 0, 0, laid.said.shape[1] - tokens.shape[1]))
        embedded = self.text_in(self.text_norm(tokens))
        fill = self.text_fill.to(embedded.dtype)
        return torch.where(laid.said[..., None], embedded, fill)

    def turns(self, latents: Tensor, laid: Laid) -> tuple[Tensor, Tensor]:
        """Return the turns of the places of pictures' tokens and of texts'.

        Pictures stand behind their texts; what fills them up stands nowhere.
        """
        height, width = (side // PATCH for side in latents.shape[-2:])
        places = grid(height, width, latents.device)
        behind = (1 + laid.length)[:, None, None].expand(-1, len(places), 1)
        image = torch.cat([behind, places.expand(len(behind), -1, -1)], dim=2)
        image = F.pad(image, (0, 0, 0, -len(places) % FULL))
        numbers = 1 + torch.arange(laid.said.shape[1], device=latents.device)
        text = F.pad(numbers[:, None], (0, 2))[None].expand(len(behind), -1, -1)
        axes, theta = self.config.axes, self.config.theta
        of_image, of_text = (turns(each, axes, theta) for each in (image, text))
        return of_image, of_text
