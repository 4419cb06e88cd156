"""The encoder of T5 1.1 (Raffel et al. 2020, arXiv:1910.10683; Shazeer 2020,
arXiv:2002.05202, for its gates) as a reader of texts.

The layers are those of transformers, which is imported where one is built.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.conditioning import Conditioning
from imaginairy.networks.adopted import configured, with_our_layers
from imaginairy.networks.layers import Embedding, Linear


@dataclass(frozen=True)
class T5TextConfig:
    """Size the encoder; the defaults are those of XXL."""

    vocab_size: int = 32128
    width: int = 4096
    layers: int = 24
    heads: int = 64
    head_dim: int = 64
    mlp_width: int = 10240
    buckets: int = 32
    """How many distances between tokens are told apart."""
    far: int = 128
    """From here on all are one."""
    max_tokens: int = 512
    """Tokens of a text, the end included."""
    eps: float = 1e-6


class Gated(nn.Module):
    """Widen each token, let through what a GELU does, and narrow it.

    It takes the place of transformers' own, which narrows in the type that weights are
    stored in.
    """

    def __init__(self, config: T5TextConfig) -> None:
        super().__init__()
        self.wi_0 = Linear(config.width, config.mlp_width, bias=False)
        self.wi_1 = Linear(config.width, config.mlp_width, bias=False)
        self.wo = Linear(config.mlp_width, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n, width) to the same."""
        return self.wo(F.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x))


class T5Text(nn.Module):
    """Embed the tokens of a text, each in the light of all."""

    def __init__(self, config: T5TextConfig) -> None:
        from transformers import T5Config, T5EncoderModel

        super().__init__()
        self.config = config
        self.tokens = Embedding(config.vocab_size, config.width)
        sizes = configured(
            T5Config,
            vocab_size=config.vocab_size,
            d_model=config.width,
            d_kv=config.head_dim,
            d_ff=config.mlp_width,
            num_layers=config.layers,
            num_heads=config.heads,
            relative_attention_num_buckets=config.buckets,
            relative_attention_max_distance=config.far,
            feed_forward_proj="gated-gelu",
            layer_norm_epsilon=config.eps,
            dropout_rate=0.0,
            pad_token_id=None,
            eos_token_id=None,
        )
        body: Any = T5EncoderModel(sizes).encoder
        body.embed_tokens = None
        for block in body.block:
            block.layer[-1].DenseReluDense = Gated(config)
        self.body = with_our_layers(body, body.block)

    def forward(self, token_ids: Tensor, seen: Tensor | None = None) -> Conditioning:
        """Embed ids (batch, n) as tokens (batch, n, width).

        Args:
            seen: which ids are looked at, (batch, n) of bool; None where all are.
        """
        embedded = self.tokens(token_ids).to(self.body.final_layer_norm.weight.dtype)
        hidden = None if seen is None else _hidden(seen, embedded)
        said = self.body(inputs_embeds=embedded, attention_mask=hidden)
        return Conditioning(said.last_hidden_state)


def _hidden(seen: Tensor, tokens: Tensor) -> Tensor:
    """Return what is added to how much tokens look at others, (batch, 1, n, n)."""
    none = torch.finfo(tokens.dtype).min
    hidden = torch.where(seen[:, None, None], 0.0, none).to(tokens.dtype)
    return hidden.expand(-1, 1, tokens.shape[1], -1)
