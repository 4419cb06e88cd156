"""Teach a trained flow to draw in few steps, without guidance.

A copy learns to go at once where the flow arrives with guidance in several small steps:
guided and progressive distillation, Meng et al. 2023 (arXiv:2210.03142).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from storybook import settings
from storybook.flow import train as whole
from storybook.flow import vocabulary
from storybook.flow.painter import Painter, noised
from storybook.flow.preview import draw_preview, guided, later
from storybook.flow.scenes import Described, Scenes, filled
from storybook.training.loop import (
    Figures,
    Trainer,
    checkpoint_path,
    pick_device,
    train_together,
)
from storybook.training.precision import mixed
from storybook.training.workers import Team

NAME = "flow-steps"
SMALL_STEPS = 3
"""Steps that the flow takes where the copy takes one."""


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    train_together(NAME, settings.TRAIN_FLOW_STEPS, _train)


def _train(team: Team) -> None:
    device = pick_device()
    teacher = whole.load_painter().to(device)
    learner = Painter().to(device)
    if not checkpoint_path(NAME).exists():
        learner.load_state_dict(teacher.state_dict())
    trainer = Trainer(NAME, learner, settings.TRAIN_FLOW_STEPS, team)
    scenes, empty = Scenes(device), filled(vocabulary.ids_of(""))
    blank = torch.from_numpy(empty).long().to(device)[None]

    def loss_of(step: int, dice: torch.Generator) -> tuple[Tensor, Figures]:
        number = step * team.size + team.rank
        seen = scenes.draw(number, settings.TRAIN_FLOW_STEPS.batch)
        error = step_error(learner, teacher, seen, blank, dice)
        return error, {"step": error.item()}

    def preview(step: int) -> Figures:
        learner_now = Painter().to(device)
        learner_now.load_state_dict(trainer.averaged())
        name, steps = f"{NAME}_{step}", settings.FLOW_STEPS
        draw_preview(learner_now, name, guidance=1, steps=steps)
        return {}

    trainer.run(whole.same, loss_of, preview, helpers=0)


def step_error(
    learner: Painter,
    teacher: Painter,
    seen: Described,
    blank: Tensor,
    dice: torch.Generator,
) -> Tensor:
    """Return how far one step of a learner ends from where its teacher arrives.

    It is that of the mean velocity on the way. A third of the steps begin at noise
    alone, as all pictures do.
    """
    device, batch = seen.latents.device, len(seen.latents)
    even = torch.rand(batch, generator=dice).clamp(min=1 / settings.FLOW_STEPS)
    even[: batch // 3] = 1.0
    levels = [
        later(even - n / (SMALL_STEPS * settings.FLOW_STEPS)).clamp(min=0).to(device)
        for n in range(SMALL_STEPS + 1)
    ]
    begun, _ = noised(seen.latents, levels[0], dice)
    ids = torch.cat([blank[:, : seen.ids.shape[1]], seen.ids])
    arrived = begun
    with torch.no_grad():
        for now, then in pairwise(levels):
            velocity = guided(teacher, arrived, now, ids, settings.FLOW_GUIDANCE)
            arrived = arrived + (then - now)[:, None, None, None] * velocity
    with mixed(device):
        told = learner(begun, levels[0], seen.ids).float()
    wanted = (begun - arrived) / (levels[0] - levels[-1])[:, None, None, None]
    return (told - wanted).square().mean()
