"""How much the changes of an adapter count, where its tensors do not say it all."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.log import shortened
from imaginairy.settings import (
    Flag,
    Listed,
    Number,
    OneOrMore,
    Schema,
    Settings,
    Text,
    Whole,
    read,
)
from imaginairy.weights.json_file import read_json
from imaginairy.weights.weightfile import Tensors

CONFIG = "adapter_config.json"
"""What PEFT writes beside the weights."""
IN_HEADER = "lora_adapter_metadata"
"""Where diffusers writes the same into the file, each name behind that of a part."""
SCHEMA: Schema = {
    "peft_type": Text(),
    "lora_alpha": Number(null=True),
    "alpha": Number(null=True),
    "r": Whole(0, 10**6, null=True),
    "use_rslora": Flag(),
    "alpha_pattern": Listed(Number(null=True)),
    "rank_pattern": Listed(Whole(0, 10**6)),
    "feedforward_modules": OneOrMore(Text()),
}
PEFT = re.compile(r"(^|\.)(lora_(embedding_)?A\b|base_model\.model\.)")


@dataclass(frozen=True)
class Said:
    """What is said of the layers of one part."""

    settings: Settings = field(default_factory=dict)
    """As PEFT has them."""

    def scale(self, layer: str, factors: Mapping[str, Tensor]) -> float | None:
        """Return what the change of a layer is scaled by, where that is said.

        That is alpha over the rank, or over its root, as in rsLoRA (Kalajdzievski 2023,
        arXiv:2312.03732).
        """
        said = self.settings
        alpha = _matching(said, "alpha_pattern", layer)
        alpha = said.get("lora_alpha", said.get("alpha")) if alpha is None else alpha
        first = next((factors[name] for name in RANKED if name in factors), None)
        rank = _matching(said, "rank_pattern", layer) or said.get("r", 0)
        rank = rank if first is None else first.shape[0]
        if alpha is None or not rank:
            return None
        return float(alpha / sqrt(rank) if said.get("use_rslora") else alpha / rank)

    def on_input(self, layer: str) -> bool:
        """Tell whether a layer's inputs are what an (IA)^3 multiplies."""
        names = self.settings.get("feedforward_modules", ())
        names = [names] if isinstance(names, str) else names
        return any(_fits(name, layer) for name in names)


RANKED = ("down", "rows_a")
"""Factors that have as many rows as the rank is."""


def _matching(said: Settings, patterns: str, layer: str) -> Any:
    found = (v for k, v in said.get(patterns, {}).items() if _fits(k, layer))
    return next(found, None)


def _fits(name: str, layer: str) -> bool:
    """Tell whether a name is the end of a layer's; nothing else of patterns is read."""
    name = name.removeprefix("^").removesuffix("$").replace("\\.", ".")
    return layer == name or layer.endswith(f".{name}")


@dataclass(frozen=True)
class Scales:
    """What a file, or one beside it, says of how much its changes count."""

    by_start: Mapping[str, Said] = field(default_factory=dict)
    """By what the names of the layers begin with."""

    def of(self, layer: str) -> Said:
        """Return what is said of a layer."""
        starts = (start for start in self.by_start if layer.startswith(start))
        found = next(starts, None)
        return Said() if found is None else self.by_start[found]


def scales_of(file: Path, tensors: Tensors) -> Scales:
    """Return what a file of an adapter, or one beside it, says of its scale.

    Raises:
        CheckpointError: it cannot be read.
    """
    beside = file.parent / CONFIG
    if any(PEFT.search(name) for name in tensors.shapes) and beside.is_file():
        return Scales({"": _said(beside, read_json(beside))})
    if IN_HEADER not in tensors.metadata:
        return Scales()
    try:
        whole = json.loads(tensors.metadata[IN_HEADER])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"'{file}' says of itself {IN_HEADER}, which is not valid JSON "
            f"({shortened(str(error))})."
        ) from error
    if not isinstance(whole, Mapping):
        return Scales()
    starts = {name.partition(".")[0] for name in whole if "." in name}
    return Scales(
        {
            f"{start}.": _said(
                file,
                {
                    name.removeprefix(f"{start}."): value
                    for name, value in whole.items()
                    if name.startswith(f"{start}.")
                },
            )
            for start in sorted(starts)
        }
    )


def _said(where: Path, settings: Mapping[str, Any]) -> Said:
    return Said(read(where, settings, SCHEMA, "an adapter"))
