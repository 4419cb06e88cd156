"""Train the flow transformer, and its language model along with it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from storybook import settings
from storybook.flow.painter import Painter, foresight_error, levels_of, noised
from storybook.flow.preview import draw_preview
from storybook.flow.scenes import Described, Scenes, Twins
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    train_together,
)
from storybook.training.precision import compile_on_gpu, mixed
from storybook.training.workers import Team

NAME = "flow"


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    train_together(NAME, settings.TRAIN_FLOW, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    painter = Painter().to(device)
    compile_on_gpu(painter.painter)
    trainer = Trainer(NAME, painter, settings.TRAIN_FLOW, team)
    scenes = Scenes(device)

    def loss_of(step: int, dice: torch.Generator) -> tuple[Tensor, Figures]:
        number = step * team.size + team.rank
        seen = scenes.draw(number, settings.TRAIN_FLOW.batch)
        twins = scenes.draw_twins(number, settings.FLOW_TWINS)
        loss, figures = velocity_error(painter, seen, dice)
        foreseen, more = foresight_error(painter, seen)
        loss = loss + settings.FORESIGHT_WEIGHT * foreseen
        mixed_up = twin_error(painter, twins, dice)
        loss = loss + settings.TWIN_WEIGHT * mixed_up
        return loss, {**figures, **more, "twins": mixed_up.item()}

    def preview(step: int) -> Figures:
        finished = Painter().to(device)
        finished.load_state_dict(trainer.averaged())
        draw_preview(finished, f"{NAME}_{step}", guidance=settings.FLOW_GUIDANCE)
        return {}

    trainer.run(same, loss_of, preview, helpers=0)


def same(step: int) -> int:
    """Return the step, as all that is learnt from lies on the device already."""
    return step


def velocity_error(
    painter: Painter, seen: Described, dice: torch.Generator
) -> tuple[Tensor, Figures]:
    """Return the squared error of the velocity (Liu et al. 2022, arXiv:2209.03003)."""
    device = seen.latents.device
    levels = levels_of(len(seen.latents), dice, device)
    mixture, noise = noised(seen.latents, levels, dice)
    with mixed(device):
        told = painter(mixture, levels, seen.ids)
    error = (told.float() - (noise - seen.latents)).square().mean()
    return error, {"velocity": error.item()}


@dataclass(frozen=True)
class Apart:
    """How latents of twins differ, as their captions lead to them, and as wanted."""

    told: Tensor
    wanted: Tensor


def twin_error(painter: Painter, twins: Twins, dice: torch.Generator) -> Tensor:
    """Return the squared error of what is told apart, as a share of what should be.

    Both of a pair are asked for out of the same noised mean of the two.
    """
    apart = told_apart(painter, twins, dice)
    size = apart.wanted.square().sum(dim=(1, 2, 3)).clamp(min=1e-6)
    error = (apart.told - apart.wanted).square().sum(dim=(1, 2, 3)) / size
    return error.clamp(max=4.0).mean()


def told_apart(painter: Painter, twins: Twins, dice: torch.Generator) -> Apart:
    """Ask for both of each pair."""
    device, pairs = twins.latents.device, len(twins.latents)
    low, high = (each / 1000 for each in settings.TWIN_TIMESTEPS)
    levels = low + (high - low) * torch.rand(pairs, generator=dice).to(device)
    mixture, _ = noised(twins.latents.mean(dim=1), levels, dice)
    with mixed(device):
        told = painter(
            mixture.repeat_interleave(2, dim=0),
            levels.repeat_interleave(2),
            twins.ids.flatten(0, 1),
        )
    first, second = told.float().unflatten(0, (pairs, 2)).unbind(1)
    share = levels[:, None, None, None]
    return Apart(share * (second - first), twins.latents[:, 0] - twins.latents[:, 1])


def load_painter(name: str = NAME) -> Painter:
    """Return what has been trained so far."""
    painter = Painter()
    load_trained(name, painter)
    return painter
