"""Where sampling starts: seeded noise, and as much of an init image as stays."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from imaginairy.device import SeededNoise, spherical_mix
from imaginairy.finite import Stages
from imaginairy.masks.canvas import Canvas
from imaginairy.models.drawing import DrawingModel
from imaginairy.order import Order
from imaginairy.pixels import image_to_tensor, latent_mask
from imaginairy.samplers import made_for


@dataclass(frozen=True)
class Start:
    """Where the walk starts."""

    latents: Tensor
    """At the first of the levels; already clean where there are none to walk."""
    levels: list[float]
    noise: Tensor
    """The noise in them."""
    draw_noise: SeededNoise
    """Where a sampler gets more."""
    init_latents: Tensor | None
    """Clean latents of the init image."""
    keep: Tensor | None
    """How much of each latent stays as in the init image, (1, 1, h, w)."""
    blanked: Tensor | None
    """Latents of the init image without what is painted, for models that see it."""


def starting_point(
    order: Order,
    model: DrawingModel,
    canvas: Canvas | None,
    stages: Stages,
) -> Start:
    """Draw the noise, and put as much of it on the init image as its strength leaves.

    The noise comes in the reference's order: first what the encoder draws, where an
    init image has a say, then what the walk starts from.
    """
    shape = model.latent_shape(order.drawn)
    draw_noise = SeededNoise(order.seed, shape, model.device)

    sampler = made_for(model.schedule.kind, order.sampler)
    steps, runs = order.steps, order.steps_to_run
    levels = sampler.levels(model.schedule, steps, order.spacing, last=runs)

    init_latents = keep = None
    if canvas is not None and (runs < steps or canvas.keep is not None):
        init_latents = encoded(
            model, image_to_tensor(canvas.picture), draw_noise(), stages
        )
    if canvas is not None and canvas.keep is not None:
        keep = latent_mask(canvas.keep, model.grid.pixels).to(model.device)
    noise = draw_noise()
    if order.variation is not None:
        seed, share = order.variation
        noise = spherical_mix(noise, SeededNoise(seed, shape, model.device)(), share)

    shown = init_latents if runs < steps else None
    if runs or shown is None:
        latents = sampler.start(model.schedule, noise, levels[0], shown)
    else:
        latents = shown
    blanked = None
    if model.sees_mask:
        picture = blanked_picture(order, canvas)
        blanked = encoded(model, picture, torch.zeros(shape), stages)
    return Start(latents, levels, noise, draw_noise, init_latents, keep, blanked)


def encoded(
    model: DrawingModel, pictures: Tensor, noise: Tensor, stages: Stages
) -> Tensor:
    """Return the latents of pictures; see `DrawingModel.encode`."""
    encode = partial(model.encode, pictures, noise)
    return stages.run("the encoder", model.autoencoder, encode)


def blanked_picture(order: Order, canvas: Canvas | None) -> Tensor:
    """Return the init image with grey where it is painted, (1, 3, h, w) in [-1, 1]."""
    if canvas is None or canvas.keep is None:
        return torch.zeros(1, 3, *reversed(order.drawn))
    stays = latent_mask(canvas.keep, downsampling=1) >= 0.5
    return image_to_tensor(canvas.picture) * stays
