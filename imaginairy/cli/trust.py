"""What the metadata of pictures names, which is read and fetched only with a yes."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import click

from imaginairy import checks
from imaginairy.cli.options import dashed
from imaginairy.cli.record import OPTIONS, Record
from imaginairy.cli.run import say
from imaginairy.cli.words_again import adapters_outside
from imaginairy.control import said_of
from imaginairy.errors import BadOptionError, UnknownModelError
from imaginairy.image_prompt import images_of, is_words
from imaginairy.log import shortened
from imaginairy.lora import loras, loras_in
from imaginairy.recorded import pictures
from imaginairy.schema import ImaginePrompt
from imaginairy.sources import image_prompts
from imaginairy.sources.adapters import adapter_source, locate_adapter
from imaginairy.sources.catalog import find
from imaginairy.sources.control_rows import KINDS
from imaginairy.sources.controls import control_on_disk, lying
from imaginairy.sources.fetch import on_disk, source_of
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import CONTROL, DRAWS, IMAGE_PROMPT, ROLES
from imaginairy.sources.rows import ControlRow, ImagePromptRow, NoWeights
from imaginairy.sources.shelves import CONTROLS, IMAGE_ADAPTERS
from imaginairy.weighted_prompt import PromptText, weighted_prompts

ROLE_OF = {role.option: name for name, role in ROLES.items() if role.option}
ROLE_OF["refiner"] = DRAWS
"""What the models are for that fields name."""
MOST_SHOWN = 500
"""Characters of a name."""
MOST_PATHS = 3
"""Pictures that are named."""


class Named(NamedTuple):
    """What a field of the metadata names, in one line."""

    field: str
    what: str

    def __str__(self) -> str:
        return f"{self.field} {self.what}"


def require_trust(
    records: Sequence[Record], given: Collection[str], *, trusted: bool
) -> None:
    """Ask once whether what pictures name is to be read and fetched.

    Args:
        given: the fields that the user gave, whatever the pictures say of them.
        trusted: that was answered before.

    Raises:
        BadOptionError: the answer is no, or there is no terminal to ask at.
    """
    if trusted:
        return
    found = {
        record.path: [*named_outside(record.asked.fields, given, record.asked.prompt)]
        for record in records
    }
    whose = [f"'{path}'" for path, named in found.items() if named]
    if (more := len(whose) - MOST_PATHS) > 0:
        whose[MOST_PATHS:] = [f"and {more} more"]
    listed = list(dict.fromkeys(each for named in found.values() for each in named))
    if not listed:
        return
    asked = (
        f"The metadata of {', '.join(whose)} names what is read and fetched only with "
        "a yes"
    )
    others = ", ".join(dict.fromkeys(_option(each.field) for each in listed))
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadOptionError(
            f"{asked}: {', '.join(map(str, listed))}; give --trust if you know who "
            f"made the image, or your own {others}."
        )
    if not _is_answered_yes(f"{asked}:", listed):
        raise BadOptionError(f"Then nothing is generated; give your own {others}.")


def _option(field: str) -> str:
    return dashed(OPTIONS[field].names(field)[0])


def _is_answered_yes(asked: str, listed: Sequence[Named]) -> bool:
    say("\n  ".join([asked, *map(str, listed)]), err=True)
    try:
        return click.confirm("Read and fetch that?", err=True)
    except click.Abort:  # Ctrl-C, or the end of input
        say("", err=True)
        return False


def named_outside(
    fields: Mapping[str, Any], given: Collection[str] = (), prompt: PromptText = ""
) -> Iterator[Named]:
    """Yield what fields name that neither comes with the package nor was fetched.

    Those are images, whatever goes by no name of the catalog, LoRAs and others of their
    kind that are in none of the user's folders, and enhancers of other packages. What
    names nothing is passed over: it is refused when it is looked up. None of it is
    opened here.

    Args:
        given: fields that are passed over.
        prompt: what may name LoRAs too.
    """
    yield from _loras(fields, given, prompt)
    for name, adapter, source in adapters_outside(fields, given, prompt):
        yield Named(name, _quoted(adapter) + (f" from {source}" if source else ""))
    for name in OPTIONS:
        value = fields.get(name)
        if not value or name in given:
            continue
        if name in pictures(ImaginePrompt):
            yield Named(name, _quoted(value))
        elif name == "controls":
            yield from _controls(value)
        elif name == "reference_images":
            for each in [value] if isinstance(value, str) else value:
                yield Named(name, _quoted(each))
        elif name == "image_prompts":
            yield from _image_prompts(value)
        elif name == "text_encoders":
            for each in [value] if isinstance(value, str) else value:
                yield from _model(name, str(each))
        elif name in ROLE_OF:
            model = checks.parse_refiner(value)[0] if name == "refiner" else str(value)
            yield from _model(name, model)
        elif name == "enhance":
            for each in [value] if isinstance(value, str) else value:
                yield Named(name, _quoted(each))


def _loras(
    fields: Mapping[str, Any], given: Collection[str], prompt: PromptText
) -> Iterator[Named]:
    named = {"loras": loras("loras", fields.get("loras", ()))}
    if "prompt" not in given:
        texts = weighted_prompts(prompt, allow_blank=True)
        named["prompt"] = tuple(x for each in texts for x in loras_in(each.text))
    for name in named.keys() - {*given}:
        for lora in named[name]:
            try:
                row = locate_adapter(lora.name)
            except UnknownModelError:
                continue
            if not row.is_known:
                source = adapter_source(row)
                what = _quoted(lora.name) + (f" from {source}" if source else "")
                yield Named("loras", what)


def _controls(value: Any) -> Iterator[Named]:
    """Yield the controls that lie in no folder, and the images of their own."""
    for each in [value] if isinstance(value, str | Mapping) else value:
        name, image = said_of(each)
        listed = find(CONTROL, name) if name else None
        if isinstance(listed, ControlRow) and not control_on_disk(lying(listed)):
            yield Named("controls", f"{_quoted(name)} from {source_of(listed)}")
        elif name and name.lower() in KINDS:  # which are recorded by other names
            yield Named("controls", _quoted(name))
        try:
            row = locate_adapter(name, shelf=CONTROLS) if name and not listed else None
        except UnknownModelError:
            row = None
        if row is not None and not row.is_known:
            source = adapter_source(row)
            yield Named(
                "controls", _quoted(name) + (f" from {source}" if source else "")
            )
        if image is not None:
            yield Named("controls", _quoted(image))


def _image_prompts(value: Any) -> Iterator[Named]:
    """Yield the images, the masks that are no words, and IP-Adapters in no folder."""
    for each in [value] if isinstance(value, str | Mapping) else value:
        image, mask, adapter = images_of(each)
        pictures = [image, mask] if mask and not is_words(mask) else [image]
        yield from (Named("image_prompts", _quoted(part)) for part in pictures)
        listed = find(IMAGE_PROMPT, adapter) if adapter else None
        if isinstance(listed, ImagePromptRow):
            if not image_prompts.image_prompt_on_disk(image_prompts.lying(listed)):
                said = f"{_quoted(adapter)} from {source_of(listed)}"
                yield Named("image_prompts", said)
            continue
        try:
            row = locate_adapter(adapter, shelf=IMAGE_ADAPTERS) if adapter else None
        except UnknownModelError:
            row = None
        if row is not None and not row.is_known:
            source = adapter_source(row)
            said = _quoted(adapter) + (f" from {source}" if source else "")
            yield Named("image_prompts", said)


def _model(field: str, name: str) -> Iterator[Named]:
    role = ROLE_OF[field]
    if _is_at_hand(role, name):
        return
    try:
        source = source_of(locate(role, name))
    except UnknownModelError:
        return
    yield Named(field, _quoted(name) + (f" from {source}" if source else ""))


def _is_at_hand(role: str, name: str) -> bool:
    """Tell whether a name is the catalog's, and all of that model on this machine."""
    row = find(role, name)
    if row is None:
        return False
    is_there = isinstance(row.weights, NoWeights) or on_disk(row) is not None
    return is_there and (not row.over or _is_at_hand(DRAWS, row.over))


def _quoted(name: object) -> str:
    """Return a name on one line, so that it says nothing but itself."""
    return f"'{shortened(str(name), MOST_SHOWN)}'"
