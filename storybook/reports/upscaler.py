"""Measure an upscaler on scenes held back from training, beside plain enlarging."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch import nn

from imaginairy.models.store import ModelStore
from storybook import settings
from storybook.training.origin import add_figures
from storybook.upscaler.figures import Pair, bicubic, enlarged, figures_of, fresh_pairs

FOLDER = settings.STATE / "report"
SCENES = 200
SHOWN = 6


def report() -> None:
    """Measure the exported model, print, and save figures and a sheet to look at."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    store = ModelStore("cpu")
    network = store.upscaler("storybook-upscaler").network
    pairs = fresh_pairs(SCENES, store.get("storybook").diffusion.autoencoder)
    figures = figures_of(network, pairs)
    save_sheet(network, pairs[:SHOWN])
    add_figures(settings.UPSCALER_DATA, {"scenes": SCENES, **figures})
    text = json.dumps(figures, indent=2)
    (FOLDER / "upscaler.json").write_text(text + "\n")
    print(text)


def save_sheet(network: nn.Module, pairs: Sequence[Pair]) -> None:
    """Lay out a row a scene: bicubic and ours of either kind, and the large drawing."""
    rows = []
    for pair in pairs:
        row = [
            make(pair[kind])
            for kind in ("drawn", "decoded")
            for make in (bicubic, lambda pixels: enlarged(network, pixels))
        ]
        rows.append(np.concatenate([*row, pair["large"]], axis=1))
    Image.fromarray(np.concatenate(rows)).save(FOLDER / "upscaler.png")
