"""One prompt to one picture: the only place that joins all parts."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from imaginairy import masks
from imaginairy.checks import parse_margins
from imaginairy.device import SeededNoise, spherical_mix
from imaginairy.enhancers import Work, companions_needed, enhanced, safety
from imaginairy.enhancers.text_mask import TextMask, text_mask
from imaginairy.errors import BadOptionError
from imaginairy.images import image_to_tensor, tensor_to_image
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.masks import Canvas
from imaginairy.models.latent_diffusion import LatentDiffusion
from imaginairy.models.store import LoadedModel, ModelStore
from imaginairy.models.words import listed
from imaginairy.networks.layers import tiling
from imaginairy.observe import Observer, Step, log
from imaginairy.result import (
    GENERATED,
    MASK_BINARY,
    MASK_GRAYSCALE,
    MODIFIED_ORIGINAL,
    ImagineResult,
)
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
from imaginairy.schema import DEFAULT_INIT_STRENGTH, ImaginePrompt
from imaginairy.weighted_prompt import WeightedPrompt


def generate(
    prompt: ImaginePrompt, store: ModelStore, observer: Observer
) -> ImagineResult:
    """Draw one picture and finish it.

    Args:
        prompt: what to draw; what it leaves open is filled in from the model.
        store: owns the models and knows the device.
        observer: told of the start, of each step and of the result.
    """
    return finish(draw(prompt, store, observer), store, observer)


@dataclass(frozen=True)
class Drawn:
    """A picture as the model drew it, before anything is done to it."""

    prompt: ImaginePrompt
    """With every default filled in."""
    image: Image.Image
    canvas: Canvas | None
    found: TextMask | None
    model_hash: Callable[[], str]


@torch.inference_mode()
def draw(prompt: ImaginePrompt, store: ModelStore, observer: Observer) -> Drawn:
    """Draw one picture; the observer is told of the start and of each step."""
    safety.safety_mode()  # a bad one is refused before anything is loaded
    loaded = store.get(prompt.model)
    model = loaded.diffusion
    prompt = prompt.filled(loaded.spec, clip_skip=model.clip_skip)
    tell_unknown_words(prompt, loaded, store)
    for role, name in companions_needed(prompt):
        store.companion(role, name)  # what is missing is said before all the work
    safety.prepare(prompt, store)
    found = described(prompt, store)
    prompt, canvas = prepared(prompt, found)

    conditioning, unconditional = embed_prompt(prompt, model)
    model.rest()
    with tiled(prompt, model):
        start = starting_point(prompt, model, canvas)
        latents = sample(prompt, model, start, conditioning, unconditional, observer)
        model.rest()
        drawn = decode(model, latents)

    return Drawn(prompt, drawn, canvas, found, loaded.weights_sha256)


@torch.inference_mode()
def finish(
    drawn: Drawn,
    store: ModelStore,
    observer: Observer,
    applied: Mapping[str, Any] = MappingProxyType({}),
) -> ImagineResult:
    """Do to a drawn picture what its prompt asks for; the observer gets the result.

    Args:
        applied: what was done to it already, for the metadata.
    """
    canvas = drawn.canvas
    work = Work(
        drawn.prompt, {GENERATED: drawn.image}, store, applied, observer=observer
    )
    work = finished(work, canvas, drawn.found)
    result = ImagineResult(
        prompt=drawn.prompt,
        images=dict(work.images),
        applied=work.applied,
        init_image=canvas.picture if canvas else None,
        mask=canvas.keep if canvas else None,
        model_hash=drawn.model_hash,
        device=str(store.device),
        precision=store.precision,
    )
    observer.on_result(result)
    return result


def tell_unknown_words(
    prompt: ImaginePrompt, loaded: LoadedModel, store: ModelStore
) -> None:
    """Name the words that the model takes no notice of, once for each prompt."""
    if loaded.words is None:
        return
    followed = [] if prompt.conditioning is not None else prompt.prompts
    avoided = [] if prompt.prompt_strength == 1 else [prompt.negative_prompt]
    texts = (*(part.text for part in followed), *avoided)
    if unknown := loaded.words.unknown(texts):
        said = f"{loaded.spec.name} does not know: {listed(unknown)}"
        store.say_once(said, about=texts)


def described(prompt: ImaginePrompt, store: ModelStore) -> TextMask | None:
    """Find in the init image what the mask prompt describes."""
    if prompt.mask_prompt is None:
        return None
    segmenter = store.segmenter(prompt.mask_model)
    return text_mask(as_pillow(prompt.init_image), prompt.mask_prompt, segmenter)


def prepared(
    prompt: ImaginePrompt, found: TextMask | None
) -> tuple[ImaginePrompt, Canvas | None]:
    """Read the pictures that the prompt starts from, and take over their size."""
    if prompt.init_image is None:
        return prompt, None
    assert prompt.width and prompt.height
    image, box = as_pillow(prompt.init_image), (prompt.width, prompt.height)
    strength = DEFAULT_INIT_STRENGTH
    if prompt.outpaint is not None:
        canvas = masks.outpainted(image, parse_margins(prompt.outpaint), box)
        strength = 0.0
    else:
        canvas = masks.canvas_of(image, box)
        mask = found.binary if found else prompt.mask_image
        if mask is not None:
            canvas = masks.with_mask(
                canvas, as_pillow(mask), keeps=prompt.mask_mode == "keep"
            )
            if found is None:
                masks.say_if_pointless(canvas)
    (width, height), own = canvas.picture.size, canvas.original.size
    if (width, height) != own:
        log.info("the picture of %dx%d is worked on at %dx%d", *own, width, height)
    if prompt.init_image_strength is not None:
        strength = prompt.init_image_strength
    return (
        replace(prompt, width=width, height=height, init_image_strength=strength),
        canvas,
    )


def as_pillow(image: object) -> Image.Image:
    """Return a picture given as Pillow's or by its source."""
    if isinstance(image, LazyLoadingImage):
        return image.as_pillow()
    assert isinstance(image, Image.Image)
    return image


