"""Layers and blocks that networks share."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import ceil, log
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.eight_bits import typed
from imaginairy.image_context import Seen
from imaginairy.kept import Kept

Compute = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""What a layer computes of an input, a weight and a bias."""


class Change:
    """What acts on a layer for a while, in its `changes`; see `adapters`.

    Each kind of it overrides what it does; this one does nothing.
    """

    thin = False
    """Whether what it adds to the weights is nothing or a product of thin matrices, so
    that it is cheaper `added` to what the layer gives."""

    def changed(
        self, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return what weights and bias become, which stay as they are."""
        return weight, bias

    def taken(self, input: Tensor) -> Tensor:
        """Return what a layer takes in place of what comes in."""
        return input

    def added(self, output: Tensor, input: Tensor, compute: Compute) -> Tensor:
        """Add to what a layer gives, where `thin`; `output` may be overwritten."""
        return output


Changes = tuple[Change, ...]


class Linear(nn.Linear):
    """Multiply by weights, which may be stored in another type than the input's."""

    casts = True
    """Whether weights may be held as they are stored; see `weights.assemble`."""
    changes: Changes = ()

    def forward(self, input: Tensor) -> Tensor:  # the name nn.Linear gave it
        if self.changes:
            return changed(self, input, F.linear)
        return F.linear(input, typed(self.weight, input.dtype), self.bias)


class Embedding(nn.Embedding):
    """Give each number its row, in the type that the rows are stored in."""

    casts = True
    changes: Changes = ()

    def forward(self, input: Tensor) -> Tensor:  # the name nn.Embedding gave it
        weight = self.weight
        for each in self.changes:
            weight, _ = each.changed(weight, None)
        return F.embedding(input, weight.to(self.weight.dtype), self.padding_idx)


class LayerNorm(nn.LayerNorm):
    """Normalise each token (Ba et al. 2016)."""

    changes: Changes = ()

    def forward(self, input: Tensor) -> Tensor:  # the name nn.LayerNorm gave it
        if not self.changes:
            return super().forward(input)

        def compute(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return F.layer_norm(input, self.normalized_shape, weight, bias, self.eps)

        return changed(self, input, compute)


class GroupNorm(nn.GroupNorm):
    """Normalise in groups of channels (Wu & He 2018)."""

    changes: Changes = ()

    def forward(self, input: Tensor) -> Tensor:  # the name nn.GroupNorm gave it
        if not self.changes:
            return super().forward(input)

        def compute(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return F.group_norm(input, self.num_groups, weight, bias, self.eps)

        return changed(self, input, compute)


class Conv2d(nn.Conv2d):
    """Convolve, with zeros around the picture or with the picture's other side.

    `wrap_x` and `wrap_y` are set for a while by `tiling`; a picture made so can be
    laid beside itself without a seam. Weights may be stored as those of `Linear`.
    """

    casts = True
    wrap_x = False
    wrap_y = False
    changes: Changes = ()

    def forward(self, input: Tensor) -> Tensor:  # the name nn.Conv2d gave it
        if self.changes:
            return changed(self, input, self._convolved)
        return self._convolved(input, typed(self.weight, input.dtype), self.bias)

    def _convolved(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not (self.wrap_x or self.wrap_y):
            return self._conv_forward(input, weight, bias)
        pad_y, pad_x = int(self.padding[0]), int(self.padding[1])
        for wraps, pad in (
            (self.wrap_x, (pad_x, pad_x, 0, 0)),
            (self.wrap_y, (0, 0, pad_y, pad_y)),
        ):
            input = F.pad(input, pad, mode="circular" if wraps else "constant")
        return F.conv2d(input, weight, bias, self.stride, 0, self.dilation, self.groups)

    def between(self, rows: Tensor) -> Tensor:
        """Convolve rows that come with those above and below that it looks at."""
        weight, pad = typed(self.weight, rows.dtype), int(self.padding[1])
        if self.wrap_x:
            rows, pad = F.pad(rows, (pad, pad, 0, 0), mode="circular"), 0
        return F.conv2d(
            rows, weight, self.bias, self.stride, (0, pad), self.dilation, self.groups
        )


def changed(
    layer: Linear | Conv2d | LayerNorm | GroupNorm, input: Tensor, compute: Compute
) -> Tensor:
    """Compute a layer as its changes make it, beside it where that is enough."""
    weight, bias = layer.weight, layer.bias
    for each in layer.changes:
        input = each.taken(input)
    thin = all(each.thin for each in layer.changes)
    if not thin:
        for each in layer.changes:
            weight, bias = each.changed(weight, bias)
    bias = None if bias is None else bias.to(input.dtype)
    output = compute(input, typed(weight, input.dtype), bias)
    if thin:
        for each in layer.changes:
            output = each.added(output, input, compute)
    return output


def computed_in(layer: Linear | Conv2d) -> torch.dtype:
    """Return the type that a layer computes in, which its bias is always held in."""
    return (layer.weight if layer.bias is None else layer.bias).dtype


def tiling(*modules: nn.Module, x: bool, y: bool) -> AbstractContextManager[None]:
    """Let every padded convolution of the modules wrap around while the block runs."""
    return while_set(*modules, wrap_x=x, wrap_y=y)


def blocks_of(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the parts of a network whose weights may come and go by themselves.

    Their classes say so by `comes_alone`: only their `forward` reads these weights.
    """
    for part in network.children():
        if getattr(part, "comes_alone", False):
            yield part
        else:
            yield from blocks_of(part)


@contextmanager
def while_set(*modules: nn.Module, **values: Any) -> Iterator[None]:
    """Set attributes of all layers in modules that have them while the block runs."""
    before = [
        (layer, name, getattr(layer, name))
        for module in modules
        for layer in module.modules()
        for name in values
        if hasattr(type(layer), name)
    ]
    try:
        for layer, name, _ in before:
            setattr(layer, name, values[name])
        yield
    finally:
        for layer, name, value in before:
            setattr(layer, name, value)


def in_slices(compute: Callable[[Tensor], Tensor], x: Tensor, slices: int) -> Tensor:
    """Compute what each token of (..., tokens, width) is by itself, some at a time."""
    if slices == 1:
        return compute(x)
    parts = torch.split(x, ceil(x.shape[-2] / slices), dim=-2)
    return torch.cat([compute(part) for part in parts], dim=-2)


def added(fresh: Tensor, x: Tensor) -> Tensor:
    """Add `x` to a tensor that nothing else uses; in place where nothing is learnt."""
    if torch.is_grad_enabled() or fresh.dtype != x.dtype:
        return fresh + x
    return fresh.add_(x)


def multiplied(fresh: Tensor, x: Tensor) -> Tensor:
    """Multiply a tensor that nothing else uses by `x`; see `added`."""
    return fresh * x if torch.is_grad_enabled() else fresh.mul_(x)


def laid_out_as(x: Tensor, other: Tensor) -> Tensor:
    """Return another tensor of the shape of `x`, lying in memory as that does.

    Convolutions lay their weights out anew for an input that lies otherwise than they.
    """
    if other.stride() == x.stride():
        return other
    return torch.empty_like(x, dtype=other.dtype).copy_(other)


def norm_silu(norm: nn.Module, x: Tensor) -> Tensor:
    """Normalise and apply SiLU; in place where nothing is learnt."""
    hidden = norm(x)
    ours = hidden is not x and not torch.is_grad_enabled()
    return F.silu(hidden, inplace=ours)


def group_norm(groups: int, channels: int, eps: float) -> nn.Module:
    """Normalise in `groups` groups of channels (Wu & He 2018); 0 does nothing."""
    return GroupNorm(groups, channels, eps=eps) if groups else nn.Identity()


class ResidualBlock(nn.Module):
    """Two normalised convolutions beside a shortcut, told the time if there is one."""

    comes_alone = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        norm_groups: int,
        eps: float,
        time_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = group_norm(norm_groups, in_channels, eps)
        self.conv1 = Conv2d(in_channels, out_channels, 3, padding=1)
        self.time = Linear(time_channels, out_channels) if time_channels else None
        self.norm2 = group_norm(norm_groups, out_channels, eps)
        self.conv2 = Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = (
            Conv2d(in_channels, out_channels, 1)
            if in_channels != out_channels
            else nn.Identity()
        )

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """Map (batch, in, h, w) to (batch, out, h, w), given the time (batch, time)."""
        hidden = self.conv1(norm_silu(self.norm1, x))
        if self.time is not None:
            hidden = added(hidden, self.time(time)[:, :, None, None])
        hidden = self.conv2(norm_silu(self.norm2, hidden))
        return added(hidden, self.shortcut(x))


class Attention(nn.Module):
    """Attend from tokens to themselves or to a context (Vaswani et al. 2017)."""

    slices = 1
    """In how many slices tokens look at the others, to hold less at once; those of a
    text, which are few, do so together."""

    def __init__(
        self,
        width: int,
        *,
        heads: int,
        context_width: int | None = None,
        qkv_bias: bool = False,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads cannot share {width} channels evenly")
        self.heads = heads
        self.query = Linear(width, width, bias=qkv_bias)
        self.key = Linear(context_width or width, width, bias=qkv_bias)
        self.value = Linear(context_width or width, width, bias=qkv_bias)
        self.out = Linear(width, width)

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
        """Map (batch, tokens, width) to the same.

        Args:
            causal: hides later tokens.
            mask: which tokens of the context are seen, (batch, n) of bool.
            kept: what was kept of the same context, if it is asked more than once.
            beside: what else is looked at, each by itself, and added.
        """
        query = self.query(x)
        looked_at = self.looked_at(x if context is None else context, kept)
        query, key, value = map(self.apart, (query, *looked_at))
        seen = None if mask is None else mask[:, None, None]

        def look(query: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask=seen, is_causal=causal
            )

        mixed = in_slices(look, query, 1 if causal else self.slices)
        for each in beside:
            key, value = self.apart(each.key), self.apart(each.value)
            found = F.scaled_dot_product_attention(
                query, key, value, attn_mask=each.bias
            )
            mixed = mixed + each.share * found
        return self.out(mixed.transpose(1, 2).flatten(2))

    def apart(self, x: Tensor) -> Tensor:
        """Return (batch, tokens, width) as (batch, heads, tokens, width / heads)."""
        return x.reshape(*x.shape[:-1], self.heads, -1).transpose(1, 2)

    def looked_at(self, context: Tensor, kept: Kept | None) -> Sequence[Tensor]:
        """Return the keys and values of a context, or those kept of it before."""
        if kept is None:
            return self.key(context), self.value(context)
        of = self, self.key.changes, self.value.changes
        both = kept.get(of)
        if both is None or both.dtype != context.dtype:
            both = torch.stack([self.key(context), self.value(context)], dim=1)
            kept.keep(of, both)
        return both.unbind(1)


def sinusoid(timesteps: Tensor, dim: int) -> Tensor:
    """Embed timesteps (batch,) in [0, 1000], fractions too, as (batch, dim) float32.

    The first half are cosines, the second sines, of wavelengths from 2 pi to
    10000 * 2 pi (Vaswani et al. 2017, section 3.5; cosine first as in Ho et al. 2020).
    """
    half = dim // 2
    numbers = torch.arange(half, dtype=torch.float32, device=timesteps.device)
    angles = timesteps.float()[:, None] * torch.exp(-log(10000) * numbers / half)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
