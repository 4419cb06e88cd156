"""What was learnt so far, in one file from which it goes on as if nothing had been."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.learning.lesson import STATE
from imaginairy.weights.weightfile import open_weights
from imaginairy.weights.writing import Piece, write_safetensors
from imaginairy.whole_files import clear_abandoned, whole_file

SAID = "imaginairy.learning"
MOMENTS = ("exp_avg", "exp_avg_sq")
"""What the optimizer keeps of each tensor."""


@dataclass(frozen=True)
class State:
    """Where learning is."""

    step: int = 0
    """How many steps were taken."""
    loss: float = 0.0
    """The mean of the last ones, about."""
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """What is learnt."""
    moments: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    """What the optimizer keeps of each of them."""


def write_state(path: Path, state: State, said: Mapping[str, Any]) -> None:
    """Write it, whole, in place of what was there before.

    Args:
        said: what is to be known where it goes on, as JSON.

    Raises:
        OSError: it cannot be written.
    """
    pieces = [Piece.of(name, each.cpu()) for name, each in state.tensors.items()]
    for name, kept in state.moments.items():
        pieces += [
            Piece.of(f"{name}@{what}", each.cpu()) for what, each in kept.items()
        ]
    whole = {"step": state.step, "loss": state.loss, **said}
    clear_abandoned(path.parent)
    with whole_file(path) as place:
        write_safetensors(place, pieces, {SAID: json.dumps(whole)})


def read_state(path: Path) -> tuple[State, dict[str, Any]]:
    """Read it, and what was said with it.

    Raises:
        CheckpointError: the file is broken, or another one.
    """
    held = open_weights(path)
    try:
        said = json.loads(held.metadata.get(SAID, ""))
        step, loss = int(said.pop("step")), float(said.pop("loss"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"'{path}' does not say how far something was learnt; give the file of "
            f"that name that learning left, which ends in {STATE}, or begin anew."
        ) from error
    tensors: dict[str, Tensor] = {}
    moments: dict[str, dict[str, Tensor]] = {}
    for name in held.shapes:
        of, _, what = name.partition("@")
        read = held.read(name).clone()
        if what:
            moments.setdefault(of, {})[what] = read
        else:
            tensors[of] = read
    return State(step, loss, tensors, moments), said


def moments_of(
    optimizer: torch.optim.Optimizer, learnt: Mapping[str, Tensor]
) -> dict[str, dict[str, Tensor]]:
    """Return what an optimizer keeps of tensors, by their names."""
    return {
        name: {what: optimizer.state[tensor][what] for what in MOMENTS}
        for name, tensor in learnt.items()
        if tensor in optimizer.state
    }


def go_on(
    optimizer: torch.optim.Optimizer, learnt: Mapping[str, Tensor], state: State
) -> None:
    """Let an optimizer go on from where it was."""
    for name, kept in state.moments.items():
        tensor = learnt[name]
        there = {what: kept[what].to(tensor.device) for what in MOMENTS}
        optimizer.state[tensor] = {"step": torch.tensor(float(state.step)), **there}
