"""Orders to pictures: the only place that joins all parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image

from imaginairy.finite import Stages
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.order import Order
from imaginairy.result import ImagineResult
from imaginairy.steps.condition import condition
from imaginairy.steps.decode import decode
from imaginairy.steps.finish import finished
from imaginairy.steps.prepare import Prepared, prepare
from imaginairy.steps.sample import sample, tiled
from imaginairy.steps.start import start


@dataclass(frozen=True)
class Drawn:
    """A picture as the model drew it, before anything is done to it."""

    order: Order
    image: Image.Image
    prepared: Prepared
    model_hash: Callable[[], str]
    recomputed: tuple[str, ...] = ()
    """Stages that half precision could not hold."""


@torch.inference_mode()
def draw(orders: Sequence[Order], store: ModelStore, observer: Observer) -> list[Drawn]:
    """Draw pictures together.

    Args:
        orders: what to draw; all are of one kind.
        store: owns the models and knows the device.
        observer: told of the start of each picture and of each step.
    """
    loaded = store.get(orders[0].model)
    model, stages = loaded.diffusion, Stages(loaded.spec.name)
    prepared = [prepare(order, store) for order in orders]
    text = condition(orders, model, stages)
    with tiled(orders, model):
        begin = start(orders, prepared, model, stages)
        latents = sample(orders, text, begin, model, stages, observer)
        images = decode(latents, model, stages)
    return [
        Drawn(order, image, each, loaded.weights_sha256, tuple(stages.recomputed))
        for order, image, each in zip(orders, images, prepared, strict=True)
    ]


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
    work = finished(drawn.image, prompt, drawn.prepared, store, observer, applied)
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
