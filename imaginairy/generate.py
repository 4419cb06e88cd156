"""Orders to pictures: the only place that joins all parts."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image

from imaginairy.device import exact_float32, runs_ahead
from imaginairy.errors import NotFiniteError
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.order import Order
from imaginairy.result import ImagineResult
from imaginairy.sources.checksum import checksum
from imaginairy.steps.adapt import adapted, adapters_of, bundled_for, changed
from imaginairy.steps.condition import condition
from imaginairy.steps.control import controlled, hashes_of, told
from imaginairy.steps.decode import decode
from imaginairy.steps.experts import experts_of, recomputed_by
from imaginairy.steps.finish import finished
from imaginairy.steps.image_prompt import adapter_hashes, seeing, shown
from imaginairy.steps.prepare import Prepared, prepare
from imaginairy.steps.references import referring
from imaginairy.steps.sample import sample, tiled
from imaginairy.steps.start import start


@dataclass(frozen=True)
class Drawn:
    """A picture as the model drew it, before anything is done to it."""

    order: Order
    image: Image.Image
    prepared: Prepared
    hashes: tuple[Callable[[], str], ...]
    """Give the SHA-256 of the weights of each model that drew it."""
    vae_hash: Callable[[], str] | None = None
    """Gives that of the VAE's; None where the model had its own."""
    lora_hashes: Mapping[str, Callable[[], tuple[str, str]]] = field(
        default_factory=dict
    )
    """Give the SHA-256 of each LoRA that acted, and that of its tensors."""
    control_hashes: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    """Give the SHA-256 of each control that acted."""
    recomputed: tuple[str, ...] = ()
    """Stages that half precision could not hold."""
    text_hashes: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    """Give the SHA-256 of each text encoder that the model was given."""
    decoder_hash: Callable[[], str] | None = None
    """Gives that of the tiny VAE's, where one decodes."""
    image_prompt_hashes: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    """Give the SHA-256 of each IP-Adapter that acted."""


def draw(orders: Sequence[Order], store: ModelStore, observer: Observer) -> list[Drawn]:
    """Draw pictures together.

    A device that runs ahead is not made to wait in each step to see whether its numbers
    are finite. Where at the end they are not, all is drawn again with a look at each.

    Args:
        orders: what to draw; all are of one kind.
        store: owns the models and knows the device.
        observer: told of the start of each picture and of each step.
    """
    if runs_ahead(store.device):
        with suppress(NotFiniteError):
            return _drawn(orders, store, observer, look_later=True)
    return _drawn(orders, store, observer, look_later=False)


@torch.inference_mode()
@exact_float32()
def _drawn(
    orders: Sequence[Order], store: ModelStore, observer: Observer, *, look_later: bool
) -> list[Drawn]:
    experts = experts_of(orders[0], store, look_later=look_later)
    prepared = [prepare(order, store) for order in orders]
    adapters = adapters_of(orders[0], experts, store)
    experts = controlled(orders, prepared, experts, store)
    experts = seeing(orders, prepared, experts, store)
    with (
        experts[0].stages.between(),
        tiled(orders, experts),
        changed(orders[0], experts),
        adapted(orders[0], experts, adapters) as acting,
    ):
        texts = [
            condition(orders, each.model, each.stages, bundled_for(each, adapters))
            for each in experts
        ]
        texts = [*map(told, texts, experts)]
        texts = [*map(shown, texts, experts)]
        texts = referring(texts, orders, prepared, experts)
        begin = start(orders, prepared, experts)
        latents = sample(orders, texts, begin, experts, observer, acting)
        images = decode(latents, experts[0].model, experts[0].stages)
    hashes = tuple(each.loaded.weights_sha256 for each in experts)
    vae_hash = experts[0].loaded.vae_sha256
    decoder_hash = experts[0].loaded.decoder_sha256
    text_hashes = experts[0].loaded.text_sha256
    lora_hashes = {each.name: each.hashes for each in adapters}
    control_hashes = hashes_of(orders[0], experts[0], store)
    image_hashes = adapter_hashes(orders[0], experts[0], store)
    recomputed = recomputed_by(experts)
    said = vae_hash, lora_hashes, control_hashes, recomputed, text_hashes
    return [
        Drawn(order, image, each, hashes, *said, decoder_hash, image_hashes)
        for order, image, each in zip(orders, images, prepared, strict=True)
    ]


def embedding_hashes(order: Order) -> dict[str, str]:
    """Return the SHA-256 of the files of learned words, by what was asked for."""
    return {word.given: checksum([word.path]) for word in order.words}


@torch.inference_mode()
@exact_float32()
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
        applied=dict(work.applied),
        init_image=drawn.prepared.before,
        mask=canvas.keep if canvas else None,
        model_hash=drawn.hashes[0],
        refiner_hash=drawn.hashes[1] if len(drawn.hashes) > 1 else None,
        vae_hash=drawn.vae_hash,
        text_hashes=drawn.text_hashes,
        embedding_hashes=embedding_hashes(drawn.order),
        lora_hashes=drawn.lora_hashes,
        control_hashes=drawn.control_hashes,
        image_prompt_hashes=drawn.image_prompt_hashes,
        hypernetwork_hashes={
            each.name: checksum([each.path]) for each in drawn.order.hypernetworks
        },
        decoder=drawn.order.decoder,
        decoder_hash=drawn.decoder_hash,
        recomputed=drawn.recomputed,
        device=str(store.device),
        precision=store.precision,
        computed_in=str(store.dtype).removeprefix("torch."),
    )
    observer.on_result(result)
    return result
