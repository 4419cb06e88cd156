"""What shells offer for the values of options; click asks while somebody types."""

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from imaginairy import checks
from imaginairy.checks import Choice
from imaginairy.plugins import plugin_names
from imaginairy.samplers import SAMPLERS
from imaginairy.sources.catalog import models_for
from imaginairy.sources.roles import DRAWS, ROLES

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def any_of(words: Iterable[tuple[str, str]], *, or_file: bool = False) -> Complete:
    """Offer words, each with a line about it, and files where these are possible."""
    offered = list(words)

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        files = [CompletionItem(incomplete, type="file")] if or_file else []
        return files + [
            CompletionItem(word, help=about or None)
            for word, about in offered
            if word.startswith(incomplete.lower())
        ]

    return complete


def any_model(role: str) -> Complete:
    """Offer the models that are known for a role, and files."""
    known = ((spec.name, spec.summary) for spec in models_for(role))
    return any_of(known, or_file=True)


def for_field(name: str, check: Any) -> Complete | None:
    """Return what is offered for a field of a prompt, or None."""
    if check is checks.enhancers:
        return any_of((each, "") for each in plugin_names())
    for role, row in ROLES.items():
        if name == row.option:
            return any_model(role)
    if check is checks.refiner:
        return any_model(DRAWS)
    if check is checks.sampler:
        return any_of((row.name, row.summary) for row in SAMPLERS.values())
    if check is checks.picture:
        return any_of((), or_file=True)
    if isinstance(check, Choice):
        return any_of((word, "") for word in check.words if word)
    return None
