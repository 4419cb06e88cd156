"""Train the autoencoder on crops of the cached pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor, nn

from imaginairy.networks.autoencoder import Autoencoder, sample_latents
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.networks.layers import ResidualBlock
from storybook import settings
from storybook.settings import Schedule
from storybook.training.cache import (
    chances_of,
    fresh_pictures,
    load_pictures,
    load_scenes,
    pick_pictures,
    to_tensor,
)
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    step_generator,
    train_together,
)
from storybook.training.precision import mixed
from storybook.training.workers import Team

NAME = "autoencoder"


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    plan = settings.TRAIN_AUTOENCODER
    train_together(NAME, plan, partial(learn, NAME, settings.AUTOENCODER, plan))


def learn(
    name: str,
    config: AutoencoderConfig,
    plan: Schedule,
    team: Team,
    *,
    kl_weight: float = settings.KL_WEIGHT,
) -> None:
    """Train an autoencoder of some size, by name."""
    device = pick_device()
    torch.manual_seed(settings.SEED)
    model = Autoencoder(config)
    start_evenly(model)
    model.to(device, memory_format=torch.channels_last)
    fresh = fresh_pictures()
    trainer = Trainer(name, model, plan, team)

    def loss_of(crops: np.ndarray, noise: Generator) -> tuple[Tensor, Figures]:
        return reconstruction_loss(model, to_tensor(crops, device), noise, kl_weight)

    def preview(_step: int) -> Figures:
        drawn = reconstruct(model, fresh, device)
        save_sheet(fresh[:24], drawn[:24], name)
        return {"psnr": psnr(fresh, drawn)}

    trainer.run(Crops(plan.batch, team.rank), loss_of, preview)


def start_evenly(model: nn.Module) -> None:
    """Begin with residual blocks as plain shortcuts and the rest keeping unit variance.

    Nothing normalises the signal here, so the start has to keep it at its size.
    """
    blocks = [block for block in model.modules() if isinstance(block, ResidualBlock)]
    inner = {conv for block in blocks for conv in (block.conv1, block.conv2)}
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module not in inner:
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            nn.init.zeros_(module.bias)
    for block in blocks:
        nn.init.zeros_(block.conv2.weight)
        nn.init.zeros_(block.conv2.bias)


@dataclass(frozen=True)
class Crops:
    """Draws the crops of each step of a worker."""

    batch: int
    rank: int

    @cached_property
    def chances(self) -> Tensor:
        """How often each picture is learnt from."""
        return chances_of(load_scenes())

    def __call__(self, step: int) -> np.ndarray:
        """Return square crops of cached pictures, (batch, crop, crop, 3) uint8."""
        generator = step_generator(step, self.rank)
        chosen = pick_pictures(self.chances, self.batch, generator)
        return random_crops(load_pictures(), chosen, generator)


def random_crops(
    pictures: np.ndarray, chosen: Sequence[int], generator: Generator
) -> np.ndarray:
    """Return a square crop of each chosen picture, (count, crop, crop, 3) uint8."""
    crop = settings.CROP
    room = pictures.shape[1] - crop + 1
    corners = torch.randint(room, (len(chosen), 2), generator=generator).tolist()
    return np.stack(
        [
            pictures[index, top : top + crop, left : left + crop]
            for index, (top, left) in zip(chosen, corners, strict=True)
        ]
    )


def reconstruction_loss(
    model: Autoencoder,
    crops: Tensor,
    generator: Generator,
    kl_weight: float,
) -> tuple[Tensor, Figures]:
    """Compare pixels and their differences, and keep the latents near a Gaussian."""
    with mixed(crops.device):
        moments = model.encode(crops).float()
    half = moments.chunk(2, dim=1)[0]
    noise = torch.randn(half.shape, generator=generator).to(crops.device)
    latents = sample_latents(moments, noise)
    with mixed(crops.device):
        drawn = model.decode(latents).float()
    mean, log_variance = moments.chunk(2, dim=1)
    log_variance = log_variance.clamp(-30, 10)
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    loss = picture_error(drawn, crops) + kl_weight * kl
    return loss, {"loss": loss.item(), "kl": kl.item()}


def picture_error(drawn: Tensor, wanted: Tensor) -> Tensor:
    """Compare pixels, and the differences of neighbours, which make edges."""
    error = drawn - wanted
    edges = sum(error.diff(dim=dim).abs().mean() for dim in (2, 3))
    return error.abs().mean() + 0.5 * error.square().mean() + 0.5 * edges


@torch.no_grad()
def reconstruct(
    model: Autoencoder, pixels: np.ndarray, device: torch.device
) -> np.ndarray:
    """Encode and decode pictures in full precision, (count, height, width, 3) uint8."""
    drawn = []
    for batch in np.split(pixels, max(1, len(pixels) // 8)):
        mean = model.encode(to_tensor(batch, device)).chunk(2, dim=1)[0]
        drawn.append(to_pixels(model.decode(mean)))
    return np.concatenate(drawn)


def to_pixels(pictures: Tensor) -> np.ndarray:
    """Turn pictures in [-1, 1] into (count, height, width, 3) uint8."""
    levels = ((pictures.float() + 1) * 127.5).round().clamp(0, 255)
    return levels.byte().permute(0, 2, 3, 1).cpu().numpy()


def psnr(wanted: np.ndarray, drawn: np.ndarray) -> float:
    """Return the mean peak signal-to-noise ratio of the pictures, in decibels."""
    error = (wanted.astype(np.float64) - drawn).reshape(len(wanted), -1)
    return float((10 * np.log10(255**2 / (error**2).mean(axis=1))).mean())


def save_sheet(wanted: np.ndarray, drawn: np.ndarray, name: str = NAME) -> None:
    """Save pictures over their reconstructions, eight a row."""
    rows = []
    for i in range(0, len(wanted), 8):
        rows += [
            np.concatenate(list(part[i : i + 8]), axis=1) for part in (wanted, drawn)
        ]
    Image.fromarray(np.concatenate(rows)).save(settings.STATE / f"{name}.png")


def load_autoencoder() -> Autoencoder:
    """Return the autoencoder as it was trained in one piece."""
    model = Autoencoder(settings.AUTOENCODER)
    load_trained(NAME, model)
    return model
