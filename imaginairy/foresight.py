"""What prompts would take, looked up where models lie, with nothing of it done."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from huggingface_hub import constants
from PIL import Image

from imaginairy.batches import Batches
from imaginairy.best_of import require_seeds
from imaginairy.checks import parse_refiner
from imaginairy.device import free_bytes
from imaginairy.embedding import parse_embedding
from imaginairy.enhancers import asked
from imaginairy.families.table import family_named
from imaginairy.hypernetwork import parse_hypernetwork, without_hypernetworks
from imaginairy.lazy_image import LazyLoadingImage, is_of_web
from imaginairy.log import log
from imaginairy.lora import without_loras
from imaginairy.models.glance import Glance, is_to_fetch
from imaginairy.models.previews import tiny_vae_of, usual_tiny_vae
from imaginairy.models.store import ModelStore
from imaginairy.models.weightless import bytes_of
from imaginairy.observe import Observer
from imaginairy.order import Order
from imaginairy.recorded import pictures
from imaginairy.schema import ImaginePrompt
from imaginairy.settling import loaded_for, settled, settled_unseen, usual_schedule
from imaginairy.sizes import written
from imaginairy.sources import hub
from imaginairy.sources.adapters import adapter_on_disk, adapter_source, locate_adapter
from imaginairy.sources.catalog import find
from imaginairy.sources.control_rows import KINDS
from imaginairy.sources.controls import control_on_disk, locate_control
from imaginairy.sources.fetch import on_disk, size_of, source_of
from imaginairy.sources.image_prompts import image_prompt_on_disk, locate_image_prompt
from imaginairy.sources.roles import (
    BESIDE,
    CONTROL,
    DRAWS,
    IMAGE_ENCODER,
    IMAGE_PROMPT,
    TEXT_ENCODER,
    VAE,
)
from imaginairy.sources.rows import BundledFolder
from imaginairy.steps.experts import experts_of
from imaginairy.weighted_prompt import WeightedPrompt

LOOKED_AT = 200
"""Images of a run that are settled; the others are taken to be alike."""
UNKNOWN = (512, 512)
"""What the size of an image of the web is taken for."""
UNSAID = "."
"""What a text is taken for that says nothing but what is to be fetched."""


@dataclass
class Foreseen:
    """Images that are drawn in the same way."""

    order: Order
    weights: int | None = None
    """Bytes of memory that the models that draw take; None where they are not here."""
    held: int | None = None
    """Bytes that predictions, or the decoding, take beside them."""
    together: int = 1
    """How many of them are generated at once."""
    images: int = 1

    def facts(self) -> dict[str, Any]:
        """Return what there is to say of them, as plain values."""
        order, prompt = self.order, self.order.prompt
        return {
            "images": self.images,
            "model": prompt.model,
            "vae": prompt.vae,
            "text_encoders": list(prompt.text_encoders),
            "refiner": prompt.refiner,
            "generated_at": written(order.drawn),
            "saved_at": written(order.saved),
            "steps": order.steps_to_run,
            "sampler_type": order.sampler.name,
            "schedule": order.spacing,
            "prompt_strength": order.guidance,
            "best_of": prompt.best_of,
            "afterwards": asked(prompt),
            "memory_of_models": self.weights,
            "memory_beside": self.held,
            "together": self.together,
        }


class Foresight:
    """What a run would take.

    Args:
        prompts: what it draws, of which the first are looked at.
        total: how many there are.
        store: what would draw them.
        batch_size: how many at once; None for as many as pay.
        previews: whether it shows images while they are generated.

    Raises:
        ImaginairyError: it would be refused.
    """

    def __init__(
        self,
        prompts: Iterable[ImaginePrompt],
        total: int,
        store: ModelStore,
        batch_size: int | None = None,
        *,
        previews: bool = False,
    ) -> None:
        self.total, self._previews = total, previews
        self.glance = Glance(store)
        self._batches = Batches(self.glance, Observer(), batch_size)
        self._adapters: dict[str, dict[str, Any]] = {}
        self._kinds: dict[Any, Foreseen] = {}
        for prompt in islice(prompts, LOOKED_AT):
            self._look_at(prompt)
        looked_at = sum(kind.images for kind in self.kinds)
        looked_up_to = told = 0
        for kind in self.kinds:
            looked_up_to += kind.images
            kind.images = looked_up_to * total // looked_at - told
            told += kind.images

    @property
    def kinds(self) -> list[Foreseen]:
        """The images, those that are drawn alike together."""
        return [*self._kinds.values()]

    def _look_at(self, prompt: ImaginePrompt) -> None:
        prompt = replace(prompt, **unfetched_images(prompt), **self._here(prompt))
        there = [self._is_here(*each, prompt) for each in drawn_by(prompt)]
        is_here = all(there)
        order = (settled if is_here else settled_unseen)(prompt, self.glance)
        require_levels(order, self.glance, is_here=is_here)
        for role, name in beside(order.prompt):
            self.glance.has(name, role=role)
        if self._previews or prompt.fast_decode:
            self._note_tiny_vae(order, is_here=is_here)
        if prompt.best_of > 1:
            require_seeds(prompt)
        alike = order.kind, order.saved, *asked(order.prompt), prompt.best_of
        if alike in self._kinds:
            self._kinds[alike].images += 1
            return
        self._kinds[alike] = Foreseen(order)
        if is_here:
            self._weigh(self._kinds[alike])

    def _is_here(self, role: str, name: str | None, prompt: ImaginePrompt) -> bool:
        """Note a model that draws; tell whether it is on this machine."""
        texts = prompt.text_encoders if name == prompt.model and role == DRAWS else ()
        return self.glance.has(name, role=role, text_encoders=texts)

    def _here(self, prompt: ImaginePrompt) -> dict[str, Any]:
        """Note the adapters of a prompt; leave those out that are still to be fetched.

        Those that its text names are given as others are then.
        """
        loras = [each for each in prompt.all_loras if self._has(each.name, prompt)]
        words = [
            each
            for each in prompt.embeddings
            if self._has(parse_embedding(each)[1], prompt)
        ]
        hypernetworks = [
            each
            for each in prompt.all_hypernetworks
            if self._has(parse_hypernetwork(each)[0], prompt)
        ]
        left: dict[str, Any] = {"embeddings": tuple(words), "prompt": prompt.prompts}
        if len(loras) < len(prompt.all_loras):
            left["loras"] = tuple(loras)
            left["merge_loras"] = prompt.merge_loras and bool(loras)
            left["prompt"] = _each(without_loras, left["prompt"])
        if len(hypernetworks) < len(prompt.all_hypernetworks):
            left["hypernetworks"] = tuple(hypernetworks)
            left["prompt"] = _each(without_hypernetworks, left["prompt"])
        return left | self._controls_here(prompt) | self._images_here(prompt)

    def _controls_here(self, prompt: ImaginePrompt) -> dict[str, Any]:
        """Note the controls of a prompt; leave those out that are still to be fetched.

        Without any, nothing is left of what goes with them.
        """
        given = prompt.controls
        here = tuple([each for each in given if self._has_control(each.name, prompt)])
        if len(here) == len(given):
            return {}
        rest: dict[str, Any] = {
            "control_image": None, "control_raw": False, "control_guess": False,
        }  # fmt: skip
        return {"controls": here} | ({} if here else rest)

    def _has_control(self, name: str, prompt: ImaginePrompt) -> bool:
        """Note a control; tell whether it is on this machine."""
        model = self.glance.locate(prompt.model)
        listed = find(CONTROL, name)
        family = self._family_of(prompt) or (listed and listed.family) or ""
        if not family and name.lower() in KINDS:
            return False  # nobody knows yet what that means
        is_bundled = isinstance(model.weights, BundledFolder)
        row = locate_control(name, family, on_disk(model), bundled=is_bundled)
        place = control_on_disk(row)
        size = row.size if place is None else place.stat().st_size
        origin = source_of(row)
        self._adapters[row.name] = told_of(row.name, CONTROL, size, place, origin)
        return place is not None

    def _images_here(self, prompt: ImaginePrompt) -> dict[str, Any]:
        """Note what reads image prompts; leave those out that wait for it."""
        given = prompt.image_prompts
        here = tuple([each for each in given if self._has_reader(each.adapter, prompt)])
        if len(here) == len(given):
            return {}
        texts = [replace(x, text=x.text.strip() or UNSAID) for x in prompt.prompts]
        return {"image_prompts": here} | ({} if here else {"prompt": texts})

    def _has_reader(self, name: str | None, prompt: ImaginePrompt) -> bool:
        """Note an IP-Adapter and what sees for it; tell whether both are here."""
        model = self.glance.locate(prompt.model)
        family = self._family_of(prompt)
        if not family and name is None:
            return False  # nobody knows yet which is usual
        listed = name and find(IMAGE_PROMPT, name)
        family = family or (listed and listed.family) or ""
        bundled = isinstance(model.weights, BundledFolder)
        row = locate_image_prompt(name, family, on_disk(model), bundled=bundled)
        place = image_prompt_on_disk(row)
        size = size_of(row, place)
        told = told_of(row.name, IMAGE_PROMPT, size, place, source_of(row))
        self._adapters[row.name] = told
        encoder = row.encoder
        if place and not encoder and not is_to_fetch(model):
            loaded = loaded_for(prompt, self.glance)
            encoder = self.glance.image_prompts.check(name, loaded).encoder
        sees = bool(encoder) and self.glance.has(encoder, role=IMAGE_ENCODER)
        return place is not None and sees

    def _family_of(self, prompt: ImaginePrompt) -> str:
        return self.glance.family_of(prompt.model, prompt.text_encoders)

    def _has(self, adapter: str, prompt: ImaginePrompt) -> bool:
        """Note an adapter; tell whether it is on this machine."""
        row = locate_adapter(adapter, on_disk(self.glance.locate(prompt.model)))
        place = adapter_on_disk(row)
        size = None if place is None else place.stat().st_size
        self._adapters[row.name] = told_of(
            row.name, "adapter", size, place, adapter_source(row)
        )
        return place is not None

    def _note_tiny_vae(self, order: Order, *, is_here: bool) -> None:
        """Note what decodes in little time.

        Args:
            is_here: whether the model is; otherwise it is taken to be as is usual.
        """
        if is_here:
            row = tiny_vae_of(loaded_for(order.prompt, self.glance))
        else:
            family = family_named(self.glance.locate(order.model).family)
            row = None if family is None else usual_tiny_vae(family)
        if row is not None:
            self.glance.has(row.name, role=VAE)

    def _weigh(self, kind: Foreseen) -> None:
        """Note what memory images take."""
        order = kind.order
        loaded = [each.loaded for each in experts_of(order, self.glance)]
        kind.together = min(self.total, self._batches.room(order))
        at_once = kind.together * (1 + order.is_guided)
        sizes = order.drawn, order.references
        held = [at_once * each.diffusion.bytes_held(*sizes) for each in loaded]
        held.append(loaded[0].diffusion.bytes_of_pixels(order.drawn))
        kind.weights, kind.held = sum(map(bytes_of, loaded)), max(held)

    def facts(self) -> dict[str, Any]:
        """Return all that is known of it, as plain values."""
        models = [*self._models(), *self._adapters.values()]
        missing = [each for each in models if each["path"] is None and each["origin"]]
        sizes = [each["size"] for each in missing]
        return {
            "images": self.total,
            "kinds": [each.facts() for each in self.kinds],
            "models": models,
            "download": None if None in sizes else sum(sizes),
            "unreachable": hub.unreachable_reason() if missing else None,
            "device": str(self.glance.device),
            "computed_in": str(self.glance.dtype).removeprefix("torch."),
            "memory_free": free_bytes(self.glance.device),
        }

    def _models(self) -> Iterator[dict[str, Any]]:
        """Yield what each model is, and where it lies or is fetched from."""
        for row in self.glance.rows.values():
            place = on_disk(row)
            size = size_of(row, place)
            told = told_of(row.name, row.role, size, place, source_of(row))
            chosen = getattr(row.weights, "chosen", "")
            yield told | ({"packing": chosen} if chosen and not place else {})
        for file in self.glance.vocabularies:
            origin = f"{constants.ENDPOINT}/{file.repo}"
            yield told_of(file.path, "vocabulary", file.size, None, origin)


def drawn_by(prompt: ImaginePrompt) -> Iterator[tuple[str, str | None]]:
    """Yield the role and the name of each model that has a part in drawing."""
    yield DRAWS, prompt.model
    if prompt.vae is not None:
        yield VAE, prompt.vae
    yield from ((TEXT_ENCODER, each) for each in prompt.text_encoders)
    if prompt.refiner is not None:
        yield DRAWS, parse_refiner(prompt.refiner)[0]


def beside(prompt: ImaginePrompt) -> Iterator[tuple[str, str]]:
    """Yield the role and the name of each other model that is used."""
    for role, row in BESIDE.items():
        if name := getattr(prompt, row.option or "", None):
            yield role, name


def require_levels(order: Order, glance: Glance, *, is_here: bool) -> None:
    """Check that a sampler has the levels that are asked for.

    Args:
        is_here: whether its model is; else that is taken to be as is usual.

    Raises:
        BadOptionError: it has not.
    """
    schedule = (
        loaded_for(order.prompt, glance).diffusion.schedule
        if is_here
        else usual_schedule(glance.locate(order.model))
    )
    order.sampler.levels(schedule, order.steps, order.spacing)


def _each(
    without: Callable[[str], str], parts: Iterable[WeightedPrompt]
) -> list[WeightedPrompt]:
    return [replace(part, text=without(part.text).strip() or UNSAID) for part in parts]


def unfetched_images(prompt: ImaginePrompt) -> dict[str, Any]:
    """Return blank images in place of those of the web, whose sizes nobody knows."""
    blank: dict[str, Any] = {}
    for name in pictures(ImaginePrompt):
        image = getattr(prompt, name)
        if (fetched := _fetched(image)) is not image:
            blank[name] = fetched
    references = tuple(map(_fetched, prompt.reference_images))
    return blank | ({"reference_images": references} if references else {})


def _fetched(image: Any) -> Any:
    """Return an image, or a blank one in its place where it is of the web."""
    if not (isinstance(image, LazyLoadingImage) and is_of_web(image.address)):
        return image
    log.warning(
        "%s is fetched when it is used: its size is taken for %s.",
        image, written(UNKNOWN),
    )  # fmt: skip
    return Image.new("RGB", UNKNOWN)


def told_of(
    name: str, role: str, size: int | None, place: Path | None, origin: str
) -> dict[str, Any]:
    """Return what is told of a file or a folder, as plain values."""
    return {
        "name": name,
        "role": role,
        "size": size,
        "path": None if place is None else str(place),
        "origin": origin or None,
    }
