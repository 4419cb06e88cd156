"""Train the decoder on while the encoder, and so every latent, stays as it is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor, nn

from imaginairy.networks.autoencoder import Autoencoder, sample_latents
from storybook import settings
from storybook.drawing.autoencoder import (
    Crops,
    load_autoencoder,
    picture_error,
    psnr,
    reconstruct,
    save_sheet,
)
from storybook.training.cache import fresh_pictures, to_tensor
from storybook.training.loop import (
    Figures,
    Trainer,
    checkpoint_path,
    load_trained,
    pick_device,
    train_together,
)
from storybook.training.precision import mixed
from storybook.training.workers import Team

NAME = "decoder"
EXPORTED = settings.DATA / "vae" / "diffusion_pytorch_model.safetensors"
"""Where the autoencoder lies when it is exported."""


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    train_together(NAME, settings.TRAIN_DECODER, _train)


def _train(team: Team) -> None:
    device = pick_device()
    model = load_autoencoder().to(device, memory_format=torch.channels_last)
    half = decoding_half(model).train().requires_grad_(requires_grad=True)
    fresh = fresh_pictures()
    plan = settings.TRAIN_DECODER
    trainer = Trainer(NAME, half, plan, team)

    def loss_of(pixels: np.ndarray, generator: Generator) -> tuple[Tensor, Figures]:
        crops = to_tensor(pixels, device)
        with torch.no_grad(), mixed(device):
            moments = model.encode(crops).float()
        noise = torch.randn(moments[:, :4].shape, generator=generator).to(device)
        with mixed(device):
            drawn = model.decode(sample_latents(moments, noise)).float()
        loss = picture_error(drawn, crops)
        return loss, {"loss": loss.item()}

    def preview(_step: int) -> Figures:
        drawn = reconstruct(model, fresh, device)
        save_sheet(fresh[:24], drawn[:24])
        return {"psnr": psnr(fresh, drawn)}

    trainer.run(Crops(plan.batch, team.rank), loss_of, preview)


def decoding_half(model: Autoencoder) -> nn.ModuleList:
    """Return the part of an autoencoder that turns latents into pictures."""
    return nn.ModuleList([model.unquantise, model.decoder])


def load_finished() -> Autoencoder:
    """Return the autoencoder, with the decoder as trained on, if it was."""
    model = load_autoencoder()
    if checkpoint_path(NAME).exists():
        load_trained(NAME, decoding_half(model))
    return model
