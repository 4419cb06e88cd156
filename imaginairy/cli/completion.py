"""What shells offer for the values of options; click asks while somebody types."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from imaginairy import checks
from imaginairy.checks import Choice
from imaginairy.control import controls
from imaginairy.embedding import embeddings
from imaginairy.hypernetwork import hypernetworks
from imaginairy.image_prompt import image_prompts
from imaginairy.lora import loras
from imaginairy.plugins import plugin_names
from imaginairy.references import reference_images
from imaginairy.samplers import SAMPLERS
from imaginairy.text_encoder import text_encoders

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete: TypeAlias = (
    "Callable[[click.Context, click.Parameter, str], list[CompletionItem]]"
)


Words = Iterable[tuple[str, str]]
"""Words, each with a line about it."""


def any_of(words: Words | Callable[[], Words], *, or_file: bool = False) -> Complete:
    """Offer words, or what gives them, and files where these are possible."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        offered = words() if callable(words) else words
        files = [CompletionItem(incomplete, type="file")] if or_file else []
        return files + [
            CompletionItem(word, help=about or None)
            for word, about in offered
            if word.lower().startswith(incomplete.lower())
        ]

    return complete


def any_model(role: str) -> Complete:
    """Offer the models that are known for a role, and files."""

    def known() -> Words:
        from imaginairy.sources.catalog import models_for

        return [(spec.name, spec.summary) for spec in models_for(role)]

    return any_of(known, or_file=True)


def any_adapter(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Offer the adapters in the folders that are searched, and files."""

    def found() -> Words:
        from imaginairy.sources.adapter_folders import files
        from imaginairy.sources.locate import existing

        model = context.params.get("model")
        beside = existing(str(model)) if model else None
        return [(name, str(path.parent)) for name, path in files(beside)]

    return any_of(found, or_file=True)(context, parameter, incomplete)


def any_control(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Offer kinds of hints, the controls there are, and files.

    They are those for the model's family where that is known by name.
    """

    def known() -> Words:
        from imaginairy.sources.adapter_folders import files
        from imaginairy.sources.catalog import find
        from imaginairy.sources.control_rows import CONTROL_ROWS
        from imaginairy.sources.locate import existing
        from imaginairy.sources.roles import DEFAULT_MODEL, DRAWS
        from imaginairy.sources.shelves import CONTROLS

        model = str(context.params.get("model") or DEFAULT_MODEL)
        drawn_by = find(DRAWS, model)
        rows = [
            row
            for row in CONTROL_ROWS
            if drawn_by is None or row.family == drawn_by.family
        ]
        kinds = dict.fromkeys(kind for row in rows for kind in row.hints)
        found = files(existing(model), CONTROLS)
        return [
            *((kind, "the first control for that") for kind in kinds),
            *((row.name, row.summary) for row in rows),
            *((name, str(path.parent)) for name, path in found),
        ]

    return any_of(known, or_file=True)(context, parameter, incomplete)


def any_model_of(option: str) -> Complete:
    """Offer the models that an option can name, and files."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        from imaginairy.sources.roles import ROLES

        role = next(name for name, row in ROLES.items() if row.option == option)
        return any_model(role)(context, parameter, incomplete)

    return complete


def for_field(name: str, check: Any) -> "Complete | None":
    """Return what is offered for a field of a prompt, or None."""
    if check is checks.enhancers:
        return any_of(lambda: [(each, "") for each in plugin_names()])
    if check in (checks.model, text_encoders):
        return any_model_of(name)
    if check in (loras, embeddings, hypernetworks):
        return any_adapter
    if check is controls:
        return any_control
    if check is checks.refiner:
        return any_model_of("model")
    if check is checks.sampler:
        return any_of([(row.name, row.summary) for row in SAMPLERS.values()])
    if check in (checks.picture, image_prompts, reference_images):
        return any_of((), or_file=True)
    if isinstance(check, Choice):
        return any_of([(word, "") for word in check.words if word])
    return None
