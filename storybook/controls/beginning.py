"""What an image prompt begins as: what captions do in each attention, as far as that is
linear in what is seen in the pictures; found without a step of training the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.models.drawing import DrawingModel
from imaginairy.networks.ip_adapter import IPAdapter
from imaginairy.networks.unet import UNet
from storybook import settings
from storybook.controls.pairs import load_cache, load_seen
from storybook.training.loop import cosine

ENDS = [29, 35, 41, 47]
"""Places behind the ends of captions, which the tokens of a picture begin as."""
STEPS = 2 if settings.REHEARSAL else 300
"""In which they do."""
RATE = 1e-2
LOOKED_AT = 2 if settings.REHEARSAL else 50
"""Batches that are looked at."""
BATCH = 12
RIDGE = 1e-3
"""Of the mean square of what the values are made of."""


def begin(adapter: IPAdapter, model: DrawingModel, nothing: Tensor) -> None:
    """Fill an IP-Adapter that has the model's own keys.

    Args:
        nothing: what a caption says that is empty, (1, tokens, width).
    """
    _say_ends(adapter.image)
    with torch.no_grad():
        for pair, value in zip(
            adapter.pairs, _values(adapter, model, nothing), strict=True
        ):
            pair.value.weight.copy_(value)


def _say_ends(image: nn.Module) -> None:
    """Let tokens be what captions are at their ends, where all of them was read."""
    seen, wanted = load_seen(), load_cache()["texts"][:, ENDS].float()
    optimizer = torch.optim.AdamW(image.parameters(), lr=RATE)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * cosine(step / STEPS)
        optimizer.zero_grad()
        nn.functional.mse_loss(image(seen), wanted).backward()
        optimizer.step()


def _values(adapter: IPAdapter, model: DrawingModel, nothing: Tensor) -> list[Tensor]:
    """Return the values by which tokens come nearest to what captions change."""
    unet: UNet = model.network
    layers = unet.attending()
    context = adapter.config.context
    squares = [torch.zeros(each.heads, context, context) for each in layers]
    products = [
        torch.zeros(each.heads, context, each.key.out_features // each.heads)
        for each in layers
    ]
    kept, seen = load_cache(), load_seen()
    chance = torch.Generator().manual_seed(settings.SEED)
    for _ in range(LOOKED_AT):
        rows = torch.randint(len(seen), (BATCH,), generator=chance)
        clean, texts = (kept[name][rows].float() for name in ("latents", "texts"))
        moments = torch.randint(len(model.schedule), (BATCH,), generator=chance)
        alpha = model.schedule.alphas_cumprod[moments][:, None, None, None]
        fresh = torch.randn(clean.shape, generator=chance)
        noised = alpha.sqrt() * clean + (1 - alpha).sqrt() * fresh
        with _watched(layers) as asked:
            unet(noised, moments.float(), Conditioning(texts))
        tokens = adapter.tokens(seen[rows])
        empty = nothing.expand(BATCH, -1, -1)
        for place, (layer, pair) in enumerate(zip(layers, adapter.pairs, strict=True)):
            query = layer.query(asked[place])
            told, untold = (
                _attended(layer, query, layer.key(text), layer.value(text))
                for text in (texts, empty)
            )
            wanted = (
                (told - untold).unflatten(-1, (layer.heads, -1)).permute(2, 0, 1, 3)
            )
            found = _shares(layer, query, pair.key(tokens)) @ tokens[:, None]
            found, wanted = found.transpose(0, 1).flatten(1, 2), wanted.flatten(1, 2)
            squares[place] += found.transpose(1, 2) @ found
            products[place] += found.transpose(1, 2) @ wanted
    return [*map(_solved, squares, products)]


def _solved(squares: Tensor, products: Tensor) -> Tensor:
    """Return the values of all heads, (width, context)."""
    ridge = RIDGE * squares.diagonal(dim1=1, dim2=2).mean()
    found = torch.linalg.solve(squares + ridge * torch.eye(squares.shape[-1]), products)
    return found.transpose(1, 2).flatten(0, 1)


@contextmanager
def _watched(layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Note what attentions are asked, in their order."""
    asked: dict[nn.Module, Tensor] = {}

    def note(layer: nn.Module, given: tuple[Any, ...]) -> None:
        asked[layer] = given[0]

    hooks = [each.register_forward_pre_hook(note) for each in layers]
    found: list[Tensor] = []
    try:
        yield found
        found += [asked[each] for each in layers]
    finally:
        for hook in hooks:
            hook.remove()


def _shares(layer: Any, query: Tensor, key: Tensor) -> Tensor:
    """Return how much is looked at each token, (batch, heads, places, tokens)."""
    query, key = (
        each.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for each in (query, key)
    )
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    return scores.softmax(dim=-1)


def _attended(layer: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    value = value.unflatten(-1, (layer.heads, -1)).transpose(1, 2)
    return (_shares(layer, query, key) @ value).transpose(1, 2).flatten(2)
