"""Whether a prompt suits the model that draws it; if not, a sentence says why."""

from imaginairy.control import Control
from imaginairy.errors import BadOptionError
from imaginairy.families.family import Family
from imaginairy.families.table import FAMILIES, listed
from imaginairy.image_prompt import ImageReference
from imaginairy.lora import Lora
from imaginairy.models.loaded import LoadedModel
from imaginairy.order import Order
from imaginairy.samplers.prediction import PREDICTED, Prediction
from imaginairy.schema import ImaginePrompt
from imaginairy.sources.few_steps import FEW_STEPS
from imaginairy.sources.rows import ModelRow

TOLD_SIZES = ("original_size", "crop", "target_size")
"""The fields that only some families read."""


def require_steps(order: Order) -> None:
    """Check that there are steps to count where something acts in some of them.

    Raises:
        BadOptionError: the sampler chooses them as it goes.
    """
    acting: list[tuple[str, Lora | Control | ImageReference]] = [
        *(("LoRA", lora) for lora in order.loras),
        *(("control", control) for control in order.controls),
        *(("image prompt", image) for image in order.image_prompts),
    ]
    for what, each in acting:
        if (each.start, each.end) != (0, 1) and order.sampler.adaptive:
            raise BadOptionError(
                f"The sampler '{order.sampler.name}' chooses its steps as it goes, so "
                f"no {what} can act for a part of them, as '{each}' is to; give "
                f"another sampler, or the {what} for all of them."
            )


def require_suitable(prompt: ImaginePrompt, loaded: LoadedModel) -> None:
    """Check that a model can do what a prompt asks of it.

    Raises:
        BadOptionError: it cannot.
    """
    require_told(prompt, loaded)
    require_picture(prompt, loaded)
    require_references(prompt, loaded.spec, loaded.diffusion.family)
    require_tiles(prompt, loaded)


def require_told(prompt: ImaginePrompt, loaded: LoadedModel) -> None:
    """Check that the networks read what a prompt wants them to be told.

    Raises:
        BadOptionError: they do not.
    """
    family, name = loaded.diffusion.family, loaded.spec.name
    for field in TOLD_SIZES:
        if getattr(prompt, field) is not None and field not in family.sizes_read:
            readers = [row.title for row in FAMILIES if field in row.sizes_read]
            raise BadOptionError(
                f"The model '{name}' is of {family.title} and reads no {field}, as "
                f"models of {listed(readers)} do; leave it out."
            )
    ways = family.empty_negatives
    if prompt.empty_negative not in (None, *ways):
        raise BadOptionError(
            f"The model '{name}' is of {family.title}, to which an empty negative "
            f"prompt is {listed(ways, 'or')}, not {prompt.empty_negative}; leave "
            "empty_negative out."
        )


def require_picture(prompt: ImaginePrompt, loaded: LoadedModel) -> None:
    """Check that a model that edits has a picture, and that others are not to edit.

    Raises:
        BadOptionError: it has none, or image guidance has nothing to do.
    """
    edits, name = loaded.diffusion.edits, loaded.spec.name
    if edits and prompt.init_image is None:
        raise BadOptionError(
            f"The model '{name}' edits an image as the prompt says and draws none by "
            "itself; give init_image, or another model."
        )
    if prompt.image_guidance is not None and not edits:
        raise BadOptionError(
            f"The model '{name}' does not see the init image: it follows no "
            "instructions, and image_guidance has nothing to do; give a model that "
            "edits by instructions, such as instruct-pix2pix, or leave it out."
        )


def require_references(prompt: ImaginePrompt, spec: ModelRow, family: Family) -> None:
    """Check that a model looks at reference images where some are given.

    Raises:
        BadOptionError: it does not.
    """
    if not prompt.reference_images or family.looks_at_references(refers=spec.refers):
        return
    some = [kind.title for kind in FEW_STEPS if kind.refers]
    whole = [row.title for row in FAMILIES if row.looks_at_references(refers=False)]
    renamed = "; if it is one, let its name say so" if family.references else ""
    raise BadOptionError(
        f"The model '{spec.name}' is of {family.title} and looks at no "
        f"reference_images, as {listed(some)} and models of {listed(whole)} do"
        f"{renamed}; leave them out, or give the image as init_image."
    )


def require_tiles(prompt: ImaginePrompt, loaded: LoadedModel) -> None:
    """Check that a model whose picture is to be a tile can draw one.

    Raises:
        BadOptionError: it cannot.
    """
    if prompt.tile_mode and not loaded.diffusion.tiles:
        family = loaded.diffusion.family.title
        raise BadOptionError(
            f"The model '{loaded.spec.name}' is of {family}, whose transformer knows "
            "where the edges of a picture are and draws no tiles; leave tile_mode "
            "out, or give a model of Stable Diffusion."
        )


def require_prediction(asked: Prediction, loaded: LoadedModel) -> None:
    """Check that a model whose noise tells what it predicts does predict that.

    Raises:
        BadOptionError: it does not.
    """
    known = loaded.diffusion.prediction
    if asked != known:
        raise BadOptionError(
            f"The model '{loaded.spec.name}' predicts {PREDICTED[known]} and no "
            f"{asked}; leave prediction out."
        )
