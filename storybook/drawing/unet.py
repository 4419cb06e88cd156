"""Train the UNet and, along with it, the text encoder, to remove noise from latents."""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import Tensor, nn

from imaginairy.networks.unet import UNet
from imaginairy.samplers.discrete import NoiseSchedule
from storybook import settings
from storybook.drawing.preview import draw_preview
from storybook.drawing.text import (
    Captioned,
    Captions,
    Reader,
    foresight_error,
    load_reader,
)
from storybook.drawing.twins import TwinBatch, Twins
from storybook.training.attention import write_out_attention
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

NAME = "unet"
Batch = tuple[Captioned, Captioned, TwinBatch]


class Painter(nn.Module):
    """Everything that learns in this stage."""

    def __init__(self, reader: Reader | None = None) -> None:
        super().__init__()
        self.reader = reader or Reader()
        self.unet = UNet(settings.UNET)

    def forward(self, noised: Tensor, timesteps: Tensor, ids: Tensor) -> Tensor:
        """Return the predicted noise."""
        return self.unet(noised, timesteps, self.reader.text(ids))


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    train_together(NAME, settings.TRAIN_UNET, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    painter = Painter(load_reader()).to(device, memory_format=torch.channels_last)
    if device.type == "cpu":
        write_out_attention(painter)
    alphas = NoiseSchedule().alphas_cumprod.to(device)
    trainer = Trainer(NAME, painter, settings.TRAIN_UNET, team)

    def loss_of(batch: Batch, noise: torch.Generator) -> tuple[Tensor, Figures]:
        drawn, read, twins = (each.to(device) for each in batch)
        loss, figures = noise_error(painter, drawn.latents, drawn.ids, alphas, noise)
        foreseen, more = foresight_error(painter.reader, read)
        mixed_up = twin_error(painter, twins, alphas, noise)
        loss = loss + settings.FORESIGHT_WEIGHT * foreseen
        loss = loss + settings.TWIN_WEIGHT * mixed_up
        return loss, {**figures, **more, "twins": mixed_up.item()}

    def preview(_step: int) -> Figures:
        finished = copy.deepcopy(painter)
        finished.load_state_dict(trainer.averaged())
        draw_preview(finished.unet, finished.reader.text)
        return {}

    draw = partial(draw_batch, Captions(), Twins(), team.rank)
    trainer.run(draw, loss_of, preview)


def draw_batch(captions: Captions, twins: Twins, rank: int, step: int) -> Batch:
    """Return what one step draws, more that is only read, and what it tells apart."""
    generator = step_generator(step, rank)
    batch, empty = settings.TRAIN_UNET.batch, settings.EMPTY_CAPTIONS
    drawn = captions.draw(batch, generator, empty=empty)
    read = captions.draw(settings.READ_CAPTIONS, generator)
    return drawn, read, twins.draw(settings.TWIN_PAIRS, generator)


def noise_error(
    painter: Painter,
    latents: Tensor,
    ids: Tensor,
    alphas: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Figures]:
    """Return the weighted error of the predicted noise (min-SNR, arXiv:2303.09556)."""
    batch, channels = latents.shape[:2]
    timesteps = draw_timesteps(batch, len(alphas), generator)
    noise = torch.randn(latents.shape, generator=generator)
    shift = torch.randn((batch, channels, 1, 1), generator=generator)
    noise = (noise + settings.CHANNEL_OFFSET * shift).to(latents.device)
    timesteps = timesteps.to(latents.device)
    alpha = alphas[timesteps][:, None, None, None]
    noised = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    with mixed(latents.device):
        predicted = painter(noised, timesteps, ids)
    error = (predicted.float() - noise).square().mean(dim=(1, 2, 3))
    snr = (alpha / (1 - alpha)).flatten()
    weighted = (error * (settings.MIN_SNR / snr).clamp(max=1.0)).mean()
    return weighted, {"eps_mse": error.mean().item()}


def twin_error(
    painter: Painter, twins: TwinBatch, alphas: Tensor, generator: torch.Generator
) -> Tensor:
    """Return the squared error of what is told apart, as a share of what should be."""
    told, wanted = told_apart(painter, twins, alphas, generator)
    size = wanted.square().sum(dim=(1, 2, 3))
    return ((told - wanted).square().sum(dim=(1, 2, 3)) / size).clamp(max=4.0).mean()


def told_apart(
    painter: Painter, twins: TwinBatch, alphas: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return how latents of twins differ as their captions lead to them, and as wanted.

    Both are asked for out of the same noised mean of the two, from which nothing but
    the caption tells which it is to be.
    """
    device = twins.latents.device
    pairs, _, *shape = twins.latents.shape
    timesteps = torch.randint(*settings.TWIN_TIMESTEPS, (pairs,), generator=generator)
    noise = torch.randn((pairs, *shape), generator=generator).to(device)
    timesteps = timesteps.to(device)
    alpha = alphas[timesteps][:, None, None, None]
    noised = alpha.sqrt() * twins.latents.mean(dim=1) + (1 - alpha).sqrt() * noise
    with mixed(device):
        predicted = painter(
            noised.repeat_interleave(2, dim=0),
            timesteps.repeat_interleave(2),
            twins.ids.flatten(0, 1),
        )
    first, second = predicted.float().unflatten(0, (pairs, 2)).unbind(1)
    told = (1 - alpha).sqrt() / alpha.sqrt() * (second - first)
    wanted = twins.latents[:, 0] - twins.latents[:, 1]
    return told, wanted


def draw_timesteps(batch: int, count: int, generator: torch.Generator) -> Tensor:
    """Draw timesteps evenly, but a share from the noisiest third."""
    timesteps = torch.randint(count, (batch,), generator=generator)
    early = round(batch * settings.EARLY_SHARE)
    timesteps[:early] = torch.randint(
        count * 2 // 3, count, (early,), generator=generator
    )
    return timesteps


def load_painter() -> Painter:
    """Return what has been trained so far."""
    painter = Painter()
    load_trained(NAME, painter)
    return painter
