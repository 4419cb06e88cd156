"""`--plan`: what a run would take, told before anything of it begins."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import click
from huggingface_hub import constants
from PIL import Image

from imaginairy.batches import Batches
from imaginairy.best_of import require_seeds
from imaginairy.checks import parse_refiner
from imaginairy.cli.forecast_words import lines_of
from imaginairy.cli.jobs import Plan, sized
from imaginairy.cli.output import Drawing
from imaginairy.cli.rates import Kind, afterwards, rate_of
from imaginairy.cli.run import say
from imaginairy.device import free_bytes
from imaginairy.lazy_image import LazyLoadingImage, is_of_web
from imaginairy.log import log
from imaginairy.models.glance import Glance, bytes_of, is_to_fetch
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.order import Order
from imaginairy.recorded import pictures
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.schema import ImaginePrompt
from imaginairy.settling import settled, settled_unseen
from imaginairy.sizes import written
from imaginairy.sources import hub
from imaginairy.sources.fetch import on_disk, size_of, source_of
from imaginairy.sources.roles import BESIDE, DRAWS, VAE
from imaginairy.sources.rows import HubFile, ModelRow
from imaginairy.steps.experts import experts_of

LOOKED_AT = 200
"""Images of a run that are settled for its plan; the others are taken to be alike."""
UNKNOWN = (512, 512)
"""What the size of an image of the web is taken for."""


@dataclass
class Foreseen:
    """Images of a run that are drawn in the same way."""

    order: Order
    seconds: float | None
    """That one of them takes; None where that is not known."""
    weights: int | None = None
    """Bytes of memory that the models that draw take; None where they are not here."""
    held: int | None = None
    """Bytes that predictions, or the decoding, take beside them."""
    together: int = 1
    """How many of them are generated at once."""
    images: int = 1

    def facts(self) -> dict[str, Any]:
        """Return what there is to say of them, for programs."""
        prompt = self.order.prompt
        return {
            "images": self.images,
            "model": prompt.model,
            "vae": prompt.vae,
            "refiner": prompt.refiner,
            "generated_at": written(self.order.drawn),
            "saved_at": written(self.order.saved),
            "steps": self.order.steps_to_run,
            "sampler_type": self.order.sampler.name,
            "schedule": self.order.spacing,
            "prompt_strength": self.order.guidance,
            "best_of": prompt.best_of,
            "afterwards": afterwards(prompt),
            "memory_of_models": self.weights,
            "together": self.together,
            "memory_beside": self.held,
            "seconds": self.seconds,
        }


def tell_plan(plan: Plan, drawing: Drawing, store: ModelStore) -> None:
    """Print what a run would take, and do nothing of it.

    Raises:
        ImaginairyError: it would be refused.
    """
    glance = Glance(store)
    kinds = foreseen(plan, drawing, glance)
    told = facts_of(plan, drawing, kinds, glance)
    if drawing.as_json:
        click.echo(json.dumps(told))
    else:
        say("\n".join(lines_of(told)))


def foreseen(plan: Plan, drawing: Drawing, glance: Glance) -> list[Foreseen]:
    """Settle the images of a run, and lay together those that are drawn alike."""
    batches = Batches(glance, Observer(), drawing.batch_size)
    kinds: dict[Any, Foreseen] = {}
    for job in islice(sized(plan, drawing.size, glance), LOOKED_AT):
        prompt = replace(job.prompt, **unfetched(job.prompt))
        here = [glance.has(name, role=role) for role, name in drawn_by(prompt)]
        is_here = all(here)
        order = (settled if is_here else settled_unseen)(prompt, glance)
        require_levels(order, glance if is_here else None)
        for role, name in beside(order.prompt):
            glance.has(name, role=role)
        alike = order.kind, Kind.of(order.prompt, glance), prompt.best_of
        if prompt.best_of > 1:
            require_seeds(prompt)
        if alike in kinds:
            kinds[alike].images += 1
            continue
        rate = rate_of(order.prompt, glance)
        seconds = rate.seconds(order.prompt, order.steps_to_run) if rate else None
        kinds[alike] = Foreseen(order, seconds and prompt.best_of * seconds)
        if is_here:
            weigh(kinds[alike], plan.total, batches, glance)
    looked_at = sum(kind.images for kind in kinds.values())
    for kind in kinds.values():
        kind.images = kind.images * plan.total // looked_at
    return [*kinds.values()]


def require_levels(order: Order, glance: Glance | None) -> None:
    """Check that a sampler has the levels that are asked for.

    Args:
        glance: has the model; None where it is not here, and taken to be as is usual.

    Raises:
        BadOptionError: it has not.
    """
    schedule = (
        glance.get(order.model, vae=order.vae).diffusion.schedule
        if glance
        else ScheduleConfig().made()
    )
    order.sampler.levels(schedule, order.steps, order.spacing)


def drawn_by(prompt: ImaginePrompt) -> Iterator[tuple[str, str | None]]:
    """Yield the role and the name of each model that has a part in drawing."""
    yield DRAWS, prompt.model
    if prompt.vae is not None:
        yield VAE, prompt.vae
    if prompt.refiner is not None:
        yield DRAWS, parse_refiner(prompt.refiner)[0]


def beside(prompt: ImaginePrompt) -> Iterator[tuple[str, str]]:
    """Yield the role and the name of each other model that is used."""
    for role, row in BESIDE.items():
        if name := getattr(prompt, row.option or "", None):
            yield role, name


def unfetched(prompt: ImaginePrompt) -> dict[str, Any]:
    """Return blank images in place of those of the web, whose sizes nobody knows."""
    blank: dict[str, Any] = {}
    for name in pictures(ImaginePrompt):
        image = getattr(prompt, name)
        if isinstance(image, LazyLoadingImage) and is_of_web(image.address):
            log.warning(
                "%s is fetched when it is used: its size is taken for %s.",
                image, written(UNKNOWN),
            )  # fmt: skip
            blank[name] = Image.new("RGB", UNKNOWN)
    return blank


def weigh(kind: Foreseen, images: int, batches: Batches, glance: Glance) -> None:
    """Note what memory images take, where there are so many at most."""
    order = kind.order
    loaded = [expert.loaded for expert in experts_of(order, glance)]
    kind.together = min(images, batches.room(order))
    at_once = kind.together * (1 + order.is_guided)
    held = [at_once * each.diffusion.bytes_held(order.drawn) for each in loaded]
    held.append(loaded[0].diffusion.bytes_of_pixels(order.drawn))
    kind.weights, kind.held = sum(map(bytes_of, loaded)), max(held)


def facts_of(
    plan: Plan, drawing: Drawing, kinds: list[Foreseen], glance: Glance
) -> dict[str, Any]:
    """Return all that is known of a run, for programs."""
    models = [model_facts(row) for row in glance.rows.values()]
    models += [file_facts(file) for file in glance.vocabularies]
    sizes = [each["size"] for each in models if each["path"] is None and each["origin"]]
    seconds = [
        None if each.seconds is None else each.images * each.seconds for each in kinds
    ]
    return {
        "images": plan.total,
        "outdir": str(drawing.outdir),
        "extension": drawing.extension,
        "kinds": [each.facts() for each in kinds],
        "models": models,
        "download": None if None in sizes else sum(sizes),
        "unreachable": unreachable(glance),
        "device": str(glance.device),
        "computed_in": str(glance.dtype).removeprefix("torch."),
        "memory_free": free_bytes(glance.device),
        "seconds": None if None in seconds else sum(filter(None, seconds)),
    }


def unreachable(glance: Glance) -> str | None:
    """Return why nothing can be fetched now, where something is to be."""
    is_asked = any(map(is_to_fetch, glance.rows.values())) or glance.vocabularies
    return hub.unreachable_reason() if is_asked else None


def model_facts(row: ModelRow) -> dict[str, Any]:
    """Return what a model is, and where it lies or is fetched from."""
    place = on_disk(row)
    return {
        "name": row.name,
        "role": row.role,
        "size": size_of(row, place),
        "path": None if place is None else str(place),
        "origin": source_of(row) or None,
    }


def file_facts(file: HubFile) -> dict[str, Any]:
    """Return the same of a vocabulary that is still to be fetched."""
    return {
        "name": file.path,
        "role": "vocabulary",
        "size": file.size,
        "path": None,
        "origin": f"{constants.ENDPOINT}/{file.repo}",
    }
