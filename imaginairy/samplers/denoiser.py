"""What a sampler may ask of a model, and what is wrapped around that from outside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.samplers.guidance import (
    Limits,
    perpendicular_to,
    projected,
    rescaled,
    thresholded,
)
from imaginairy.samplers.prediction import Prediction, clean_latents, predicted_of
from imaginairy.samplers.schedule import Schedule
from imaginairy.samplers.told import Told

Network = Callable[[Tensor, Tensor, Conditioning], Tensor]
"""(latents, timesteps, conditioning), each in one batch -> its prediction of them."""


class Denoiser(Protocol):
    """Whatever can answer the one question that samplers have."""

    @property
    def schedule(self) -> Schedule:
        """What the levels of noise mean."""

    def denoised(self, latents: Tensor, level: float) -> Tensor:
        """Return the clean latents expected behind those of a level of noise."""


@dataclass(frozen=True)
class NetworkDenoiser:
    """A network that was told what to draw."""

    network: Network
    schedule: Schedule
    prediction: Prediction
    conditioning: Conditioning
    """For each picture of the batch, or one for all of them."""
    told: Told = field(default_factory=Told)
    """How that is laid out for the whole walk."""

    def denoised(self, latents: Tensor, level: float) -> Tensor:
        """Return the clean latents that follow from its prediction."""
        (clean,) = self.each(latents, level, [self.conditioning])
        return clean

    def each(
        self, latents: Tensor, level: float, asked: Sequence[Conditioning]
    ) -> Sequence[Tensor]:
        """Return the clean latents by each of what it is told, in one batched call."""
        told = self.told.at(level, len(latents), asked)
        several = torch.cat([latents] * len(asked)) if len(asked) > 1 else latents
        timestep, device = self.schedule.timestep(level), latents.device
        predicted = self.network(
            several * self.schedule.scale(level),
            torch.full((len(several),), timestep, device=device),
            told,
        )
        clean = clean_latents(self.prediction, predicted, several, level, self.schedule)
        return clean.chunk(len(asked))


@dataclass(frozen=True)
class Unseen:
    """Guidance by a picture that is shown, beside that by the text.

    Brooks et al. 2023, arXiv:2211.09800, eq. 3.
    """

    conditioning: Conditioning
    """What the network is told of neither."""
    strength: float | Tensor
    """How closely the picture is followed, s_I there; 1 is no more than it is."""


def guided(
    denoiser: NetworkDenoiser,
    avoid: Conditioning | None,
    strength: float | Tensor,
    limits: Limits | None = None,
    unseen: Unseen | None = None,
) -> Denoiser:
    """Follow what a network was told, and steer away from something else.

    Args:
        avoid: for each picture of the batch, or one for all of them. Where there is
            none, and at strength 1, it has no say and is not asked for.
        strength: 1 is plain prediction; higher follows the prompt more closely. One
            for all, or one for each picture, (batch, 1, 1, 1).
        unseen: how closely a picture is followed that is shown beside the text.
    """
    if avoid is None or (not isinstance(strength, Tensor) and strength == 1):
        return denoiser
    return Guided(denoiser, avoid, strength, limits or Limits(), unseen)


@dataclass
class Guided:
    """Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598, eq. 6).

    The strength is w + 1 there. It comes out the same on clean latents and on what a
    network predicts, as each is linear in the other.
    """

    denoiser: NetworkDenoiser
    avoid: Conditioning
    strength: float | Tensor
    limits: Limits
    unseen: Unseen | None = None
    before: Tensor | None = field(default=None, init=False)
    """What adds up over the predictions of a walk, see `projected`."""

    @property
    def schedule(self) -> Schedule:
        """That of the network."""
        return self.denoiser.schedule

    def denoised(self, latents: Tensor, level: float) -> Tensor:
        """Ask for all in one batched call, what to avoid first."""
        limits = self.limits
        if not limits.reach(level):
            return self.denoiser.denoised(latents, level)
        asked = [self.avoid, self.denoiser.conditioning]
        if limits.nothing is not None:
            asked.append(limits.nothing)
        if self.unseen is not None:
            asked.append(self.unseen.conditioning)
        avoided, followed, *more = self.denoiser.each(latents, level, asked)
        nothing = more[:1] if limits.nothing is not None else []
        start, *_ = nothing or [avoided]
        difference = followed - start
        if nothing:
            aside = perpendicular_to(difference, avoided - start)
            difference = difference - limits.perpendicular * aside
        if self.unseen is not None:
            start = start + (self.unseen.strength - 1) * (start - more[-1])
        guided = self._guided(followed, difference, start)
        if limits.rescale:
            said = partial(self._predicted, latents=latents, level=level)
            said_more = rescaled(said(guided), said(followed), limits.rescale)
            prediction, schedule = self.denoiser.prediction, self.schedule
            guided = clean_latents(prediction, said_more, latents, level, schedule)
        if limits.threshold is not None:
            usual = start + limits.threshold.strength * difference
            guided = thresholded(guided, usual, limits.threshold.share)
        return guided

    def _guided(self, followed: Tensor, difference: Tensor, away: Tensor) -> Tensor:
        """Go along the difference, from where there is no guidance."""
        way = self.limits.projection
        if way is None:
            return away + self.strength * difference
        start = away + difference
        turned, self.before = projected(difference, followed, way, self.before)
        return start + (self.strength - 1) * turned

    def _predicted(self, clean: Tensor, latents: Tensor, level: float) -> Tensor:
        prediction, schedule = self.denoiser.prediction, self.schedule
        return predicted_of(prediction, clean, latents, level, schedule)


@dataclass(frozen=True)
class Inpainting:
    """Holds a part of the picture to the init image, for any sampler.

    Where `keep` is 1 the model sees the init image at the level of each step, and the
    sampler is told that this is what the latents lead to; where it is 0 the model's own
    answer counts; between, the two are mixed.
    """

    denoiser: Denoiser
    init_latents: Tensor
    """Clean latents of the init image, (batch, channels, h, w)."""
    noise: Tensor
    """The noise it is seen under, in the same shape."""
    keep: Tensor
    """(batch, 1, h, w) in [0, 1]."""

    @property
    def schedule(self) -> Schedule:
        """That of the model."""
        return self.denoiser.schedule

    def denoised(self, latents: Tensor, level: float) -> Tensor:
        """Mix the init image and what the model makes of the rest.

        What the model saw differs from the latents where a mask is soft; the noise that
        it found in the one is taken to be that in the other.
        """
        known = self.schedule.noised(self.init_latents, self.noise, level)
        seen = self.keep * known + (1 - self.keep) * latents
        painted = self.denoiser.denoised(seen, level) + latents - seen
        return self.keep * self.init_latents + (1 - self.keep) * painted


def seeing_picture(network: Network) -> Network:
    """Give a network that edits a picture the latents of that behind those noised."""

    def predict(
        latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        assert conditioning.shown is not None
        both = torch.cat([latents, conditioning.shown.to(latents.dtype)], dim=1)
        return network(both, timesteps, conditioning)

    return predict


def seeing(network: Network, seen: Tensor) -> Network:
    """Give a network what it wants to see of each picture beside the latents.

    Args:
        seen: what is laid behind them, (batch, channels, h, w): a mask and what stays,
            or how near things lie.
    """

    def predict(
        latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        times = len(latents) // len(seen)  # 2 where all are asked for twice
        beside = seen.repeat(times, 1, 1, 1)
        return network(torch.cat([latents, beside], dim=1), timesteps, conditioning)

    return predict
