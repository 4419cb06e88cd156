"""Attention written out for training: on a CPU its backward pass is the quicker."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from imaginairy.image_context import Seen
from imaginairy.kept import Kept
from imaginairy.networks.layers import Attention

PLAIN = "storybook_plain"
"""What transformers is to call `plain_attention`."""


class PlainAttention(nn.Module):
    """Do what `Attention` does, with its very layers, in plain matrix products."""

    def __init__(self, source: Attention) -> None:
        super().__init__()
        self.heads = source.heads
        self.query, self.key = source.query, source.key
        self.value, self.out = source.value, source.out

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        causal: bool = False,
        mask: Tensor | None = None,
        kept: Kept | None = None,
        beside: Sequence[Seen] = (),
    ) -> Tensor:
        """Map (batch, tokens, width) to the same; `causal` hides later tokens.

        What `mask` does not see of the context is hidden as well.
        Nothing is kept: what learns gives other keys and values each time.
        """
        context = x if context is None else context
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(x), self.key(context), self.value(context))
        )  # (batch, heads, tokens, width / heads)
        hidden = None
        if causal:
            sides = query.shape[2], key.shape[2]
            hidden = torch.full(sides, -1e4, dtype=query.dtype, device=x.device).triu(1)
        if mask is not None:
            unseen = torch.zeros(mask.shape, dtype=query.dtype, device=x.device)
            hidden = unseen.masked_fill(~mask, -1e4)[:, None, None]
        scale = query.shape[-1] ** -0.5
        mixed, _ = plain_attention(self, query, key, value, hidden, scale)
        for each in beside:
            key, value = (
                part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                for part in (each.key, each.value)
            )
            found, _ = plain_attention(self, query, key, value, None, scale)
            share = each.share
            mixed = mixed + found * (
                share.transpose(1, 2) if isinstance(share, Tensor) else share
            )
        return self.out(mixed.flatten(2))


def plain_attention(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_others: object,
) -> tuple[Tensor, None]:
    """Attend in plain matrix products, as networks of transformers ask for it.

    Args:
        query, key, value: (batch, heads, tokens, width / heads).
        attention_mask: what is added to scores; None where all is seen.

    Returns:
        (batch, tokens, heads, width / heads), and no scores.
    """
    assert not dropout
    scores = (query * scaling) @ key.transpose(-1, -2)
    if attention_mask is not None:
        scores = scores + attention_mask
    mixed = torch.softmax(scores, dim=-1).to(value.dtype) @ value
    return mixed.transpose(1, 2), None


def attend_plainly(network: nn.Module) -> None:
    """Let a network of transformers attend so, as long as it is trained on a CPU."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    if next(network.parameters()).device.type == "cpu":
        AttentionInterface.register(PLAIN, plain_attention)
        AttentionMaskInterface.register(PLAIN, eager_mask)
        network.set_attn_implementation(PLAIN)


def write_out_attention(network: nn.Module) -> None:
    """Replace every attention of a network by its plain form, weights shared."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Attention):
                setattr(module, name, PlainAttention(child))
