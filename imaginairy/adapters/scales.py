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
from imaginairy.settings import Flag, Listed, Number, Schema, read
from imaginairy.weights.json_file import read_json
from imaginairy.weights.weightfile import Tensors

CONFIG = "adapter_config.json"
"""What PEFT writes beside the weights."""
IN_HEADER = "lora_adapter_metadata"
"""Where diffusers writes the same into the file, each name behind that of a part."""
SCHEMA: Schema = {
    "lora_alpha": Number(null=True),
    "alpha": Number(null=True),
    "use_rslora": Flag(),
    "alpha_pattern": Listed(Number(null=True)),
}
PEFT = re.compile(r"(^|\.)(lora_(embedding_)?A\b|base_model\.model\.)")


@dataclass(frozen=True)
class Said:
    """What is said of the layers of one part."""

    alpha: float | None = None
    patterns: Mapping[str, float] = field(default_factory=dict)
    """Alphas of some layers, by patterns of the ends of their names."""
    by_root: bool = False
    """Whether alpha is divided by the root of the rank, as rsLoRA does (Kalajdzievski
    2023, arXiv:2312.03732)."""


@dataclass(frozen=True)
class Scales:
    """What a file, or one beside it, says of alpha."""

    by_start: Mapping[str, Said] = field(default_factory=dict)
    """By what the names of the layers begin with."""

    def alpha(
        self, layer: str, factors: Mapping[str, Tensor], own: Tensor | None
    ) -> float | None:
        """Return the alpha of a layer, its own before what is said of all.

        Raises:
            CheckpointError: it is no number.
        """
        if own is not None:
            return float(own.float().reshape(())) if own.numel() == 1 else None
        for start, said in self.by_start.items():
            if layer.startswith(start):
                alpha = said.alpha
                for pattern, other in said.patterns.items():
                    if re.fullmatch(rf"(.*\.)?({pattern})", layer):
                        alpha = other
                rank = factors.get("down", factors.get("rows_a"))
                if said.by_root and alpha is not None and rank is not None:
                    alpha = alpha * sqrt(rank.shape[0])
                return alpha
        return None


def scales_of(file: Path, tensors: Tensors) -> Scales:
    """Return what a file of an adapter, or one beside it, says of alpha.

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
    said = read(where, settings, SCHEMA, "an adapter")
    return Said(
        said.get("lora_alpha", said.get("alpha")),
        said.get("alpha_pattern", {}),
        said.get("use_rslora", False),
    )
