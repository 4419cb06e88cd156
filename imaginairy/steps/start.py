"""Where sampling starts: seeded noise, and as much of an init image as stays."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from imaginairy.device import SeededNoise, spherical_mix
from imaginairy.masks.canvas import Canvas
from imaginairy.models.drawing import DrawingModel
from imaginairy.order import Order
from imaginairy.pixels import image_to_tensor, latent_mask
from imaginairy.samplers.table import DrawNoise
from imaginairy.steps.depth import depths_of
from imaginairy.steps.experts import Expert
from imaginairy.steps.prepare import Prepared
from imaginairy.steps.stages import Stages

HALF = 0.5
"""From how much of a pixel stays on it is seen, by networks that see a mask."""


@dataclass(frozen=True)
class Start:
    """Where the walk of a batch starts."""

    latents: Tensor
    """At the first of the levels; already clean where there are none to walk."""
    levels: list[float]
    noise: Tensor
    """The noise in them."""
    draw_noise: DrawNoise
    """Where a sampler gets more, each picture's from its own seed."""
    init_latents: Tensor | None
    """Clean latents of the init images."""
    keep: Tensor | None
    """How much of each latent stays as in the init image, (batch, 1, h, w)."""
    masked: Tensor | None
    """What models for inpainting see: latents of the init images without what is
    painted, and where that is."""
    shown: Tensor | None = None
    """Latents of the init images as models see them that edit these."""
    depth: Tensor | None = None
    """How near what they show lies, for models that are led by it; see `depth_of`."""


def start(
    orders: Sequence[Order],
    prepared: Sequence[Prepared],
    experts: Sequence[Expert],
) -> Start:
    """Lay together where each picture of a batch starts: with the first who draw it."""
    sees_mask = any(expert.model.sees_mask for expert in experts)
    sees_depth = any(expert.model.sees_depth for expert in experts)
    starts = [
        _start(order, each.canvas, experts[0], sees_mask=sees_mask)
        for order, each in zip(orders, prepared, strict=True)
    ]
    return Start(
        latents=torch.cat([each.latents for each in starts]),
        levels=starts[0].levels,
        noise=torch.cat([each.noise for each in starts]),
        draw_noise=lambda: torch.cat([each.draw_noise() for each in starts]),
        init_latents=_laid([each.init_latents for each in starts]),
        keep=_laid([each.keep for each in starts]),
        masked=_laid([each.masked for each in starts]),
        shown=_laid([each.shown for each in starts]),
        depth=depths_of(orders, experts[0].model) if sees_depth else None,
    )


def _laid(parts: Sequence[Tensor | None]) -> Tensor | None:
    """Lay what each picture has along the batch; all of a batch have it, or none."""
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None


def _start(
    order: Order, canvas: Canvas | None, expert: Expert, *, sees_mask: bool
) -> Start:
    """Draw one picture's noise, and put as much of it on the init image as is to go.

    The noise comes in the reference's order: first what the encoder draws, where an
    init image has a say, then what the walk starts from.
    """
    model, stages, schedule = expert.model, expert.stages, expert.schedule
    shape = model.latent_shape(order.drawn)
    draw_noise = SeededNoise(order.seed, shape, model.device)

    sampler, steps, runs = order.sampler, order.steps, order.steps_to_run
    levels = sampler.levels(schedule, steps, order.spacing, last=runs)

    init_latents = keep = None
    if canvas is not None and (runs < steps or canvas.keep is not None):
        picture = image_to_tensor(canvas.picture)
        init_latents = encoded(model, picture, draw_noise(), stages)
    if canvas is not None and canvas.keep is not None:
        keep = latent_mask(canvas.keep, model.grid.pixels).to(model.device)
    noise = draw_noise()
    if order.variation is not None:
        seed, share = order.variation
        noise = spherical_mix(noise, SeededNoise(seed, shape, model.device)(), share)

    begun = init_latents if runs < steps else None
    if runs or begun is None:
        latents = sampler.start(schedule, noise, levels[0], begun)
    else:
        latents = begun
    masked = _masked(order, canvas, expert) if sees_mask else None
    shown = None
    if model.edits and canvas is not None:
        picture = image_to_tensor(canvas.picture)
        shown = encoded(model, picture, torch.zeros(shape), stages)
        shown = shown * model.shown_scale
    return Start(latents, levels, noise, draw_noise, init_latents, keep, masked, shown)


def encoded(
    model: DrawingModel, picture: Tensor, noise: Tensor, stages: Stages
) -> Tensor:
    """Return the latents of a picture; see `DrawingModel.encode`."""
    holds = model.bytes_of_pixels((picture.shape[3], picture.shape[2]))
    network = model.autoencoder
    return stages.run("the encoder", network, model.encode, picture, noise, holds=holds)


def _masked(order: Order, canvas: Canvas | None, expert: Expert) -> Tensor:
    """Return what a network for inpainting sees, (1, channels, h, w).

    What is painted is grey in the picture; where nothing is said to stay, all of it.
    """
    model, family = expert.model, expert.model.family
    pixels, keep = family.grid.pixels, Image.new("L", order.drawn)
    picture = torch.zeros(1, 3, *reversed(order.drawn))
    if canvas is not None and canvas.keep is not None:
        picture, keep = image_to_tensor(canvas.picture), canvas.keep
    stays = (latent_mask(keep, downsampling=1) >= HALF).float()
    noise = torch.zeros(model.latent_shape(order.drawn))
    seen = encoded(model, picture * stays, noise, expert.stages)
    if family.masks_pixels:
        return torch.cat([seen, F.pixel_unshuffle(1 - stays, pixels).to(seen)], dim=1)
    return torch.cat([1 - latent_mask(keep, pixels).round().to(seen), seen], dim=1)
