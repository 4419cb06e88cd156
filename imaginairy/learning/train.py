"""The loop in which something is learnt."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from math import cos, isfinite, pi
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from imaginairy.conditioning import Conditioning
from imaginairy.errors import NotFiniteError
from imaginairy.learning.course import Course
from imaginairy.learning.examples import Example, batches_of, chance, told
from imaginairy.learning.loss import loss_of
from imaginairy.learning.state import State, go_on, moments_of
from imaginairy.learning.subject import Subject, learning, require_learnable
from imaginairy.models.drawing import DrawingModel
from imaginairy.networks.layers import blocks_of
from imaginairy.whole_files import uninterrupted

MOST_NORM = 1.0
"""Longer gradients are shortened to this."""
DECAY = 0.01
"""Weight decay, of all but words (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
SMOOTH = 0.95
"""How much of the mean loss stays at each step."""
SHARES = 2.0**-24
"""The least share of the schedule that is drawn."""


Watched = Callable[[int, int, float], object]
"""Told after each step how many were taken, of how many, and about the mean loss of the
last ones."""


class Training:
    """Something that is learnt from examples.

    What is drawn at a step follows from the seed and the number of the step alone, so
    that training that goes on comes to the same, to the bit, as one that never stopped.

    Args:
        state: where to go on; None for the beginning.

    Raises:
        BadOptionError, DeviceError: the model cannot be learnt with.
    """

    def __init__(
        self,
        model: DrawingModel,
        examples: Sequence[Example],
        subject: Subject,
        course: Course,
        state: State | None = None,
    ) -> None:
        require_learnable(model, course)
        self.model, self.examples = model, examples
        self.subject, self.course = subject, course
        self.step, self.loss = 0, 0.0
        learnt = subject.learnt
        self._optimizer = torch.optim.AdamW(
            [*learnt.values()],
            lr=course.rate,
            weight_decay=0.0 if course.is_word else DECAY,
        )
        if state is not None:
            self.step, self.loss = state.step, state.loss
            subject.loaded(state.tensors)
            go_on(self._optimizer, learnt, state)
        self._told: dict[tuple[int, bool], Conditioning] = {}
        self._batches: tuple[int, list[list[int]]] = -1, []

    @property
    def state(self) -> State:
        """Where it is."""
        learnt = self.subject.learnt
        return State(self.step, self.loss, learnt, moments_of(self._optimizer, learnt))

    def run(
        self, steps: int, watched: Watched = lambda step, steps, loss: None
    ) -> None:
        """Learn until so many steps were taken in all.

        It may be interrupted between any two steps, or within one, which is not taken
        then.

        Raises:
            NotFiniteError: the loss became NaN or infinite.
        """
        model = self.model
        computes = (
            checkpointed(model.network) if self.course.checkpointing else nullcontext()
        )
        with (
            torch.enable_grad(),
            learning(self.subject) as learnt,
            self.subject.acting(model),
            computes,
        ):
            while self.step < steps:
                self._take([*learnt.values()])
                watched(self.step, self.course.steps, self.loss)
        model.rest()

    def _take(self, learnt: list[Tensor]) -> None:
        """Take a step."""
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.step)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(learnt, MOST_NORM))
        if not (isfinite(norm) and isfinite(loss.item())):
            raise NotFiniteError(
                f"What is learnt ran off to infinity at step {self.step + 1}; give a "
                f"lower learning rate than {self.course.rate:g}."
            )
        for group in self._optimizer.param_groups:
            group["lr"] = rate_at(self.course, self.step)
        with uninterrupted():  # for what is taken by half cannot be gone on from
            self._optimizer.step()
            kept = min(SMOOTH, 1 - 1 / (self.step + 1))
            self.loss = kept * self.loss + (1 - kept) * loss.item()
            self.step += 1

    def _loss(self, step: int) -> Tensor:
        """Draw what is learnt at a step, and return how far the network is off."""
        course, model = self.course, self.model
        numbers = self._batch(step)
        drawn = chance(course.seed, 0, step)
        count = len(numbers)
        shares, mirrors, drops = torch.rand(3, count, generator=drawn).tolist()
        clean = torch.cat(
            [
                self._latents(self.examples[number], mirrored=mirror < 0.5)
                for number, mirror in zip(numbers, mirrors, strict=True)
            ]
        ).to(model.device)
        noise = torch.randn(clean.shape, generator=drawn).to(model.device)
        said = [
            self._said(number, dropped=drop < course.caption_dropout)
            for number, drop in zip(numbers, drops, strict=True)
        ]
        levels = [
            model.schedule_for(self.examples[number].size).level_after(
                min(max(share, SHARES), 1 - SHARES)
            )
            for number, share in zip(numbers, shares, strict=True)
        ]
        model.placed.bring(model.network)
        return loss_of(
            model, clean, Conditioning.stacked(said), noise, levels, course.snr_gamma
        )

    def _batch(self, step: int) -> list[int]:
        """Return the numbers of the pictures of a step."""
        course = self.course
        at, batches = self._batches
        if not batches:
            batches = batches_of(self.examples, course.batch_size, course.seed, 0)
        wanted, place = divmod(step, len(batches))
        if wanted != at:
            batches = batches_of(self.examples, course.batch_size, course.seed, wanted)
            self._batches = wanted, batches
        return batches[place]

    def _latents(self, example: Example, *, mirrored: bool) -> Tensor:
        other = example.mirrored
        return other if mirrored and other is not None else example.latents

    def _said(self, number: int, *, dropped: bool) -> Conditioning:
        """Return what is told of a picture, read once where texts are not learnt."""
        course, model = self.course, self.model
        example, caption = self.examples[number], "" if dropped else None
        if course.text or course.is_word:
            return told(example, model, self.subject.words, caption=caption)
        if (number, dropped) not in self._told:
            model.placed.bring(model.readers)
            with torch.no_grad():
                self._told[number, dropped] = told(example, model, caption=caption)
        return self._told[number, dropped]


def rate_at(course: Course, step: int) -> float:
    """Return the learning rate of a step, from 0."""
    if course.decay == "constant":
        return course.rate
    return course.rate * (1 + cos(pi * min(1.0, step / course.steps))) / 2


@contextmanager
def checkpointed(network: torch.nn.Module) -> Iterator[None]:
    """Let blocks compute again what they computed, instead of holding it.

    Chen et al. 2016 (arXiv:1604.06174): memory for time.
    """
    blocks: list[Any] = [*blocks_of(network)]
    try:
        for block in blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
        yield
    finally:
        for block in blocks:
            block.__dict__.pop("forward", None)
