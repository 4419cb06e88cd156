"""From the start of a batch to the clean latents of its pictures."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from math import ceil, inf

import torch
from torch import Tensor

from imaginairy.adapters.acting import Acting
from imaginairy.checks import parse_interval, parse_projection, parse_threshold
from imaginairy.conditioning import Conditioning
from imaginairy.device import DEVICES
from imaginairy.errors import NotFiniteError
from imaginairy.finite import is_finite
from imaginairy.networks.layers import tiling
from imaginairy.observe import Observer, Step
from imaginairy.order import Order
from imaginairy.replayed import LEAST_STEPS, Replayed
from imaginairy.samplers.denoiser import (
    Denoiser,
    Inpainting,
    Network,
    NetworkDenoiser,
    guided,
    seeing,
    seeing_picture,
)
from imaginairy.samplers.guidance import Limits, Projection, Threshold, between
from imaginairy.samplers.table import Sampler
from imaginairy.samplers.told import Reuse, Told
from imaginairy.schema import ImaginePrompt
from imaginairy.steps.condition import Said
from imaginairy.steps.decode import one_by_one, previewed, shown
from imaginairy.steps.edited import edited
from imaginairy.steps.experts import Expert, legs_of, say_who_draws
from imaginairy.steps.start import Start


def tiled(
    orders: Sequence[Order], experts: Sequence[Expert]
) -> AbstractContextManager[None]:
    """Return the scope in which the networks' convolutions wrap around as asked."""
    mode = orders[0].prompt.tile_mode
    networks = [each.network for each in experts]
    drawn = experts[0].model
    both = (drawn.autoencoder, drawn.decoder)
    return tiling(*networks, *both, x="x" in mode, y="y" in mode)


def sample(
    orders: Sequence[Order],
    texts: Sequence[Said],
    start: Start,
    experts: Sequence[Expert],
    observer: Observer,
    acting: Acting | None = None,
) -> Tensor:
    """Walk from the start to the latents of the pictures.

    Args:
        texts: what each of the experts is told.
        acting: the adapters that act on the first of them.
    """
    order, model = orders[0], experts[0].model
    sampler, steps = order.sampler, order.steps_to_run
    observer.on_batch(len(orders))
    for each in orders:
        observer.on_start(each.prompt, None if sampler.adaptive and steps else steps)
    if not steps:
        return start.latents

    counted, stages = count(), experts[0].stages
    show = partial(shown, model, stages)
    quick = partial(previewed, experts[0].previews, stages)

    def begins_step(index: int) -> None:
        experts[0].at(index, steps)
        if acting is not None:
            acting.at(index / steps)

    def on_step(_: int, latents: Tensor, denoised: Tensor) -> None:
        index = next(counted)
        if index + 1 < steps:
            begins_step(index + 1)
        pictures = zip(one_by_one(latents), one_by_one(denoised), strict=True)
        for number, (walked, clean) in enumerate(pictures):
            observer.on_step(Step(index, walked, clean, show, number, quick))

    latents, legs = start.latents, legs_of(experts, start.levels)
    say_who_draws(experts, legs, order)
    begins_step(0)
    for leg in legs:
        expert = experts[leg.number]
        latents = sampler.walk(
            _denoiser(orders, texts[leg.number], start, expert, acting),
            latents,
            leg.levels,
            draw_noise=start.draw_noise,
            on_step=on_step,
            **({"eta": order.eta} if sampler.takes_eta else {}),
        )
        expert.model.rest()
    latents = sampler.published(experts[0].schedule, latents, start.levels[-1])
    require_finite(latents, experts, sampler)
    return latents


def require_finite(latents: Tensor, experts: Sequence[Expert], by: Sampler) -> None:
    """Look at what was not looked at yet, and at what a sampler made of it.

    Raises:
        NotFiniteError: there is NaN or infinity.
    """
    for expert in experts:
        if not expert.stages.all_finite():
            raise NotFiniteError(f"The {expert.model.title} gave NaN or infinity.")
    if not is_finite(latents):
        raise NotFiniteError(
            f"The sampler '{by.name}' ran off to infinity, though the model's "
            "predictions are finite; take more steps, a lower prompt strength "
            "(guidance scale) or another sampler."
        )


def _denoiser(
    orders: Sequence[Order],
    said: Said,
    start: Start,
    expert: Expert,
    acting: Acting | None,
) -> Denoiser:
    """Wrap guidance and, where there is one, the mask around the network."""
    model, stages = expert.model, expert.stages
    alone = len(orders) == 1  # else fewer of them are tried first; see `Batches`
    compute = _computing(orders[0], expert, acting)

    def draws(latents: Tensor, timesteps: Tensor, text: Conditioning) -> Tensor:
        asked = f"the {model.title}", expert.network, compute, latents, timesteps, text
        return stages.run(*asked, often=True, climbs=alone)

    network: Network = draws
    if model.sees_mask and start.masked is not None:
        network = seeing(draws, start.masked)
    elif model.sees_depth and start.depth is not None:
        network = seeing(draws, start.depth)
    elif model.edits:
        network = seeing_picture(draws)
    said, unseen = edited(said, orders, start.shown)
    strength = torch.tensor([order.guidance for order in orders], device=model.device)
    said_for_it = None if expert.begins else orders[0].prompt.prediction
    predicts = said_for_it or model.prediction
    told = NetworkDenoiser(
        network,
        expert.schedule,
        predicts,
        said.follow,
        Told(_reuse(orders[0], start.levels)),
    )
    limits = _limits(orders[0].prompt, start.levels, said)
    denoiser = guided(told, said.avoid, strength[:, None, None, None], limits, unseen)
    if start.keep is None or start.init_latents is None:
        return denoiser
    return Inpainting(denoiser, start.init_latents, start.noise, start.keep)


def _computing(order: Order, expert: Expert, acting: Acting | None) -> Network:
    """Return the network, which a device may record where every step is alike."""
    network, device = expert.network, expert.model.device
    placed = expert.model.placed
    few = order.steps_to_run < LEAST_STEPS
    if few or DEVICES[device.type].graph is None or order.speed.steps > 1:
        return network
    return Replayed(
        network,
        device,
        state=lambda: (acting and acting.changes, expert.acting),
        may=lambda: placed.home == device,
    )


def _reuse(order: Order, levels: list[float]) -> Reuse | None:
    """Return which steps share what comes from deep in the network, where any do."""
    speed = order.speed
    if speed.steps == 1:
        return None
    apart = ceil(speed.apart * (len(levels) - 1))
    return Reuse(levels, speed.steps, speed.outer, apart)


def _limits(prompt: ImaginePrompt, levels: list[float], said: Said) -> Limits:
    """Return how guidance is limited, in what the sampler walks."""
    low, high = 0.0, inf
    if prompt.guidance_interval is not None:
        low, high = between(levels, *parse_interval(prompt.guidance_interval))
    projection = None
    if prompt.apg is not None:
        projection = Projection(*parse_projection(prompt.apg))
    threshold = None
    if prompt.dynamic_threshold is not None:
        threshold = Threshold(*parse_threshold(prompt.dynamic_threshold))
    return Limits(
        rescale=prompt.guidance_rescale,
        low=low,
        high=high,
        perpendicular=prompt.perpendicular_negative,
        nothing=said.nothing,
        projection=projection,
        threshold=threshold,
    )
