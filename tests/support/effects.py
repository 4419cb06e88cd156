"""What a field of a prompt does, as a pair of pictures: one without it and one with."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, Observer, imagine
from imaginairy.conditioning import Conditioning
from imaginairy.observe import Step
from tests.support.pictures import pixels

TINY: dict[str, Any] = {
    "prompt": "a red fox",
    "model": "tiny",
    "sampler_type": "ddim",
    "seed": 1,
    "steps": 2,
}
"""A picture of a network that knows nothing, for what can be measured."""
EYE: dict[str, Any] = {
    "prompt": "a red background",
    "model": "storybook",
    "sampler_type": "ddim",
    "seed": 1,
    "steps": 3,
    "width": 64,
    "height": 64,
    "upscale": False,
}
"""A picture of the bundled model, for what can be seen."""


@dataclass(frozen=True)
class Asked:
    """What the UNet was asked once, and what it said."""

    latents: Tensor
    timestep: float
    said: Conditioning
    noise: Tensor

    @property
    def context(self) -> Tensor:
        """The embeddings of the texts, (batch, tokens, dim)."""
        return self.said.tokens


@dataclass(frozen=True)
class Seen:
    """A picture, and what happened while it was made."""

    result: ImagineResult
    said: str
    asked: list[Asked]
    steps: list[Step]
    draw: "Callable[..., Seen]" = field(repr=False)
    """Draws it again with some fields changed."""

    @property
    def pixels(self) -> np.ndarray:
        """The picture's, (h, w, 3) from 0 to 255."""
        return pixels(self.result.img)

    @property
    def image(self) -> Image.Image:
        """The picture."""
        return self.result.img

    def pixels_of(self, kind: str) -> np.ndarray:
        """The pixels of one of its images."""
        return pixels(self.result.images[kind])


Judge = Callable[[Seen, Seen], None]
"""Fails where the second is not what the first becomes by the change."""


@dataclass(frozen=True)
class Effect:
    """A change of one field, and what judges it."""

    field: str
    value: Any
    without: Mapping[str, Any]
    judge: Judge

    def __str__(self) -> str:
        return f"{self.field}-{self.judge.__name__}"


def noting_in(table: list[Effect]) -> Callable[..., Callable[[Judge], Judge]]:
    """Return a decorator that notes in a table what judges a field.

    It is told the field, its value, and what the picture is without the change.
    """

    def judges(field: str, value: Any, **without: Any) -> Callable[[Judge], Judge]:
        def note(judge: Judge) -> Judge:
            base = EYE if without.get("model") == "storybook" else TINY
            table.append(Effect(field, value, {**base, **without}, judge))
            return judge

        return note

    return judges


class Studio:
    """Draws pictures and writes down how; the same picture is drawn once."""

    def __init__(self, *stores: ModelStore) -> None:
        self.stores = stores
        self.drawn: dict[str, Seen] = {}

    def draw(self, **fields: Any) -> Seen:
        """Draw the picture of some fields."""
        key = repr(sorted(fields.items(), key=lambda item: item[0]))
        if key not in self.drawn:
            self.drawn[key] = self._draw(fields)
        return self.drawn[key]

    def _draw(self, fields: dict[str, Any]) -> Seen:
        store = self.stores[fields["model"] == "storybook"]
        watch, log = _Watch(), logging.getLogger("imaginairy")
        log.setLevel(logging.INFO)
        log.addHandler(watch.handler)
        prompt = ImaginePrompt(**fields)
        hook = store.get(prompt.model).diffusion.network.register_forward_hook(
            watch.hook
        )
        try:
            (result,) = imagine(prompt, store=store, observer=watch)
        finally:
            hook.remove()
            log.removeHandler(watch.handler)
        said = "\n".join(watch.said)
        return Seen(
            result, said, watch.asked, watch.steps,
            lambda **more: self.draw(**{**fields, **more}),
        )  # fmt: skip


class _Watch(Observer):
    """Writes down what happens."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.steps: list[Step] = []
        self.said: list[str] = []
        self.handler = logging.Handler()
        self.handler.emit = lambda record: self.said.append(record.getMessage())  # type: ignore[method-assign]

    def hook(self, _: Any, given: tuple[Any, ...], noise: Tensor) -> None:
        latents, timesteps, said = given
        (timestep,) = set(timesteps.tolist())
        self.asked.append(Asked(latents.clone(), timestep, said, noise.clone()))

    def on_step(self, step: Step) -> None:
        self.steps.append(step)


def noise_of(seed: int) -> Tensor:
    """Return the noise that a seed stands for, at 64 x 64 pixels."""
    return torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
