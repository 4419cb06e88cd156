"""Qwen3 (Yang et al. 2025, arXiv:2505.09388) as a reader of texts.

The layers are those of transformers, which is imported where one is built.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.networks.adopted import Rotary, configured, with_our_layers
from imaginairy.networks.layers import Embedding


@dataclass(frozen=True)
class Qwen3TextConfig:
    """Size the transformer; the defaults are those of 4B, read one layer early."""

    vocab_size: int = 151936
    token_width: int = 2560
    """Of what each layer says."""
    heads: int = 32
    key_heads: int = 8
    """Heads of keys and values, which several heads look at."""
    head_dim: int = 128
    mlp_width: int = 9728
    reads: tuple[int, ...] = (35,)
    """After how many layers tokens are read, side by side; there are no more layers
    than the most, and no normalisation behind it."""
    max_tokens: int = 512
    """Tokens of a text, with what stands around it."""
    eps: float = 1e-6
    theta: float = 1e6
    behind: int = 0
    """Layers that stand behind these where it was read."""
    from_end: bool = False
    """Whether what is read was counted from the end, so that those must be there."""

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return max(self.reads)

    @property
    def width(self) -> int:
        """Width of the embeddings."""
        return len(self.reads) * self.token_width


class Qwen3Text(nn.Module):
    """Embed the tokens of a text, each in the light of those before it."""

    def __init__(self, config: Qwen3TextConfig) -> None:
        from transformers import Qwen3Config, Qwen3Model

        super().__init__()
        self.config = config
        self.tokens = Embedding(config.vocab_size, config.token_width)
        sizes = configured(
            Qwen3Config,
            vocab_size=1,
            hidden_size=config.token_width,
            intermediate_size=config.mlp_width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.key_heads,
            head_dim=config.head_dim,
            rms_norm_eps=config.eps,
            use_cache=False,
        )
        body: Any = Qwen3Model(sizes)
        body.embed_tokens, body.norm = None, nn.Identity()
        body.rotary_emb = Rotary(config.head_dim, config.theta)
        self.body = with_our_layers(body, body.layers)

    def forward(self, token_ids: Tensor, seen: Tensor | None = None) -> Conditioning:
        """Embed ids (batch, n) as tokens (batch, n, width).

        Args:
            seen: which ids are of the text and not behind it, (batch, n) of bool; None
                where all are.
        """
        dtype, n = self.body.layers[0].input_layernorm.weight.dtype, token_ids.shape[1]
        looks = torch.ones(1, 1, n, n, dtype=torch.bool, device=token_ids.device).tril()
        states = self.body(
            inputs_embeds=self.tokens(token_ids).to(dtype),
            attention_mask=looks if seen is None else looks & seen[:, None, None],
            output_hidden_states=True,
        ).hidden_states
        return Conditioning(torch.cat([states[n] for n in self.config.reads], dim=-1))
