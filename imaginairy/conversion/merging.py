"""Adapters merged into the weights of a model: computed in float32, cast once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from imaginairy.adapters.acting import strength_of
from imaginairy.adapters.delta import Delta
from imaginairy.adapters.file import Adapter, read_adapter
from imaginairy.conversion.pieces import Change
from imaginairy.conversion.source import Source
from imaginairy.errors import BadOptionError, CheckpointError
from imaginairy.families.family import DENOISER
from imaginairy.log import log
from imaginairy.lora import Lora
from imaginairy.sources.adapters import fetch_adapter, locate_adapter
from imaginairy.weights.leftovers import some


@dataclass(frozen=True)
class Uses:
    """What adapters make of one layer, each at its strength."""

    deltas: Sequence[tuple[Delta, float]]
    """Those that add come first."""

    def weight(self, weight: Tensor) -> Tensor:
        """Return what becomes of the weight."""
        for delta, strength in self.deltas:
            weight = delta.changed_weight(weight, strength)
        return weight

    def bias(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Return what becomes of the bias, for which no weight is computed."""
        became: Tensor | None = bias
        for delta, strength in self.deltas:
            became = delta.changed_bias(weight, became, strength)
        assert became is not None  # as there was one
        return became


def with_adapters(source: Source, loras: Sequence[Lora]) -> Source:
    """Return a model with adapters merged into it.

    Raises:
        UnknownModelError: nothing goes by the name of one.
        BadOptionError: one acts over a part of the steps, which a model cannot.
        CheckpointError: one is broken, for another family, or fits no layer.
        DownloadError: one could not be fetched.
    """
    if not loras:
        return source
    hollow = hollow_model(source)
    uses: dict[str, dict[str, list[tuple[Delta, float]]]] = {}
    opened = [opened_for(source, lora) for lora in loras]
    for adapter, lora in zip(opened, loras, strict=True):
        found = adapter.found_in(hollow)
        found.require_finite()
        if not found.deltas:
            raise CheckpointError(
                f"'{adapter.path}' holds learned words and changes no layer, so there "
                "is nothing to merge; use it where images are generated."
            )
        if adapter.embeddings:
            log.warning(
                "%s: its learned words (%s) do not go into the model, which reads them "
                "as plain text.",
                adapter.path, some(adapter.embeddings),
            )  # fmt: skip
        for role, layers in found.deltas.items():
            for name, deltas in layers.items():
                strength = strength_of(found, lora, role, name)
                if strength:
                    require_biases(adapter, hollow.networks[role], name, deltas)
                    each = [(delta, strength) for delta in deltas]
                    uses.setdefault(role, {}).setdefault(name, []).extend(each)
    merges: dict[str, Mapping[str, Change]] = {
        role: {name: Uses(in_order(each)) for name, each in layers.items()}
        for role, layers in uses.items()
    }
    named = (
        str(lora.called(adapter.path.stem)).replace(",", " ")
        for adapter, lora in zip(opened, loras, strict=True)
    )
    return replace(
        source,
        merges=merges,
        merged=(*source.merged, *named),
        files=(*source.files, *(adapter.path for adapter in opened)),
    )


def in_order(uses: Sequence[tuple[Delta, float]]) -> list[tuple[Delta, float]]:
    """Return changes as they act: those that add come first."""
    return sorted(uses, key=lambda use: not use[0].is_added)


def require_biases(
    adapter: Adapter, network: nn.Module, layer: str, deltas: Sequence[Delta]
) -> None:
    """Check that no layer is given a bias that it has not, as models have no place for.

    Raises:
        CheckpointError: one is.
    """
    ours: Any = network.get_submodule(layer)
    if getattr(ours, "bias", None) is None and any(each.has_bias for each in deltas):
        raise CheckpointError(
            f"'{adapter.path}' gives the layer '{layer}' a bias, and models of that "
            "kind have none there, so it cannot be merged; use it where images are "
            "generated."
        )


def opened_for(source: Source, lora: Lora) -> Adapter:
    """Open an adapter for a model.

    Raises:
        BadOptionError: it is asked for over a part of the steps.
    """
    if (lora.start, lora.end) != (0, 1):
        raise BadOptionError(
            f"The LoRA '{lora.name}' acts from {lora.start:g} to {lora.end:g} of the "
            "steps; what is merged acts over all of them: leave the @ away."
        )
    return read_adapter(fetch_adapter(locate_adapter(lora.name, source.path)))


def hollow_model(source: Source) -> Any:
    """Return a model's networks as adapters see them, of which no weight is read."""
    networks: dict[str, nn.Module] = {
        role: part.unfilled() for role, part in source.checkpoint.parts.items()
    }
    return SimpleNamespace(
        family=source.family,
        networks=networks,
        network=networks[DENOISER],
        device=torch.device("cpu"),
    )