def embed_prompt(
    prompt: ImaginePrompt, model: LatentDiffusion
) -> tuple[Tensor, Tensor | None]:
    """Return what to follow and what to steer away from, (1, tokens, dim) each.

    The second is None where guidance is off and it would have no say.
    """
    if prompt.conditioning is None:
        conditioning = model.embed(prompt.prompts, clip_skip=prompt.clip_skip)
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
    unconditional = model.embed(
        [WeightedPrompt(prompt.negative_prompt)], clip_skip=prompt.clip_skip
    )
    tokens = max(conditioning.shape[1], unconditional.shape[1])
    return (
        model.lengthened(conditioning, tokens, clip_skip=prompt.clip_skip),
        model.lengthened(unconditional, tokens, clip_skip=prompt.clip_skip),
    )


def tiled(
    prompt: ImaginePrompt, model: LatentDiffusion
) -> AbstractContextManager[None]:
    """Return the scope in which the networks' convolutions wrap around as asked."""
    x, y = "x" in prompt.tile_mode, "y" in prompt.tile_mode
    return tiling(model.unet, model.autoencoder, x=x, y=y)


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
    prompt: ImaginePrompt, model: LatentDiffusion, canvas: Canvas | None
) -> Start:
    """Draw the noise, and put as much of it on the init image as its strength leaves.

    The noise comes in the reference's order: first what the encoder draws, where an
    init image has a say, then what the walk starts from.
    """
    assert prompt.sampler_type and prompt.steps and prompt.height and prompt.width
    assert prompt.seed is not None
    size = prompt.height // model.downsampling, prompt.width // model.downsampling
    shape = (1, model.latent_channels, *size)
    draw_noise = SeededNoise(prompt.seed, shape, model.device)

    sampler = get_sampler(prompt.sampler_type)
    runs = steps_to_run(prompt.steps, prompt.init_image_strength or 0.0)
    levels = sampler.levels(model.schedule, prompt.steps, prompt.schedule, last=runs)

    init_latents = keep = None
    if canvas is not None and (runs < prompt.steps or canvas.keep is not None):
        init_latents = model.encode(image_to_tensor(canvas.picture), draw_noise())
    if canvas is not None and canvas.keep is not None:
        keep = masks.latent_mask(canvas.keep, model.downsampling).to(model.device)
    noise = draw_noise()
    if prompt.variation_strength and prompt.variation_seed is not None:
        other = SeededNoise(prompt.variation_seed, shape, model.device)()
        noise = spherical_mix(noise, other, prompt.variation_strength)

    if runs:
        shown = init_latents if runs < prompt.steps else None
        latents = sampler.start(model.schedule, noise, levels[0], shown)
    else:
        assert init_latents is not None
        latents = init_latents
    blanked = None
    if model.sees_mask:
        blanked = model.encode(blanked_picture(prompt, canvas), torch.zeros(shape))
    return Start(latents, levels, noise, draw_noise, init_latents, keep, blanked)


