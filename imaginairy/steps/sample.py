"""From the start to the latents of a picture, and to the picture itself."""

from contextlib import AbstractContextManager
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.errors import NotFiniteError
from imaginairy.finite import Stages, is_finite
from imaginairy.log import log
from imaginairy.models.drawing import DrawingModel
from imaginairy.networks.layers import tiling
from imaginairy.observe import Observer, Step
from imaginairy.order import Order
from imaginairy.pixels import tensor_to_image
from imaginairy.samplers.denoiser import (
    Denoiser,
    Inpainting,
    Network,
    NetworkDenoiser,
    guided,
    seeing_mask,
)
from imaginairy.steps.start import Start


def tiled(order: Order, model: DrawingModel) -> AbstractContextManager[None]:
    """Return the scope in which the networks' convolutions wrap around as asked."""
    x, y = "x" in order.prompt.tile_mode, "y" in order.prompt.tile_mode
    return tiling(model.network, model.autoencoder, x=x, y=y)


def sample(
    order: Order,
    model: DrawingModel,
    start: Start,
    denoiser: Denoiser,
    observer: Observer,
) -> Tensor:
    """Walk from the start to the latents of a picture."""
    sampler, steps = order.sampler, order.steps_to_run
    observer.on_start(order.prompt, None if sampler.adaptive and steps else steps)
    if not steps:
        return start.latents

    def on_step(index: int, latents: Tensor, denoised: Tensor) -> None:
        observer.on_step(Step(index, latents, denoised, partial(decode, model)))

    latents = sampler.sample(
        denoiser,
        start.latents,
        start.levels,
        draw_noise=start.draw_noise,
        on_step=on_step,
        **({"eta": order.eta} if sampler.takes_eta else {}),
    )
    if not is_finite(latents):
        raise NotFiniteError(
            f"The sampler '{sampler.name}' ran off to infinity, though the model's "
            "predictions are finite; take more steps, a lower prompt strength "
            "(guidance scale) or another sampler."
        )
    return latents


def denoiser_of(
    order: Order,
    model: DrawingModel,
    start: Start,
    conditioning: Conditioning,
    unconditional: Conditioning | None,
    stages: Stages,
) -> Denoiser:
    """Wrap guidance and, where there is one, the mask around the UNet."""

    def unet(latents: Tensor, timesteps: Tensor, text: Conditioning) -> Tensor:
        predict = partial(model.network, latents, timesteps, text)
        return stages.run(f"the {model.title}", model.network, predict)

    network: Network = unet
    if start.blanked is not None:
        keep = (
            torch.zeros_like(start.noise[:, :1]) if start.keep is None else start.keep
        )
        network = seeing_mask(unet, 1 - keep.round(), start.blanked)
    told = NetworkDenoiser(network, model.schedule, model.prediction, conditioning)
    denoiser = guided(told, unconditional, order.guidance)
    if start.keep is None or start.init_latents is None:
        return denoiser
    return Inpainting(denoiser, start.init_latents, start.noise, start.keep)


def decode(model: DrawingModel, latents: Tensor) -> Image.Image:
    """Return the picture that latents stand for."""
    return tensor_to_image(model.decode(latents)[0])


def decoded(model: DrawingModel, latents: Tensor, stages: Stages) -> Image.Image:
    """Return the finished picture; say it where that shows nothing at all."""
    pictures = stages.run(
        "the decoder", model.autoencoder, partial(model.decode, latents)
    )
    image = tensor_to_image(pictures[0])
    say_if_flat(image)
    return image


def say_if_flat(image: Image.Image) -> None:
    """Say it where a picture shows nothing at all."""
    colours = image.getcolors(maxcolors=1)
    if colours:
        log.warning(
            "The picture is of one colour (%s) all over; the model, its settings or "
            "the prompt may be at fault.",
            ", ".join(map(str, colours[0][1])),  # type: ignore[arg-type]  # RGB
        )
