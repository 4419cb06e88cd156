"""What is settled of a prompt once its model is known, before anything is generated."""

from dataclasses import replace
from typing import Any

from imaginairy.lazy_image import as_pillow
from imaginairy.models.store import LoadedModel, ModelStore
from imaginairy.models.words import listed
from imaginairy.prompt_syntax import remark_on
from imaginairy.schema import ImaginePrompt
from imaginairy.sources.catalog import ModelSpec
from imaginairy.sources.companions import ROLES
from imaginairy.stand_ins import is_at_home, suited


def settled(
    prompt: ImaginePrompt, loaded: LoadedModel, store: ModelStore
) -> ImaginePrompt:
    """Return a prompt with every default filled in; name what of it says nothing.

    Raises:
        ForeignPictureError: a model beside the one that draws cannot be had.
    """
    filled = prompt.filled(loaded.spec, clip_skip=loaded.diffusion.clip_skip)
    tell_what_is_passed_over(filled, loaded, store)
    return replace(filled, **suited_models(prompt, filled, loaded.spec, store))


def suited_models(
    prompt: ImaginePrompt, filled: ImaginePrompt, spec: ModelSpec, store: ModelStore
) -> dict[str, Any]:
    """Choose the models beside the one that draws where none was named, by field.

    What the bundled model draws of text alone is of its world, and so is what it draws
    of a picture of that: the small models beside it know it best. What it draws of any
    other picture shows that too, so it is judged by that one; so are masks of any
    model's.
    """
    image = None if filled.init_image is None else as_pillow(filled.init_image)
    bundled = spec.companions == "bundled"
    chosen: dict[str, Any] = {}
    if bundled and (image is None or is_at_home(image)):
        return chosen
    for role, row in ROLES.items():
        field = row.option or ""
        if not getattr(filled, field, None) or getattr(prompt, field):
            continue
        subject = image if bundled or role == "mask" else None
        chosen[field] = suited(store, role, None, subject)
    return chosen


def tell_what_is_passed_over(
    prompt: ImaginePrompt, loaded: LoadedModel, store: ModelStore
) -> None:
    """Name what of the texts has no part in the picture, once for each prompt."""
    followed = [] if prompt.conditioning is not None else prompt.prompts
    avoided = [] if prompt.prompt_strength == 1 else [prompt.negative_prompt]
    texts = (*(part.text for part in followed), *avoided)
    if remark := remark_on(texts):
        said = f"The prompt has syntax of other tools that does nothing here: {remark}."
        store.say_once(said, about=said)
    if loaded.words and (unknown := loaded.words.unknown(texts)):
        said = f"{loaded.spec.name} does not know: {listed(unknown)}"
        store.say_once(said, about=texts)
