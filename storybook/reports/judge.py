"""A judge of pictures: a small network that reads what the world's drawings show.

It learns from drawings alone and is not part of the package; the report asks it what
the bundled model drew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from storybook import settings
from storybook.training.cache import Content, load_scenes, to_tensor
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    train_together,
)
from storybook.training.precision import mixed
from storybook.training.sight import Seen, Sights, draw_sights
from storybook.training.workers import Team
from storybook.world.canvas import SIZE

NAME = "judge"
QUESTIONS: dict[str, tuple[str, ...]] = {
    "shape": ("shape", "left_shape", "right_shape", "upper_shape", "lower_shape"),
    "time of day": ("time",),
    "hair": ("hair", "style"),
    "glasses": ("glasses",),
    "smile": ("expression",),
    "fruit": ("fruit",),
    "who": ("person", "role"),
    "kind": ("kind", "coat", "motif"),
}
"""What a report speaks of, and the attributes that it is about."""
ATTRIBUTES = tuple(name for row in QUESTIONS.values() for name in row)
SAYS_NOTHING = ("none", "mixed")
ONE_KIND = ("single", "bowl")
"""Layouts that show one kind of fruit, so that there is no doubt which is meant."""
WIDTHS = (24, 48, 96, 128)
PLACES = SIZE // 2 ** len(WIDTHS)
"""How many places a picture has each way where the answers are read."""


def judged(group: str, attributes: dict[str, str]) -> dict[str, str]:
    """Return the group, and those attributes of a scene that a picture settles."""
    seen = {name: attributes[name] for name in ATTRIBUTES if name in attributes}
    if (
        attributes.get("style") == "bald"
        or attributes.get("role", "person") != "person"
    ):
        seen.pop("hair", None)
    if group == "fruit" and attributes["layout"] not in ONE_KIND:
        seen.pop("fruit")
    told = {name: value for name, value in seen.items() if value not in SAYS_NOTHING}
    return {"group": group, **told}


class Judge(nn.Module):
    """Convolutions that halve the picture four times, and one answer an attribute."""

    def __init__(self, answers: dict[str, list[str]]) -> None:
        """Take the values that each attribute may have."""
        super().__init__()
        self.answers = answers
        layers: list[nn.Module] = []
        before = 3
        for level, width in enumerate(WIDTHS):
            layers += _step(before, width, stride=2)
            layers += _step(width, width, stride=1) if level else []
            before = width
        self.eyes = nn.Sequential(*layers, nn.Flatten())
        self.heads = nn.ModuleDict(
            {
                name: nn.Linear(WIDTHS[-1] * PLACES**2, len(values))
                for name, values in answers.items()
            }
        )

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Map pictures (batch, 3, SIZE, SIZE) in [-1, 1] to scores of all answers."""
        seen = self.eyes(pictures)
        return {name: head(seen) for name, head in self.heads.items()}

    @torch.no_grad()
    def read(self, images: Sequence[Image.Image]) -> list[dict[str, str]]:
        """Say what pictures of any size show: each attribute's likeliest value."""
        small = [
            np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX))
            for image in images
        ]
        rows: list[dict[str, str]] = []
        for first in range(0, len(small), 32):
            batch = np.stack(small[first : first + 32])
            scores = self(to_tensor(batch, torch.device("cpu")))
            best = {name: each.argmax(dim=1).tolist() for name, each in scores.items()}
            rows += [
                {name: self.answers[name][best[name][i]] for name in best}
                for i in range(len(batch))
            ]
        return rows


def _step(before: int, width: int, stride: int) -> Iterator[nn.Module]:
    yield nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
    yield nn.GroupNorm(8, width)
    yield nn.SiLU()


def answers_in(scenes: Sequence[Content]) -> dict[str, list[str]]:
    """Return every attribute that is judged, with all values that scenes have."""
    found: dict[str, set[str]] = {"group": set()}
    for group, attributes in scenes:
        for name, value in judged(group, attributes).items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(found[name]) for name in sorted(found)}


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    train_together(NAME, settings.TRAIN_JUDGE, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    sights, plan = Sights(), settings.TRAIN_JUDGE
    judge = Judge(answers_in(sights.scenes))
    judge.to(device, memory_format=torch.channels_last)
    trainer = Trainer(NAME, judge, plan, team)

    def loss_of(batch: Seen, _noise: torch.Generator) -> tuple[Tensor, Figures]:
        pictures = batch.pictures.to(device, memory_format=torch.channels_last)
        with mixed(device):
            scores = judge(pictures)
        truths = [judged(*content) for content in batch.contents]
        return errors(scores, truths, judge.answers)

    trainer.run(partial(draw_sights, sights, plan.batch, team.rank), loss_of)


def errors(
    scores: dict[str, Tensor],
    truths: Sequence[dict[str, str]],
    answers: dict[str, list[str]],
) -> tuple[Tensor, Figures]:
    """Compare scores with the truth, attribute by attribute, where there is one."""
    losses, right = [], []
    for name, row in scores.items():
        places = [i for i, truth in enumerate(truths) if name in truth]
        if not places:
            continue
        wanted = torch.tensor(
            [answers[name].index(truths[i][name]) for i in places], device=row.device
        )
        losses.append(F.cross_entropy(row[places].float(), wanted, reduction="sum"))
        right.append((row[places].argmax(dim=1) == wanted).float())
    loss = torch.stack(losses).sum() / len(truths)
    return loss, {"loss": loss.item(), "right": torch.cat(right).mean().item()}


def load_judge() -> Judge:
    """Return what has been trained so far."""
    judge = Judge(answers_in(load_scenes()))
    load_trained(NAME, judge)
    return judge
