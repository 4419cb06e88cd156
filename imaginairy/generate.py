"""One prompt to one picture: the only place that joins all parts."""

from functools import partial

import torch
from PIL import Image
from torch import Tensor

from imaginairy.device import SeededNoise
from imaginairy.errors import BadOptionError
from imaginairy.images import tensor_to_image
from imaginairy.models.latent_diffusion import LatentDiffusion
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer, Step
from imaginairy.result import GENERATED, ImagineResult
from imaginairy.samplers import get_sampler
from imaginairy.samplers.guidance import Denoiser, guided
from imaginairy.schema import ImaginePrompt, WeightedPrompt


@torch.inference_mode()
def generate(
    prompt: ImaginePrompt, store: ModelStore, observer: Observer
) -> ImagineResult:
    """Draw one picture.

    Args:
        prompt: what to draw; what it leaves open is filled in from the model.
        store: owns the models and knows the device.
        observer: told of the start, of each step and of the result.
    """
    loaded = store.get(prompt.model)
    model = loaded.diffusion
    prompt = prompt.filled(loaded.spec)

    conditioning, unconditional = embed_prompt(prompt, model)
    model.rest()
    noise = starting_noise(prompt, model)
    latents = sample(prompt, model, conditioning, unconditional, noise, observer)
    model.rest()
    picture = decode(model, latents)

    result = ImagineResult(
        prompt=prompt,
        images={GENERATED: picture},
        model_hash=loaded.weights_sha256,
        device=str(store.device),
        precision=store.precision,
    )
    observer.on_result(result)
    return result


def embed_prompt(
    prompt: ImaginePrompt, model: LatentDiffusion
) -> tuple[Tensor, Tensor | None]:
    """Return what to follow and what to steer away from, (1, tokens, dim) each.

    The second is None where guidance is off and it would have no say.
    """
    if prompt.conditioning is None:
        conditioning = model.embed(prompt.prompts)
    else:
        conditioning = prompt.conditioning.float().to(model.device)
        width = model.unet.config.context_dim
        if conditioning.shape[-1] != width:
            raise BadOptionError(
                f"The conditioning is {conditioning.shape[-1]} wide; this model's text "
                f"embeddings are {width}."
            )
    if prompt.prompt_strength == 1:
        return conditioning, None
    unconditional = model.embed([WeightedPrompt(prompt.negative_prompt)])
    tokens = max(conditioning.shape[1], unconditional.shape[1])
    return (
        model.lengthened(conditioning, tokens),
        model.lengthened(unconditional, tokens),
    )


def starting_noise(prompt: ImaginePrompt, model: LatentDiffusion) -> SeededNoise:
    """Return the prompt's own source of noise, in the shape of its latents."""
    assert prompt.seed is not None and prompt.height and prompt.width
    shape = (
        1,
        model.latent_channels,
        prompt.height // model.downsampling,
        prompt.width // model.downsampling,
    )
    return SeededNoise(prompt.seed, shape, model.device)


def sample(
    prompt: ImaginePrompt,
    model: LatentDiffusion,
    conditioning: Tensor,
    unconditional: Tensor | None,
    noise: SeededNoise,
    observer: Observer,
) -> Tensor:
    """Walk from noise to the latents of a picture."""
    assert prompt.sampler_type and prompt.steps and prompt.prompt_strength is not None
    sampler = get_sampler(prompt.sampler_type)
    levels = sampler.levels(model.schedule, prompt.steps)
    latents = sampler.start(model.schedule, noise(), levels[0])
    predict = guided(model.unet, conditioning, unconditional, prompt.prompt_strength)

    def on_step(index: int, latents: Tensor, denoised: Tensor) -> None:
        observer.on_step(Step(index, latents, denoised, partial(decode, model)))

    observer.on_start(prompt, None if sampler.adaptive else prompt.steps)
    return sampler.sample(
        Denoiser(predict, model.schedule),
        latents,
        levels,
        draw_noise=noise,
        on_step=on_step,
    )


def decode(model: LatentDiffusion, latents: Tensor) -> Image.Image:
    """Return the picture that latents stand for."""
    return tensor_to_image(model.decode(latents)[0])
