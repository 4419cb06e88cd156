"""One prompt to one picture: the only place that joins all parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image

from imaginairy.checks import parse_margins
from imaginairy.conditioning import Conditioning
from imaginairy.defaults import init_strength, sized
from imaginairy.enhancers import Work, companions_needed, enhanced, safety
from imaginairy.enhancers.from_outside import load_plugins
from imaginairy.errors import BadOptionError
from imaginairy.finite import Stages
from imaginairy.lazy_image import as_pillow
from imaginairy.log import log
from imaginairy.masks.canvas import (
    Canvas,
    canvas_of,
    outpainted,
    say_if_pointless,
    with_mask,
)
from imaginairy.masks.from_text import TextMask, text_mask
from imaginairy.masks.paste import pasted, pasted_into_original
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.result import (
    GENERATED,
    MASK_BINARY,
    MASK_GRAYSCALE,
    MODIFIED_ORIGINAL,
    ImagineResult,
)
from imaginairy.schema import ImaginePrompt
from imaginairy.settling import settled
from imaginairy.sizes import enlarged_like, written
from imaginairy.steps.sample import decoded, predictor, sample, tiled
from imaginairy.steps.start import starting_point
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
    recomputed: tuple[str, ...] = ()
    """Stages that half precision could not hold."""


@torch.inference_mode()
def draw(prompt: ImaginePrompt, store: ModelStore, observer: Observer) -> Drawn:
    """Draw one picture; the observer is told of the start and of each step."""
    safety.safety_mode()  # a bad one is refused before anything is loaded
    load_plugins(prompt)
    loaded = store.get(prompt.model)
    model = loaded.diffusion
    prompt = settled(prompt, loaded, store)
    for role, name in companions_needed(prompt):
        store.companion(role, name)  # what is missing is said before all the work
    safety.prepare(prompt, store)
    scale = store.upscaler(prompt.upscaler).scale if prompt.upscale else 1
    prompt = sized(prompt, loaded.spec, scale)
    found = described(prompt, store)
    prompt, canvas = prepared(prompt, found)

    stages = Stages(loaded.spec.name)
    conditioning, unconditional = stages.run(
        "the text encoder", model.text, partial(embed_prompt, prompt, model)
    )
    model.rest()
    with tiled(prompt, model):
        start = starting_point(prompt, model, canvas, stages)
        predict = predictor(prompt, model, start, conditioning, unconditional, stages)
        latents = sample(prompt, model, start, predict, observer)
        model.rest()
        drawn = decoded(model, latents, stages)
    return Drawn(
        prompt, drawn, canvas, found, loaded.weights_sha256, tuple(stages.recomputed)
    )


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
        recomputed=drawn.recomputed,
        device=str(store.device),
        precision=store.precision,
    )
    observer.on_result(result)
    return result


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
    assert prompt.width and prompt.height and prompt.drawn
    image, box = as_pillow(prompt.init_image), prompt.drawn
    if prompt.outpaint is not None:
        canvas = outpainted(image, parse_margins(prompt.outpaint), box)
    else:
        canvas = canvas_of(image, box)
        mask = found.binary if found else prompt.mask_image
        if mask is not None:
            canvas = with_mask(
                canvas, as_pillow(mask), keeps=prompt.mask_mode == "keep"
            )
            if found is None:
                say_if_pointless(canvas)
    drawn, own = canvas.picture.size, canvas.original.size
    if drawn != own:
        log.info("the picture of %dx%d is worked on at %dx%d", *own, *drawn)
    width, height = enlarged_like(drawn, box, (prompt.width, prompt.height))
    strength = prompt.init_image_strength
    return (
        replace(
            prompt,
            width=width,
            height=height,
            draw_size=written(drawn),
            init_image_strength=init_strength(prompt) if strength is None else strength,
        ),
        canvas,
    )


def embed_prompt(
    prompt: ImaginePrompt, model: DrawingModel
) -> tuple[Conditioning, Conditioning | None]:
    """Return what to follow and what to steer away from.

    The second is None where guidance is off and it would have no say.
    """
    if prompt.conditioning is None:
        conditioning = model.embed(prompt.prompts, clip_skip=prompt.clip_skip)
    else:
        given = prompt.conditioning.float().to(model.device)
        width = model.unet.config.context_dim
        if given.shape[-1] != width:
            raise BadOptionError(
                f"The conditioning is {given.shape[-1]} wide; this model's text "
                f"embeddings are {width}."
            )
        conditioning = Conditioning(given)
    if prompt.prompt_strength == 1:
        return conditioning, None
    unconditional = model.embed(
        [WeightedPrompt(prompt.negative_prompt)], clip_skip=prompt.clip_skip
    )
    both = conditioning.tokens, unconditional.tokens
    longest = max(each.shape[1] for each in both)
    follow, avoid = (
        Conditioning(model.lengthened(each, longest, clip_skip=prompt.clip_skip))
        for each in both
    )
    return follow, avoid


def finished(work: Work, canvas: Canvas | None, found: TextMask | None) -> Work:
    """Run the enhancers, and between them put back what a mask keeps."""
    work = enhanced(work, "drawn")
    if canvas is not None and canvas.keep is not None:
        drawn = work.images[GENERATED]
        work = work.with_images(**{GENERATED: pasted(drawn, canvas)})
        if work.prompt.mask_modify_original:
            original = pasted_into_original(drawn, canvas)
            work = work.with_images(**{MODIFIED_ORIGINAL: original})
    work = enhanced(work, "finished")
    if found is not None:
        shades = {MASK_BINARY: found.binary, MASK_GRAYSCALE: found.grayscale}
        work = work.with_images(**shades)
    return work
