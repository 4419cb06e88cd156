"""Train an autoencoder of Flux's kind: 16 channels, and no convolutions around them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import torch
from torch import Generator, Tensor

from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig
from storybook import settings
from storybook.drawing.autoencoder import (
    Crops,
    psnr,
    reconstruct,
    reconstruction_loss,
    save_sheet,
    start_evenly,
)
from storybook.training.cache import fresh_pictures, to_tensor
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    train_together,
)
from storybook.training.workers import Team

NAME = "flow-autoencoder"
SPREAD = settings.STATE / "flow_spread.json"


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    train_together(NAME, settings.TRAIN_FLOW_AUTOENCODER, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    model = Autoencoder(settings.FLOW_AUTOENCODER)
    start_evenly(model)
    model.to(device, memory_format=torch.channels_last)
    fresh = fresh_pictures()
    plan = settings.TRAIN_FLOW_AUTOENCODER
    trainer = Trainer(NAME, model, plan, team)

    def loss_of(crops: np.ndarray, noise: Generator) -> tuple[Tensor, Figures]:
        pictures = to_tensor(crops, device)
        return reconstruction_loss(model, pictures, noise, settings.FLOW_KL_WEIGHT)

    def preview(_step: int) -> Figures:
        drawn = reconstruct(model, fresh, device)
        save_sheet(fresh[:24], drawn[:24], NAME)
        return {"psnr": psnr(fresh, drawn)}

    trainer.run(Crops(plan.batch, team.rank), loss_of, preview)


def note_spread(latents: np.ndarray) -> None:
    """Write mean and deviation of all latents, as Flux's `config.json` has them."""
    spread = {"mean": float(latents.mean()), "deviation": float(latents.std())}
    SPREAD.write_text(json.dumps(spread))


def finished_config() -> AutoencoderConfig:
    """Return its sizes, with what latents are shifted and scaled by."""
    spread = json.loads(SPREAD.read_text())
    return replace(
        settings.FLOW_AUTOENCODER,
        shift=spread["mean"],
        scale_factor=1 / spread["deviation"],
    )


def load_autoencoder() -> Autoencoder:
    """Return the trained autoencoder."""
    model = Autoencoder(settings.FLOW_AUTOENCODER)
    load_trained(NAME, model)
    return model
