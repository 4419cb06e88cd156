"""Draw a contact sheet with a flow in the middle of its training, to look at."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from storybook import settings
from storybook.drawing.autoencoder import to_pixels
from storybook.drawing.preview import PROMPTS, save_rows
from storybook.flow import vocabulary
from storybook.flow.autoencoder import SPREAD, load_autoencoder
from storybook.flow.painter import Painter
from storybook.flow.scenes import filled
from storybook.training.precision import mixed
from storybook.world.canvas import SIZE

STEPS = 24


@torch.no_grad()
def draw_preview(
    painter: Painter, name: str, *, guidance: float, steps: int = STEPS
) -> None:
    """Draw the prompts of all previews and save the sheet."""
    device = next(painter.parameters()).device
    rows = [filled(vocabulary.ids_of(text)) for text in ("", *PROMPTS)]
    ids = torch.from_numpy(np.stack(rows)).long().to(device)
    dice = torch.Generator().manual_seed(settings.SEED)
    side = SIZE // settings.FLOW_AUTOENCODER.downsampling
    shape = (len(PROMPTS), settings.FLOW.in_channels, side, side)
    latents = torch.randn(shape, generator=dice).to(device)
    for now, then in pairwise(drawn_at(steps)):
        velocity = guided(painter, latents, now.expand(len(PROMPTS)), ids, guidance)
        latents = latents + (then - now).to(device) * velocity
    spread = json.loads(SPREAD.read_text())
    latents = latents.cpu() * spread["deviation"] + spread["mean"]
    save_rows(to_pixels(load_autoencoder().decode(latents)), name)


def drawn_at(steps: int) -> Tensor:
    """Return the levels of noise that are drawn at, and 0 last."""
    even = torch.linspace(1, 0, steps + 1)
    return later(even)


def later(even: Tensor) -> Tensor:
    """Shift even levels towards noise (arXiv:2403.03206, eq. 23)."""
    shift = settings.FLOW_SHIFT
    return shift * even / (1 + (shift - 1) * even)


def guided(
    painter: Painter, latents: Tensor, levels: Tensor, ids: Tensor, guidance: float
) -> Tensor:
    """Return the velocity with guidance (Ho & Salimans 2022, arXiv:2207.12598).

    Args:
        ids: that of the empty text, and those of all pictures; (1 + batch, tokens).
    """
    levels = levels.to(latents.device)
    with mixed(latents.device):
        asked: Tensor = painter(latents, levels, ids[1:]).float()
        if guidance == 1:
            return asked
        blank = painter(latents, levels, ids[:1].expand(len(latents), -1)).float()
    return blank + guidance * (asked - blank)
