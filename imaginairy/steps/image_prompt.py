"""Image prompts for the model that begins a picture: what they say, where and when."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from imaginairy.device import computes_in
from imaginairy.finite import finite
from imaginairy.image_context import Beheld, ImageContext, Switch
from imaginairy.image_prompt import ImageReference
from imaginairy.images import painted, upright_rgb
from imaginairy.lazy_image import as_pillow
from imaginairy.log import log
from imaginairy.masks.canvas import resized
from imaginairy.masks.from_text import text_mask
from imaginairy.models.image_encoder import ROLE, ImageEncoder
from imaginairy.models.image_prompts import LoadedImagePrompt
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.store import ModelStore
from imaginairy.order import Order
from imaginairy.schema import ImaginePrompt
from imaginairy.steps.condition import Said
from imaginairy.steps.experts import Expert
from imaginairy.steps.prepare import Prepared

NOISE_SEED = 0
"""That of the noise that is avoided, so that it is the same for all pictures."""


def image_prompts_for(
    prompt: ImaginePrompt, loaded: LoadedModel, store: ModelStore
) -> tuple[ImageReference, ...]:
    """Return the image prompts of a prompt, each checked, with its adapter's own name.

    Raises:
        UnknownModelError: nothing goes by the name of an adapter.
        CheckpointError: one is for other models, or no IP-Adapter, or its image encoder
            is another's.
        DownloadError: something could not be fetched.
    """
    found = []
    for each in prompt.image_prompts:
        opened = store.image_prompts.check(each.adapter, loaded)
        opened.require(store.check(ROLE, opened.encoder))
        found.append(replace(each, adapter=opened.name))
    return tuple(found)


def adapter_hashes(
    order: Order, expert: Expert, store: ModelStore
) -> dict[str, Callable[[], str]]:
    """Return what gives the SHA-256 of the file of each IP-Adapter of an order."""
    names = [each.adapter for each in order.image_prompts]
    found = [store.image_prompts.check(name, expert.loaded) for name in names]
    return {each.name: each.hash for each in found}


def seeing(
    orders: Sequence[Order],
    prepared: Sequence[Prepared],
    experts: Sequence[Expert],
    store: ModelStore,
) -> tuple[Expert, ...]:
    """Return who draws, the first of them with what the images of the orders say.

    Another expert knows nothing of them; its family may be another.
    """
    first, *others = experts
    places = [n for n, each in enumerate(orders[0].image_prompts) if each.weight]
    if not places:
        return tuple(experts)
    for other in others:
        if other.model is not first.model:
            log.info("the image prompts speak to %s alone", first.loaded.spec.name)
    names = [orders[0].image_prompts[place].adapter for place in places]
    loaded = store.image_prompts.get(names, first.loaded)
    by_place = dict(zip(places, loaded, strict=True))
    saying = [
        _said_by(group, by_place[group[0]], orders, prepared, first, store)
        for group in together(orders[0].image_prompts, places)
    ]
    beheld = Beheld(
        tuple(each.follow for each in saying),
        tuple(each.avoid for each in saying),
        tuple(each.span for each in saying),
    )
    return replace(first, beheld=beheld), *others


def shown(said: Said, expert: Expert) -> Said:
    """Return what a network is told, with what images say to it beside the text."""
    beheld = expert.beheld
    if beheld is None:
        return said
    avoid, nothing = (
        None if text is None else replace(text, images=beheld.avoid)
        for text in (said.avoid, said.nothing)
    )
    return Said(replace(said.follow, images=beheld.follow), avoid, nothing)


def together(
    images: Sequence[ImageReference], places: Sequence[int]
) -> list[list[int]]:
    """Group image prompts, by their places, that are looked at as one.

    Those are of one adapter, without a mask, and speak to the same layers in the same
    steps; all others add up.
    """
    groups: dict[Hashable, list[int]] = {}
    for place in places:
        each = images[place]
        alike = each.adapter, each.layers, each.start, each.end, each.weight > 0
        groups.setdefault(place if each.mask is not None else alike, []).append(place)
    return [*groups.values()]


@dataclass(frozen=True)
class _Saying:
    """What image prompts that are looked at as one say."""

    follow: ImageContext
    avoid: ImageContext
    span: tuple[float, float]


def _said_by(
    group: Sequence[int],
    loaded: LoadedImagePrompt,
    orders: Sequence[Order],
    prepared: Sequence[Prepared],
    expert: Expert,
    store: ModelStore,
) -> _Saying:
    """Let an adapter read image prompts that are looked at as one, of all orders.

    The one that counts most says how much all count; those that count less are looked
    at less beside it.
    """
    references = [[order.image_prompts[place] for place in group] for order in orders]
    regions = [
        _region(each[0], order, made, store)
        for each, order, made in zip(references, orders, prepared, strict=True)
    ]
    look = Look(store.companion(ROLE, loaded.opened.encoder), loaded)
    first, *_ = usual = references[0]
    strongest = max((each.weight for each in usual), key=abs)
    at = expert.model.network.attending()
    scales = dict.fromkeys(expert.model.network.speaking(first.layers), strongest)
    device, dtype = expert.model.device, computes_in(expert.model.network)
    masks = [each for each in regions if each is not None]
    region = torch.cat(masks) if masks else None
    switch = Switch()

    def context(tokens: Sequence[Sequence[Tensor]]) -> ImageContext:
        rows = torch.cat([torch.cat([*row], dim=1) for row in tokens])
        shares = [each.weight / strongest for each in usual]
        portions = torch.tensor(
            [s for s, part in zip(shares, tokens[0], strict=True) for _ in part[0]]
        )
        pairs = [
            (key.to(device, dtype), value.to(device, dtype))
            for key, value in loaded.network.beside(rows)
        ]
        said = ImageContext(
            dict(zip(at, pairs, strict=True)),
            scales,
            region,
            switch,
            None if set(shares) == {1.0} else portions.expand(len(rows), -1),
        )
        return said.mapped(lambda part: part.to(device))

    follow = context([[look.follow(each) for each in row] for row in references])
    avoid = context([[look.avoid(each) for each in row] for row in references])
    return _Saying(follow, avoid, (first.start, first.end))


class Look:
    """What an adapter reads in images; each is looked at once."""

    def __init__(self, encoder: ImageEncoder, loaded: LoadedImagePrompt) -> None:
        self.encoder, self.loaded = encoder, loaded
        self._is_plain = loaded.opened.config.design == "plain"
        self._seen: dict[Hashable, Tensor] = {}

    def follow(self, reference: ImageReference) -> Tensor:
        """Return the tokens of an image, (1, m, context)."""
        key = id(reference.image)
        if key not in self._seen:
            pixels = self.encoder.pixels(upright_rgb(as_pillow(reference.image)))
            self._seen[key] = self._tokens(pixels)
        return self._seen[key]

    def avoid(self, reference: ImageReference) -> Tensor:
        """Return the tokens of what is avoided, (1, m, context).

        Without `noise` it is blank: of an adapter that reads images as a whole no
        numbers but zeros, of others an image whose every pixel is zero once it is
        prepared. With it, as much of what is seen in standard normal noise, or noise of
        that deviation as pixels.
        """
        key = "avoid", reference.noise
        if key not in self._seen:
            noise = torch.randn(
                self.encoder.shape, generator=torch.Generator().manual_seed(NOISE_SEED)
            )
            if self._is_plain:
                seen = self.encoder.embedding(noise)
                self._seen[key] = self._read(reference.noise * seen)
            else:
                self._seen[key] = self._tokens(reference.noise * noise)
        return self._seen[key]

    def _tokens(self, pixels: Tensor) -> Tensor:
        see = self.encoder.embedding if self._is_plain else self.encoder.hidden
        return self._read(see(pixels))

    def _read(self, seen: Tensor) -> Tensor:
        network = self.loaded.network
        home = next(network.parameters()).device
        tokens = network.tokens(seen.to(home))
        return finite(tokens, f"the IP-Adapter {self.loaded.opened.name}", network)


def _region(
    reference: ImageReference, order: Order, prepared: Prepared, store: ModelStore
) -> Tensor | None:
    """Return where an image has a say, (1, 1, height, width) in [0, 1], as is drawn."""
    if reference.mask is None:
        return None
    canvas, words = prepared.canvas, reference.masked_by_words
    if words is None:
        mask = as_pillow(reference.mask)
    else:
        assert canvas is not None  # as `require_seen` saw to
        finder = store.segmenter(order.prompt.mask_model)
        mask = text_mask(canvas.picture, words, finder).binary
    white = np.asarray(resized(painted(mask), order.drawn), dtype=np.float32) / 255
    return torch.from_numpy(white)[None, None]
