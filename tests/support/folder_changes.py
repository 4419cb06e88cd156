"""Ways to spoil a model's folder, each a function of it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.support.pickles import Call, save

Change = Callable[[Path], object]


def without(*names: str) -> Change:
    """Take files away."""

    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def with_settings(**changed: Any) -> Change:
    """Change what config.json says: `name=value`, or `part__name=value`."""

    def change(folder: Path) -> None:
        settings = json.loads((folder / "config.json").read_text())
        for name, value in changed.items():
            part, _, field = name.rpartition("__")
            (settings[part] if part else settings)[field] = value
        (folder / "config.json").write_text(json.dumps(settings))

    return change


def with_tensor(name: str, tensor: torch.Tensor | None) -> Change:
    """Put a tensor among the weights, or take it away."""

    def change(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        weights.pop(name, None)
        if tensor is not None:
            weights[name] = tensor
        save_file(weights, folder / "model.safetensors")

    return change


def with_text(file: str, text: str) -> Change:
    """Let a file say something else."""
    return lambda folder: (folder / file).write_text(text)


def with_harmful_pickle(folder: Path) -> None:
    """Put a pickle that would run code in the place of the weights."""
    (folder / "model.safetensors").unlink()
    save({"x": Call(os.system, "touch harmed")}, folder / "pytorch_model.bin")
