"""Train the flow transformer, and its language model along with it."""

from __future__ import annotations

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
        velocity, mixed_up = errors(painter, seen, twins, dice)
        foreseen, more = foresight_error(painter, seen)
        loss = velocity + settings.FORESIGHT_WEIGHT * foreseen
        loss = loss + settings.TWIN_WEIGHT * mixed_up
        figures = {"velocity": velocity.item(), "twins": mixed_up.item(), **more}
        return loss, figures

    def preview(step: int) -> Figures:
        finished = Painter().to(device)
        finished.load_state_dict(trainer.averaged())
        draw_preview(finished, f"{NAME}_{step}", guidance=settings.FLOW_GUIDANCE)
        return {}

    trainer.run(same, loss_of, preview, helpers=0)


def same(step: int) -> int:
    """Return the step, as all that is learnt from lies on the device already."""
    return step


def errors(
    painter: Painter, seen: Described, twins: Twins, dice: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return how wrong the velocity is, and how wrongly twins are told apart.

    That of the velocity is squared (Liu et al. 2022, arXiv:2209.03003). Both of a pair
    of twins are asked for out of the same noised mean of the two; what is wrong in how
    they differ is a share of how they should.
    """
    device, batch, pairs = seen.latents.device, len(seen.latents), len(twins.latents)
    levels = levels_of(batch, dice, device)
    mixture, noise = noised(seen.latents, levels, dice)
    low, high = (each / 1000 for each in settings.TWIN_TIMESTEPS)
    apart = low + (high - low) * torch.rand(pairs, generator=dice).to(device)
    middle, _ = noised(twins.latents.mean(dim=1), apart, dice)
    ids = twins.ids.flatten(0, 1)[:, : seen.ids.shape[1]]
    with mixed(device):
        told = painter(
            torch.cat([mixture, middle.repeat_interleave(2, dim=0)]),
            torch.cat([levels, apart.repeat_interleave(2)]),
            torch.cat([seen.ids, ids]),
        ).float()
    error = (told[:batch] - (noise - seen.latents)).square().mean()
    first, second = told[batch:].unflatten(0, (pairs, 2)).unbind(1)
    differ = apart[:, None, None, None] * (second - first)
    return error, wrong_share(differ, twins.latents[:, 0] - twins.latents[:, 1])


def wrong_share(told: Tensor, wanted: Tensor) -> Tensor:
    """Return the squared error of what is told, as a share of what is wanted."""
    size = wanted.square().sum(dim=(1, 2, 3)).clamp(min=1e-6)
    error = (told - wanted).square().sum(dim=(1, 2, 3)) / size
    return error.clamp(max=4.0).mean()


def load_painter(name: str = NAME) -> Painter:
    """Return what has been trained so far."""
    painter = Painter()
    load_trained(name, painter)
    return painter
