"""One order to one picture: the only place that joins all parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image

from imaginairy.enhancers import Work
from imaginairy.finite import Stages
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.order import Order
from imaginairy.result import GENERATED, ImagineResult
from imaginairy.steps.condition import condition
from imaginairy.steps.finish import finished
from imaginairy.steps.prepare import Prepared, prepare
from imaginairy.steps.sample import decoded, denoiser_of, sample, tiled
from imaginairy.steps.start import starting_point


@dataclass(frozen=True)
class Drawn:
    """A picture as the model drew it, before anything is done to it."""

    order: Order
    image: Image.Image
    prepared: Prepared
    model_hash: Callable[[], str]
    recomputed: tuple[str, ...] = ()
    """Stages that half precision could not hold."""


def generate(order: Order, store: ModelStore, observer: Observer) -> ImagineResult:
    """Draw one picture and finish it.

    Args:
        order: what to draw.
        store: owns the models and knows the device.
        observer: told of the start, of each step and of the result.
    """
    return finish(draw(order, store, observer), store, observer)


@torch.inference_mode()
def draw(order: Order, store: ModelStore, observer: Observer) -> Drawn:
    """Draw one picture; the observer is told of the start and of each step."""
    loaded = store.get(order.model)
    model, stages = loaded.diffusion, Stages(loaded.spec.name)
    prepared = prepare(order, store)
    conditioning, unconditional = stages.run(
        "the text encoder", model.readers, partial(condition, order, model)
    )
    model.rest()
    with tiled(order, model):
        start = starting_point(order, model, prepared.canvas, stages)
        denoiser = denoiser_of(order, model, start, conditioning, unconditional, stages)
        latents = sample(order, model, start, denoiser, observer)
        model.rest()
        image = decoded(model, latents, stages)
    return Drawn(
        order, image, prepared, loaded.weights_sha256, tuple(stages.recomputed)
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
    prompt, canvas = drawn.order.prompt, drawn.prepared.canvas
    work = Work(prompt, {GENERATED: drawn.image}, store, applied, observer=observer)
    work = finished(work, drawn.prepared)
    result = ImagineResult(
        prompt=prompt,
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
