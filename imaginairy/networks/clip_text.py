"""CLIP's text transformer (Radford et al. 2021, arXiv:2103.00020).

OpenCLIP's are built alike (Cherti et al. 2022, arXiv:2212.07143).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.conditioning import Conditioning
from imaginairy.networks.config import ClipTextConfig
from imaginairy.networks.layers import Attention, Embedding, LayerNorm, Linear


def quick_gelu(x: Tensor) -> Tensor:
    """Approximate GELU by a sigmoid (Hendrycks & Gimpel 2016, section 2)."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "quick_gelu": quick_gelu,
    "gelu": F.gelu,
}


class Layer(nn.Module):
    """Look back over the words so far, then think about each."""

    comes_alone = True

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.norm1 = LayerNorm(config.width)
        self.attention = Attention(config.width, heads=config.heads, qkv_bias=True)
        self.norm2 = LayerNorm(config.width)
        self.widen = Linear(config.width, config.mlp_width)
        self.narrow = Linear(config.mlp_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), causal=True)
        return x + self.narrow(self.activation(self.widen(self.norm2(x))))


class ClipText(nn.Module):
    """Embed the tokens of a text, each in the light of those before it."""

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = Embedding(config.vocab_size, config.width)
        self.positions = nn.Embedding(config.max_tokens, config.width)
        self.layers = nn.Sequential(*(Layer(config) for _ in range(config.layers)))
        self.norm_out = LayerNorm(config.width)
        self.projection = (
            None
            if config.projection_dim is None
            else Linear(config.width, config.projection_dim, bias=False)
        )

    def forward(
        self, token_ids: Tensor, clip_skip: int = 1, learned: Tensor | None = None
    ) -> Conditioning:
        """Embed ids (batch, up to max_tokens) as tokens (batch, n, width).

        They are the output of a layer, after the final normalisation if the config
        has it. The pooled embedding (batch, projection_dim or width), if there is one,
        is what the last layer of all says at the first token that ends the text,
        normalised and projected.

        Args:
            clip_skip: which layer, counted from the last, which is 1.
            learned: rows (n, width) of the ids from `vocab_size` on, in place of the
                vocabulary's.
        """
        config = self.config
        places = self.positions.weight[: token_ids.shape[1]]
        states = [self._rows(token_ids, learned, places.dtype) + places]
        kept = len(self.layers) + 1 - clip_skip
        for layer in list(self.layers)[: None if config.pooled else kept]:
            states.append(layer(states[-1]))
        tokens = self.norm_out(states[kept]) if config.final_norm else states[kept]
        return Conditioning(
            tokens, self._pooled(states[-1], token_ids) if config.pooled else None
        )

    def _rows(
        self, token_ids: Tensor, learned: Tensor | None, dtype: torch.dtype
    ) -> Tensor:
        if learned is None:
            return self.tokens(token_ids).to(dtype)
        behind = token_ids - self.config.vocab_size
        known = self.tokens(token_ids.where(behind < 0, 0)).to(dtype)
        rows = learned.to(dtype)[behind.clamp(min=0)]
        return torch.where((behind < 0)[..., None], known, rows)

    def _pooled(self, last: Tensor, token_ids: Tensor) -> Tensor:
        ends = (token_ids == self.config.end_token).int().argmax(dim=1)
        each = torch.arange(len(last), device=last.device)
        pooled: Tensor = self.norm_out(last[each, ends])
        return pooled if self.projection is None else self.projection(pooled)
