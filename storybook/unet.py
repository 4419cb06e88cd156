"""Train the UNet and, along with it, the text encoder, to remove noise from latents."""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import Tensor, nn

from imaginairy.networks.unet import UNet
from imaginairy.samplers.schedule import NoiseSchedule
from storybook import settings
from storybook.attention import write_out_attention
from storybook.loop import Figures, Trainer, load_trained, pick_device, step_generator
from storybook.precision import mixed
from storybook.preview import draw_preview
from storybook.text import Captions, Reader, load_reader, read_layout
from storybook.workers import Team, run_workers

NAME = "unet"


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
    run_workers(_train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    painter = Painter(load_reader()).to(device, memory_format=torch.channels_last)
    if device.type == "cpu":
        write_out_attention(painter)
    alphas = NoiseSchedule().alphas_cumprod.to(device)
    trainer = Trainer(NAME, painter, settings.TRAIN_UNET, team)

    def loss_of(
        batch: tuple[Tensor, ...], noise: torch.Generator
    ) -> tuple[Tensor, Figures]:
        latents, ids, more, captioned = (each.to(device) for each in batch)
        loss, figures = noise_error(painter, latents, ids, alphas, noise)
        layout = read_layout(painter.reader, captioned, more)
        loss = loss + settings.LAYOUT_WEIGHT * layout
        return loss, {**figures, "layout": layout.item()}

    def preview(_step: int) -> Figures:
        finished = copy.deepcopy(painter)
        finished.load_state_dict(trainer.averaged())
        draw_preview(finished.unet, finished.reader.text)
        return {}

    trainer.run(partial(draw_batch, Captions(), team.rank), loss_of, preview)


def draw_batch(captions: Captions, rank: int, step: int) -> tuple[Tensor, ...]:
    """Return one step's latents and captions, and more to read layouts from."""
    generator = step_generator(step, rank)
    batch, empty = settings.TRAIN_UNET.batch, settings.EMPTY_CAPTIONS
    seen = captions.draw(batch, generator, empty=empty)
    return *seen, *captions.draw(settings.LAYOUT_CAPTIONS, generator)


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
