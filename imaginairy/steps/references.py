"""What the networks see of reference images, beside the text."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.order import Order
from imaginairy.pixels import image_to_tensor
from imaginairy.steps.condition import Said
from imaginairy.steps.experts import Expert
from imaginairy.steps.prepare import Prepared
from imaginairy.steps.start import encoded


def referring(
    texts: Sequence[Said],
    orders: Sequence[Order],
    prepared: Sequence[Prepared],
    experts: Sequence[Expert],
) -> list[Said]:
    """Return what networks are told, with the reference images of the orders.

    What is avoided is told of them too. They are encoded by the first of those who
    draw, and seen by each that looks at any.
    """
    if not orders[0].references:
        return [*texts]
    seen = _latents(orders, prepared, experts[0])
    return [
        _with(said, seen) if expert.model.family.references else said
        for said, expert in zip(texts, experts, strict=True)
    ]


def _with(said: Said, seen: Sequence[Tensor]) -> Said:
    def beside(text: Conditioning | None) -> Conditioning | None:
        return None if text is None else replace(text, references=seen)

    follow = replace(said.follow, references=seen)
    return Said(follow, beside(said.avoid), beside(said.nothing))


def _latents(
    orders: Sequence[Order], prepared: Sequence[Prepared], expert: Expert
) -> list[Tensor]:
    """Return the latents of each place's images, (batch, channels, h, w).

    An image that several orders share is encoded once.
    """
    model, found = expert.model, dict[int, Tensor]()
    rows = [order.prompt.reference_images for order in orders]
    for row, each in zip(rows, prepared, strict=True):
        for image, picture in zip(row, each.references, strict=True):
            if id(image) not in found:
                pixels = image_to_tensor(picture)
                noise = torch.zeros(model.latent_shape(picture.size))
                found[id(image)] = encoded(model, pixels, noise, expert.stages)
    places = zip(*rows, strict=True)
    return [torch.cat([found[id(image)] for image in place]) for place in places]
