"""Adapters at work: what they change acts for a while, and nothing is left of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from imaginairy.adapters.delta import Delta
from imaginairy.adapters.file import Adapter, Found
from imaginairy.adapters.names import Drawing
from imaginairy.device import computes_in
from imaginairy.families.family import DENOISER
from imaginairy.lora import Lora
from imaginairy.networks.layers import Change, Changes, Compute
from imaginairy.weights.leftovers import some

MAPS = 4
"""Axes of what convolves feature maps, where matrices have two."""


class Acts(Change):
    """What an adapter makes of one layer, at a strength."""

    def __init__(self, delta: Delta, strength: float, shape: torch.Size) -> None:
        self.delta, self.strength, self.shape = delta, strength, shape
        self.thin = delta.is_thin

    def changed(
        self, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return weight and bias as they become, in float32."""
        return self.delta.changed(weight, bias, self.strength)

    def added(self, output: Tensor, input: Tensor, compute: Compute) -> Tensor:
        """Add what the two thin matrices make of the input."""
        up, down, scale = self.delta.thin()
        up, down = up.to(input.dtype), down.to(input.dtype)
        hidden = compute(input, down.reshape(-1, *self.shape[1:]), None)
        maps = len(self.shape) == MAPS
        return _add(output, up, hidden * (scale * self.strength), maps=maps)


class Merged(Change):
    """Stands where weights were changed already."""

    thin = True


def _add(output: Tensor, up: Tensor, hidden: Tensor, *, maps: bool) -> Tensor:
    """Add what `up`, (out, rank), makes of few channels to what a layer gave.

    That is done in place where nothing is learnt; channels are the last axis of tokens
    and the second of feature maps.
    """
    if maps:
        rows, few = output.movedim(1, -1), hidden.movedim(1, -1)
    else:
        rows, few = output, hidden
    if torch.is_grad_enabled():
        more = few @ up.T
        return output + (more.movedim(-1, 1) if maps else more)
    if rows.is_contiguous():
        rows.view(-1, len(up)).addmm_(few.reshape(-1, up.shape[1]), up.T)
    else:
        many = up.expand(len(output), -1, -1)
        output.flatten(2).baddbmm_(many, hidden.flatten(2))
    return output


@dataclass(frozen=True)
class _Use:
    """What one adapter makes of one layer, and when."""

    number: int
    """Of the adapter, in the order in which they were given."""
    change: Acts


class Acting:
    """The adapters that act on a model, each over its part of the steps."""

    def __init__(
        self,
        model: Drawing,
        wanted: Sequence[tuple[Adapter, Lora]],
        *,
        merged: bool = False,
    ) -> None:
        self.merged = merged
        self.loras = [lora for _, lora in wanted]
        self._uses: dict[Any, list[_Use]] = {}
        self._draws: set[Any] = set()
        """The layers of the network that draws."""
        for number, (adapter, lora) in enumerate(wanted):
            self._add(number, adapter.found_in(model), lora, model)
        for uses in self._uses.values():
            uses.sort(key=lambda use: not use.change.delta.is_added)
        self._types = {
            layer: computes_in(network) if merged else None
            for network in model.networks.values()
            for layer in network.modules()
            if layer in self._uses
        }
        self._before = {
            layer: (layer.changes, dict(layer._parameters)) for layer in self._uses
        }
        self._now: frozenset[int] | None = None
        self.changes = 0
        """How often others began to act."""

    def at(self, share: float) -> None:
        """Let those act that do at a share of the steps, from 0 to 1.

        In text encoders those do that act from the start.
        """
        now = frozenset(
            number
            for number, each in enumerate(self.loras)
            if each.start <= share and (share < each.end or each.end == 1)
        )
        begins = self._now is None
        if now == self._now:
            return
        self._now = now
        self.changes += 1
        first = {n for n, each in enumerate(self.loras) if each.start == 0}
        for layer, uses in self._uses.items():
            draws = layer in self._draws
            if draws or begins:
                there = now if draws else first
                self._set(layer, tuple(u.change for u in uses if u.number in there))

    def leave(self) -> None:
        """Leave the layers as they were before."""
        for layer, (changes, parameters) in self._before.items():
            layer._parameters.update(parameters)
            if layer.changes is not changes:
                layer.changes = changes

    def _add(self, number: int, found: Found, lora: Lora, model: Drawing) -> None:
        found.require_finite()
        for role, modules in found.deltas.items():
            draws = role == DENOISER
            for name, deltas in modules.items():
                strength = strength_of(found, lora, role, name)
                layer: Any = model.networks[role].get_submodule(name)
                if strength == 0:
                    continue
                place = layer.weight.device if self.merged else model.device
                if draws:
                    self._draws.add(layer)
                self._uses.setdefault(layer, []).extend(
                    _Use(
                        number,
                        Acts(delta.to(place), strength, layer.weight.shape),
                    )
                    for delta in deltas
                )

    def _set(self, layer: Any, changes: Changes) -> None:
        before: Changes
        before, parameters = self._before[layer]
        if not self.merged:
            layer.changes = (*before, *changes)
            return
        layer._parameters.update(parameters)
        weight, bias = layer.weight, getattr(layer, "bias", None)
        for each in changes:
            weight, bias = each.changed(weight, bias)
        for name, value in (("weight", weight), ("bias", bias)):
            if value is not None and value is not layer._parameters[name]:
                merged = nn.Parameter(value.to(self._types[layer]), requires_grad=False)
                layer._parameters[name] = merged
        layer.changes = (*before, Merged()) if changes else before


def strength_of(found: Found, lora: Lora, role: str, layer: str) -> float:
    """Return how much of an adapter acts in a layer of a network."""
    much = lora.in_unet if role == DENOISER else lora.in_text
    blocks = {_unpadded(name): f for name, f in (lora.blocks or {}).items()}
    called = found.blocks.get((role, layer), ())
    return much * next((blocks[each] for each in called if each in blocks), 1.0)


def blocks_lacking(found: Found, lora: Lora) -> str:
    """Say which blocks of the UNet have factors and are not there; nothing if none."""
    there = {name for names in found.blocks.values() for name in names}
    asked = dict.fromkeys(map(_unpadded, lora.blocks or {}))
    lacking = [name for name in asked if name not in there]
    if not lacking:
        return ""
    are = f"; there are {', '.join(sorted(there, key=_in_order))}" if there else ""
    return (
        f"The LoRA '{lora.name}' has factors for {some(lacking)}, which are no blocks "
        f"of this model, so they do nothing{are}."
    )


def _in_order(block: str) -> tuple[str, int]:
    side = block.rstrip("0123456789")
    return side, int(block[len(side) :] or -1)


def _unpadded(block: str) -> str:
    """Return the name of a block without zeros before its number."""
    side = block.rstrip("0123456789")
    return f"{side}{int(number)}" if (number := block[len(side) :]) else side


@contextmanager
def acting(
    model: Drawing,
    wanted: Sequence[tuple[Adapter, Lora]],
    *,
    merged: bool = False,
) -> Iterator[Acting]:
    """Let adapters act on a model while the block runs.

    Weights are changed as they are used, and take no memory; afterwards everything is
    as it was, to the bit.

    Args:
        merged: changes the weights once, on copies of those that are changed, which is
            faster.

    Raises:
        CheckpointError: an adapter is for another family, nothing of it has a place in
            the model, or it holds numbers that are not finite.
    """
    scope = Acting(model, wanted, merged=merged)
    try:
        scope.at(0.0)
        yield scope
    finally:
        scope.leave()
