"""From the start to the latents of a picture, and to the picture itself."""

from contextlib import AbstractContextManager
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.errors import NotFiniteError
from imaginairy.finite import Stages, is_finite
from imaginairy.images import tensor_to_image
from imaginairy.log import log
from imaginairy.models.drawing import DrawingModel
from imaginairy.networks.layers import tiling
from imaginairy.observe import Observer, Step
from imaginairy.samplers import get_sampler
from imaginairy.samplers.guidance import (
    Denoiser,
    PredictNoise,
    Unet,
    as_noise,
    guided,
    inpainting,
    seeing_mask,
)
from imaginairy.samplers.table import steps_to_run
from imaginairy.schema import ImaginePrompt
from imaginairy.steps.start import Start


def tiled(prompt: ImaginePrompt, model: DrawingModel) -> AbstractContextManager[None]:
    """Return the scope in which the networks' convolutions wrap around as asked."""
    x, y = "x" in prompt.tile_mode, "y" in prompt.tile_mode
    return tiling(model.unet, model.autoencoder, x=x, y=y)


def sample(
    prompt: ImaginePrompt,
    model: DrawingModel,
    start: Start,
    predict: PredictNoise,
    observer: Observer,
) -> Tensor:
    """Walk from the start to the latents of a picture."""
    assert prompt.sampler_type and prompt.prompt_strength is not None
    sampler = get_sampler(prompt.sampler_type)
    steps = steps_to_run(prompt.steps or 0, prompt.init_image_strength or 0.0)
    observer.on_start(prompt, None if sampler.adaptive and steps else steps)
    if not steps:
        return start.latents

    def on_step(index: int, latents: Tensor, denoised: Tensor) -> None:
        observer.on_step(Step(index, latents, denoised, partial(decode, model)))

    latents = sampler.sample(
        Denoiser(predict, model.schedule),
        start.latents,
        start.levels,
        draw_noise=start.draw_noise,
        on_step=on_step,
        **({} if prompt.eta is None else {"eta": prompt.eta}),
    )
    if not is_finite(latents):
        raise NotFiniteError(
            f"The sampler '{sampler.name}' ran off to infinity, though the model's "
            "predictions are finite; take more steps, a lower prompt strength "
            "(guidance scale) or another sampler."
        )
    return latents


def predictor(
    prompt: ImaginePrompt,
    model: DrawingModel,
    start: Start,
    conditioning: Conditioning,
    unconditional: Conditioning | None,
    stages: Stages,
) -> PredictNoise:
    """Wrap guidance and, where there is one, the mask around the UNet."""
    assert prompt.prompt_strength is not None

    def unet(latents: Tensor, timesteps: Tensor, text: Conditioning) -> Tensor:
        predict = partial(model.unet, latents, timesteps, text)
        return stages.run("the UNet", model.unet, predict)

    seeing: Unet = unet
    if model.sees_mask:
        keep = (
            torch.zeros_like(start.noise[:, :1]) if start.keep is None else start.keep
        )
        assert start.blanked is not None
        seeing = seeing_mask(unet, 1 - keep.round(), start.blanked)
    predict = as_noise(
        guided(seeing, conditioning, unconditional, prompt.prompt_strength),
        model.schedule,
    )
    if start.keep is None or start.init_latents is None:
        return predict
    return inpainting(
        predict, start.init_latents, start.noise, start.keep, model.schedule
    )


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
