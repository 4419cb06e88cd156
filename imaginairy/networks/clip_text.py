"""CLIP's text transformer (Radford et al. 2021, arXiv:2103.00020)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.config import ClipTextConfig
from imaginairy.networks.layers import Attention


def quick_gelu(x: Tensor) -> Tensor:
    """Approximate GELU by a sigmoid (Hendrycks & Gimpel 2016, section 2)."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "quick_gelu": quick_gelu,
    "gelu": F.gelu,
}


class Layer(nn.Module):
    """Look back over the words so far, then think about each."""

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.norm1 = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, heads=config.heads, qkv_bias=True)
        self.norm2 = nn.LayerNorm(config.width)
        self.widen = nn.Linear(config.width, config.mlp_width)
        self.narrow = nn.Linear(config.mlp_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), causal=True)
        return x + self.narrow(self.activation(self.widen(self.norm2(x))))


class ClipText(nn.Module):
    """Embed the tokens of a text, each in the light of those before it."""

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.width)
        self.positions = nn.Embedding(config.max_tokens, config.width)
        self.layers = nn.Sequential(*(Layer(config) for _ in range(config.layers)))
        self.norm_out = nn.LayerNorm(config.width)

    def forward(self, token_ids: Tensor, clip_skip: int = 1) -> Tensor:
        """Map ids (batch, up to max_tokens) to (batch, tokens, width).

        What comes back is the output of a layer after the final normalisation.

        Args:
            clip_skip: which layer, counted from the last, which is 1.
        """
        positions = self.positions.weight[: token_ids.shape[1]]
        x = self.tokens(token_ids) + positions
        for layer in list(self.layers)[: len(self.layers) + 1 - clip_skip]:
            x = layer(x)
        return self.norm_out(x)
