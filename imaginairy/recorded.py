"""A prompt as plain values, as metadata and files hold it, and read back."""

from collections.abc import Mapping, Sequence
from typing import Any

from imaginairy import checks
from imaginairy.control import recorded_control
from imaginairy.errors import BadOptionError
from imaginairy.fields import options, written
from imaginairy.image_prompt import recorded_reference
from imaginairy.lazy_image import LazyLoadingImage

IN_MEMORY = "sha256:"
"""How a picture that has no file or address begins in the metadata."""


def pictures(prompt: Any) -> tuple[str, ...]:
    """Return the fields of a prompt, or of its class, that hold pictures."""
    known = options(prompt).items()
    return tuple(name for name, row in known if row.check is checks.picture)


def recorded(prompt: Any) -> dict[str, Any]:
    """Return the values of a prompt's fields in plain terms."""
    values = {name: getattr(prompt, name) for name in written(prompt)}
    for name in pictures(prompt):
        values[name] = None if values[name] is None else _source(values[name])
    values["enhance"] = list(prompt.enhance)
    values["hypernetworks"] = list(prompt.hypernetworks)
    values["text_encoders"] = list(prompt.text_encoders)
    values["embeddings"] = list(prompt.embeddings)
    values["controls"] = [
        recorded_control(each, None if each.image is None else _source(each.image))
        for each in prompt.controls
    ]
    values["image_prompts"] = [
        recorded_reference(
            each,
            _source(each.image),
            None if isinstance(each.mask, str | None) else _source(each.mask),
        )
        for each in prompt.image_prompts
    ]
    values["reference_images"] = [*map(_source, prompt.reference_images)]
    values["loras"] = [str(each) for each in prompt.loras]
    values["prompt"] = [
        {"text": part.text, "weight": part.weight} for part in prompt.prompts
    ]
    return values


def fields_recorded(of: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of some values that are fields of a prompt's class.

    Raises:
        BadOptionError: it cannot be drawn of them.
    """
    if not isinstance(values, Mapping) or "prompt" not in values:
        raise BadOptionError("There is no prompt in it; say what to draw.")
    known = {name: values[name] for name in values if name in written(of)}
    sources = {name: known.get(name) for name in pictures(of)}
    for place, each in enumerate(_several(known.get("reference_images"))):
        sources[f"reference image {place + 1}"] = each
    for name, what in (("controls", "control"), ("image_prompts", "image prompt")):
        for place, each in enumerate(_several(known.get(name))):
            if isinstance(each, Mapping):
                for part in ("image", "mask"):
                    sources[f"{part} of {what} {place + 1}"] = each.get(part)
    for name, source in sources.items():
        if isinstance(source, str) and source.startswith(IN_MEMORY):
            raise BadOptionError(
                f"The {name} was a picture in memory and is not recorded; make the "
                "prompt anew with it."
            )
    if values.get("conditioning") is not None:
        raise BadOptionError(
            "The picture was drawn from ready-made embeddings, which are not "
            "recorded; make the prompt anew with them."
        )
    return known


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _source(image: Any) -> str:
    """Say where a picture is from; one in memory is named by its pixels."""
    if isinstance(image, LazyLoadingImage):
        return image.address

    from hashlib import sha256

    return IN_MEMORY + sha256(image.tobytes()).hexdigest()
