"""A network that draws, and one that reads, of a design that nothing else has."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.networks.layers import Attention, Conv2d, sinusoid


@dataclass(frozen=True)
class StitcherConfig:
    in_channels: int = 16
    out_channels: int = 16
    width: int = 8
    context_dim: int = 56
    pooled_dim: int = 24

    def numbers_held(self, height: int, width: int) -> int:
        return 8 * self.width * height * width


class Stitcher(nn.Module):
    """Says v of latents, by the time, tokens, a pooled text and the picture's size."""

    def __init__(self, config: StitcherConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.enter = Conv2d(config.in_channels, width, 3, padding=1)
        self.time = nn.Linear(width, width)
        self.whole = nn.Linear(config.pooled_dim, width)
        self.size = nn.Linear(2, width)
        self.look = Attention(width, heads=2, context_width=config.context_dim)
        self.leave = Conv2d(width, config.out_channels, 3, padding=1)

    def forward(
        self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        told = self.time(sinusoid(timesteps, self.config.width))
        told = told + self.whole(conditioning.pooled)
        told = told + self.size(conditioning.ids.float() / 64)
        x = torch.tanh(self.enter(latents) + told[:, :, None, None])
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.look(tokens, conditioning.tokens, mask=conditioning.mask)
        return self.leave(tokens.transpose(1, 2).unflatten(2, x.shape[2:]))


@dataclass(frozen=True)
class ReaderConfig:
    vocab_size: int
    width: int = 24
    max_tokens: int = 77
    layers: int = 1


class Reader(nn.Module):
    """Reads every word by itself, and all of them as one."""

    def __init__(self, config: ReaderConfig) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.vocab_size, config.width)
        self.places = nn.Embedding(config.max_tokens, config.width)

    def forward(
        self, token_ids: Tensor, clip_skip: int = 1, learned: Tensor | None = None
    ) -> Conditioning:
        known = self.words.weight
        table = known if learned is None else torch.cat([known, learned])
        words = table[token_ids]
        places = self.places.weight[: token_ids.shape[1]]
        return Conditioning(torch.sin(words + places), words.mean(dim=1))
