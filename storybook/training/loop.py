"""The training loop that all networks share: resumable, with a cosine schedule."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from storybook import settings
from storybook.settings import Schedule
from storybook.training.ahead import drawn_ahead
from storybook.training.muon import Muon, matrices_of
from storybook.training.workers import Team, run_workers

Figures = dict[str, float]
T = TypeVar("T")
LOG_EVERY = 50
MEAN_EVERY = 5
"""Steps between two updates of the running mean of the weights."""
MOST_NORM = 1.0
"""Longer gradients are shortened to this."""


def pick_device() -> torch.device:
    """Return the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def checkpoint_path(name: str) -> Path:
    """Return where a network's training state is kept."""
    return settings.STATE / f"{name}.pt"


def step_generator(step: int, rank: int, *, noise: bool = False) -> torch.Generator:
    """Return one worker's random numbers of one step, the same after a resume.

    Those for `noise` are others than those that choose what is trained on.
    """
    seed = ((settings.SEED * 1_000_003 + step) * 64 + rank) * 2 + noise
    return torch.Generator().manual_seed(seed)


def step_random(step: int, rank: int) -> random.Random:
    """Return the same for what is chosen in plain Python."""
    return random.Random(f"{settings.SEED}/{step}/{rank}")


def steps_done(name: str) -> int:
    """Return how many steps a stage has taken: none where it has no checkpoint."""
    path = checkpoint_path(name)
    if not path.exists():
        return 0
    state: dict[str, Any] = torch.load(path, mmap=True, weights_only=True)
    return int(state["step"])


def train_together(name: str, schedule: Schedule, task: Callable[[Team], None]) -> None:
    """Run a stage's training in every worker, unless it has come to its end."""
    if steps_done(name) < schedule.steps:
        run_workers(task)


def load_trained(name: str, module: nn.Module) -> nn.Module:
    """Fill a module with the (averaged) weights trained so far."""
    state = torch.load(checkpoint_path(name), map_location="cpu", weights_only=True)
    module.load_state_dict(state["mean"] or state["module"])
    return module.eval().requires_grad_(requires_grad=False)


def write_checkpoint(
    name: str,
    module: dict[str, Tensor],
    mean: dict[str, Tensor],
    *,
    optimizers: dict[str, Any],
    step: int,
) -> None:
    """Write a checkpoint so that a crash leaves the old or the new one whole.

    Args:
        name: of the training.
        module: the weights.
        mean: their running mean; empty where none is kept.
        optimizers: their states; empty where they begin anew.
        step: how many have been done.
    """
    path = checkpoint_path(name)
    partial = path.with_suffix(".partial")
    state = {"module": module, "mean": mean, "optimizers": optimizers, "step": step}
    torch.save(state, partial)
    partial.replace(path)


def optimizers_for(
    module: nn.Module, schedule: Schedule, team: Team
) -> dict[str, torch.optim.Optimizer]:
    """Return AdamW, and Muon for what it is asked for and good for, by name."""
    matrices = matrices_of(module) if schedule.muon else []
    taken = {id(each) for each in matrices}
    rest = [each for each in module.parameters() if id(each) not in taken]
    optimizers: dict[str, torch.optim.Optimizer] = {
        "adamw": torch.optim.AdamW(
            rest, lr=schedule.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
    }
    if matrices:
        optimizers["muon"] = Muon(matrices, schedule.rate, team)
    return optimizers


class Trainer:
    """Train one module by name; pick up at the last checkpoint if there is one."""

    def __init__(
        self, name: str, module: nn.Module, schedule: Schedule, team: Team
    ) -> None:
        self.name = name
        self.module = module
        self.schedule = schedule
        self.team = team
        self.step = 0
        self.mean: dict[str, Tensor] = {}
        self.optimizers = optimizers_for(module, schedule, team)
        if checkpoint_path(name).exists():
            self._resume()
        elif schedule.ema:
            self.mean = {k: v.clone() for k, v in module.state_dict().items()}

    def run(
        self,
        draw: Callable[[int], T],
        loss_of: Callable[[T, torch.Generator], tuple[Tensor, Figures]],
        preview: Callable[[int], Figures] = lambda _step: {},
        *,
        helpers: int = settings.HELPERS,
    ) -> None:
        """Train to the end of the schedule, saving and previewing on the way.

        Args:
            draw: gives the batch of a step; it may be asked in other processes.
            loss_of: gives a batch's error, with random numbers for noise.
            preview: given the number of steps done, shows what has been learnt.
            helpers: how many other processes draw batches ahead.
        """
        begun = saved = shown = time.monotonic()
        first, leads = self.step, self.team.rank == 0
        gradients = self.team.attach(self.module)
        for batch in drawn_ahead(draw, range(first, self.schedule.steps), helpers):
            noise = step_generator(self.step, self.team.rank, noise=True)
            loss, figures = loss_of(batch, noise)
            gradients.zero_()
            loss.backward()
            self.team.average()
            self._update(gradients)
            self.step += 1
            if not leads:
                continue
            now = time.monotonic()
            if self.step % LOG_EVERY == 0:
                self._log(
                    {**figures, "steps_per_s": (self.step - first) / (now - begun)}
                )
            if now - saved > settings.SAVE_EVERY_S:
                self.save()
                saved = now
            if now - shown > settings.PREVIEW_EVERY_S:
                self._log(preview(self.step))
                shown = now
        if self.step > first and leads:
            self.save()
            self._log({} if settings.REHEARSAL else preview(self.step))

    def save(self) -> None:
        """Write the checkpoint."""
        write_checkpoint(
            self.name,
            self.module.state_dict(),
            self.mean,
            optimizers={k: v.state_dict() for k, v in self.optimizers.items()},
            step=self.step,
        )

    def averaged(self) -> dict[str, Tensor]:
        """Return the weights to draw with."""
        return self.mean or self.module.state_dict()

    def _resume(self) -> None:
        path = checkpoint_path(self.name)
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        self.module.load_state_dict(state["module"])
        for name, each in state["optimizers"].items():
            self.optimizers[name].load_state_dict(each)
        self.step = state["step"]
        device = next(self.module.parameters()).device
        self.mean = {k: v.to(device) for k, v in state["mean"].items()}

    def _update(self, gradients: Tensor) -> None:
        """Take one step; a rare overflow is passed over, by all workers alike."""
        norm = gradients.norm()
        if not norm.isfinite():
            return
        gradients *= (MOST_NORM / norm).clamp(max=1.0)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self._rate()
            optimizer.step()
        if self.mean and self.step % MEAN_EVERY == 0:
            self._average()

    def _rate(self) -> float:
        plan = self.schedule
        warm = min(1.0, (self.step + 1) / plan.warm_up)
        return plan.rate * warm * (0.01 + 0.99 * cosine(self.step / plan.steps))

    def _average(self) -> None:
        # Early on the mean follows faster, so that it forgets the random start.
        decay = min(self.schedule.ema, (1 + self.step) / (10 + self.step))
        for name, value in self.module.state_dict().items():
            self.mean[name].lerp_(value, 1 - decay**MEAN_EVERY)

    def _log(self, figures: Figures) -> None:
        row = {k: round(v, 5) for k, v in figures.items()}
        line = json.dumps({"step": self.step, **row})
        with (settings.STATE / f"{self.name}.log").open("a") as log:
            log.write(f"{line}\n")
        print(self.name, line, flush=True)


def cosine(share: float) -> float:
    """Fall from 1 to 0 along half a cosine."""
    return (1 + math.cos(math.pi * min(share, 1.0))) / 2
