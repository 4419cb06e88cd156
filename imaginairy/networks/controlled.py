"""A UNet, and what controls add to its feature maps, as one network.

ControlNets: Zhang et al. 2023 (arXiv:2302.05543); T2I-Adapters: Mou et al. 2023
(arXiv:2302.08453), section 3.3 of which adds several.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.networks.controlnet import ControlNet
from imaginairy.networks.t2i_adapter import T2IAdapter
from imaginairy.networks.unet import UNet

WEAKEST = 0.1
"""How much the finest feature map counts where a ControlNet guesses; the middle counts
in full, and each between them by the same factor more than the one before."""


@dataclass(frozen=True, eq=False)
class Hint:
    """What one picture, or each of a batch, is to be like."""

    picture: Tensor
    """(pictures, colours, height, width) in [0, 1], as large as what is drawn; below 0
    where a ControlNet for inpainting is to paint."""
    kind: int | None = None
    """Of the kinds that a union of ControlNets knows apart, from 0."""
    weight: float = 1.0
    """How much it counts beside others that a union sees."""


@dataclass(frozen=True, eq=False)
class Steering:
    """A control on its hints."""

    network: ControlNet | T2IAdapter
    hints: Sequence[Hint]
    """One; several are for a union of ControlNets."""
    strength: float = 1.0
    start: float = 0.0
    """The share of the steps that is walked before it acts."""
    end: float = 1.0
    """The share of the steps after which it acts no more."""
    guess: bool = False
    """Whether it is to find out by itself what the hint shows: see `WEAKEST`."""
    pools: bool = False
    """Whether what it adds is the same all over a feature map: its mean."""
    _seen: dict[torch.dtype, list[Tensor]] = field(
        default_factory=dict, init=False, repr=False
    )

    def acts_at(self, step: int, steps: int) -> bool:
        """Tell whether it acts in a step, counted from 0, of so many."""
        whole = self.start <= step / steps and (step + 1) / steps <= self.end
        return whole and self.strength != 0

    def seen(self) -> list[Tensor]:
        """Return what its network sees in the hints, computed once for each type of
        numbers that it computes in.

        It is one tensor of a ControlNet, (pictures, channels, h, w), and feature maps
        of a T2I-Adapter, finest first.
        """
        dtype = self.network.dtype
        if dtype not in self._seen:
            self._seen[dtype] = self._look()
        return self._seen[dtype]

    def _look(self) -> list[Tensor]:
        if isinstance(self.network, T2IAdapter):
            maps = [self.network(hint.picture) for hint in self.hints]
            return [torch.stack(each).sum(0) for each in zip(*maps, strict=True)]
        each = [
            self.network.read(hint.picture, hint.kind, hint.weight)
            for hint in self.hints
        ]
        return [torch.stack(each).sum(0)]

    def residuals(
        self,
        network: ControlNet,
        latents: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
    ) -> list[Tensor]:
        """Return what a ControlNet adds, at full strength, to each skip and last to the
        middle."""
        (seen,) = self.seen()
        kinds = [hint.kind for hint in self.hints if hint.kind is not None]
        rows = _for_each(seen, conditioning)
        added = network(latents, timesteps, conditioning, rows, kinds)
        if self.guess and not self.pools:
            finer = len(added) - 1
            added = [
                each * WEAKEST ** (1 - number / finer)
                for number, each in enumerate(added)
            ]
        if self.pools:
            added = [each.mean(dim=(2, 3), keepdim=True) for each in added]
        return added


class Controlled(nn.Module):
    """A UNet that is steered; it is asked as the UNet is.

    Args:
        steering: the controls, in the order in which a conditioning's `control` counts
            them.
    """

    def __init__(self, unet: UNet, steering: Sequence[Steering]) -> None:
        super().__init__()
        self.unet, self.steering = unet, tuple(steering)
        self.networks = nn.ModuleList(each.network for each in steering)
        self.acting: tuple[int, ...] = tuple(
            place for place, each in enumerate(self.steering) if each.strength
        )
        """Which of the controls act now, by their places."""

    def at(self, step: int, steps: int) -> None:
        """Let those act whose step it is, counted from 0, of so many."""
        self.acting = tuple(
            place
            for place, each in enumerate(self.steering)
            if each.acts_at(step, steps)
        )

    def forward(
        self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        """Return what the UNet predicts.

        Args:
            latents: (rows, channels, height, width), for each picture of the hints a
                row or several, as guidance asks for; what a UNet for inpainting sees
                behind them is not for the controls.
        """
        residuals: list[Tensor] = []
        features: list[Tensor] = []
        for place in self.acting:
            each = self.steering[place]
            share = self._share(place, conditioning, latents)
            if isinstance(each.network, ControlNet):
                drawn = latents[:, : each.network.config.in_channels]
                added = each.residuals(each.network, drawn, timesteps, conditioning)
                residuals = _summed(residuals, [share * part for part in added])
            else:
                maps = [_for_each(part, conditioning) for part in each.seen()]
                features = _summed(features, [share * part for part in maps])
        steered = replace(
            conditioning, residuals=residuals or None, features=features or None
        )
        predicted: Tensor = self.unet(latents, timesteps, steered)
        return predicted

    def _share(
        self, place: int, conditioning: Conditioning, latents: Tensor
    ) -> float | Tensor:
        """Return how much a control counts, for all rows or each, (rows, 1, 1, 1)."""
        strength = self.steering[place].strength
        if conditioning.control is None:
            return strength
        each = strength * conditioning.control[:, place]
        dtype = self.steering[place].seen()[0].dtype
        return each.to(latents.device, dtype)[:, None, None, None]


def _for_each(seen: Tensor, conditioning: Conditioning) -> Tensor:
    """Return what is seen of the picture of each row.

    Unless it is said whose rows they are, the pictures follow each other in a row, once
    or several times; one is for all rows.
    """
    if len(seen) > 1 and conditioning.pictures is not None:
        return seen[conditioning.pictures]
    return seen.repeat(len(conditioning) // len(seen), 1, 1, 1)


def _summed(before: list[Tensor], more: list[Tensor]) -> list[Tensor]:
    """Add up what several controls add, place by place."""
    if not before:
        return more
    return [*map(torch.add, before, more)]