def blanked_picture(prompt: ImaginePrompt, canvas: Canvas | None) -> Tensor:
    """Return the init image with grey where it is painted, (1, 3, h, w) in [-1, 1]."""
    if canvas is None or canvas.keep is None:
        return torch.zeros(1, 3, prompt.height or 0, prompt.width or 0)
    stays = masks.latent_mask(canvas.keep, downsampling=1) >= 0.5
    return image_to_tensor(canvas.picture) * stays


def sample(
    prompt: ImaginePrompt,
    model: LatentDiffusion,
    start: Start,
    conditioning: Tensor,
    unconditional: Tensor | None,
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

    predict = predictor(prompt, model, start, conditioning, unconditional)
    return sampler.sample(
        Denoiser(predict, model.schedule),
        start.latents,
        start.levels,
        draw_noise=start.draw_noise,
        on_step=on_step,
        **({} if prompt.eta is None else {"eta": prompt.eta}),
    )


def predictor(
    prompt: ImaginePrompt,
    model: LatentDiffusion,
    start: Start,
    conditioning: Tensor,
    unconditional: Tensor | None,
) -> PredictNoise:
    """Wrap guidance and, where there is one, the mask around the UNet."""
    assert prompt.prompt_strength is not None
    unet: Unet = model.unet
    if model.sees_mask:
        keep = (
            torch.zeros_like(start.noise[:, :1]) if start.keep is None else start.keep
        )
        assert start.blanked is not None
        unet = seeing_mask(unet, 1 - keep.round(), start.blanked)
    predict = as_noise(
        guided(unet, conditioning, unconditional, prompt.prompt_strength),
        model.schedule,
    )
    if start.keep is None or start.init_latents is None:
        return predict
    return inpainting(
        predict, start.init_latents, start.noise, start.keep, model.schedule
    )


def decode(model: LatentDiffusion, latents: Tensor) -> Image.Image:
    """Return the picture that latents stand for."""
    return tensor_to_image(model.decode(latents)[0])


def finished(work: Work, canvas: Canvas | None, found: TextMask | None) -> Work:
    """Run the enhancers, and between them put back what a mask keeps."""
    work = enhanced(work, "drawn")
    if canvas is not None and canvas.keep is not None:
        drawn = work.images[GENERATED]
        work = work.with_images(**{GENERATED: masks.pasted(drawn, canvas)})
        if work.prompt.mask_modify_original:
            original = masks.pasted_into_original(drawn, canvas)
            work = work.with_images(**{MODIFIED_ORIGINAL: original})
    work = enhanced(work, "finished")
    if found is not None:
        shades = {MASK_BINARY: found.binary, MASK_GRAYSCALE: found.grayscale}
        work = work.with_images(**shades)
    return work
