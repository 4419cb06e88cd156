"""`aimg models`: which models there are, and which is used where none is named."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from imaginairy.cli.columns import columns, grouped, readable, table, wrapped
from imaginairy.cli.completion import any_model
from imaginairy.cli.listed_controls import (
    controls_by_family,
    controls_found,
    lines_of_controls,
)
from imaginairy.cli.model_page import size_and_place
from imaginairy.cli.run import reporting_errors, say
from imaginairy.errors import HubUnreachableError
from imaginairy.families.table import FAMILIES, listed
from imaginairy.sources.catalog import models_for
from imaginairy.sources.own_default import (
    VARIABLE,
    own_default,
    save_default,
    saved_default,
)
from imaginairy.sources.roles import (
    DEFAULT_MODEL,
    DRAWS,
    IMAGE_PROMPT,
    ROLES,
    TEXT_ENCODER,
    VAE,
)
from imaginairy.sources.rows import HubRepo, LocalPath, ModelRow

if TYPE_CHECKING:
    from imaginairy.models.known_adapters import KnownAdapter

ABOUT = "about"
complete_model = any_model(DRAWS)


class ModelsGroup(click.Group):
    """Takes what is none of its commands for the name of a model to tell about."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant."""
        if args and args[0] not in self.commands:
            args = [ABOUT, *args]
        return super().resolve_command(ctx, args)

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Offer the commands, and the models that `about` takes."""
        about = self.commands[ABOUT]
        return [
            *super().shell_complete(ctx, incomplete),
            *complete_model(ctx, about.params[0], incomplete),
        ]


@click.group(
    "models",
    cls=ModelsGroup,
    invoke_without_command=True,
    subcommand_metavar="[NAME | COMMAND [ARGS]...]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
@reporting_errors
def models_cmd(context: click.Context, /, as_json: bool) -> None:
    """List the models known by name, by family, and whether they are on disk.

    These are the models that generate, VAEs and IP-Adapters for them, controls
    (ControlNets, T2I-Adapters), and the adapters (LoRAs, learned words) and controls in
    your folders.
    With the NAME of a model, its path, or its owner/repo on the hub, say what there is
    to know of it: what it is, where it lies, and, of a model that knows few words,
    which.
    """
    if context.invoked_subcommand is not None:
        if as_json and context.invoked_subcommand != ABOUT:
            raise click.UsageError("--json goes with the list, or with a NAME.")
        return
    families = by_family()
    if as_json:
        from imaginairy.cli.model_page import plain_facts

        listing = [
            {"family": title, "models": [plain_facts(spec) for spec in specs]}
            for title, specs in families.items()
        ]
        controls = [
            {"family": title, "controls": [plain_facts(row) for row in rows]}
            for title, rows in controls_by_family().items()
        ]
        said = {
            "default": said_default(),
            "families": listing,
            "adapters": [each.facts() for each in adapters_here()],
            "controls": controls,
            "controls_found": [each.facts() for each in controls_found()],
        }
        click.echo(json.dumps(said))
        return
    head = ("NAME", "SIZE", "ON DISK", "WHAT IT IS", "LICENCE")
    rows = {
        title: [
            (spec.name, *size_and_place(spec), described(spec), spec.licence)
            for spec in specs
        ]
        for title, specs in families.items()
    }
    width = columns()
    say("\n".join(grouped(head, rows, width)))
    say("\n".join(["", *lines_of_controls(width)]))
    if lines := [*lines_of_adapters(width)]:
        say("\n".join(["", *lines]))
    click.echo()
    say(wrapped("", f"Without --model: {said_default()}.", width))
    kinds = listed([family.title for family in FAMILIES], "or")
    others = f"Any other {kinds} model works by its path or as owner/repo."
    say(wrapped("", others, width))


def adapters_here() -> "list[KnownAdapter]":
    """Return the adapters in the user's folders, and beside the default model."""
    from imaginairy.models.known_adapters import known_adapters
    from imaginairy.sources.locate import existing

    own = own_default()
    return [*known_adapters(existing(own.name) if own else None)]


def lines_of_adapters(width: int | None) -> Iterator[str]:
    """Yield the lines about the adapters that are found; none where none are."""
    rows = [
        (
            each.name,
            readable(each.size),
            each.kind or "not said",
            each.family or "not said",
            ", ".join(each.words),
        )
        for each in adapters_here()
    ]
    if rows:
        title = "Adapters, for --lora or, learned words, in the prompt:"
        yield wrapped("", title, width)
        yield from table([("NAME", "SIZE", "KIND", "FOR", "ANSWERS TO"), *rows], width)


def by_family() -> dict[str, list[ModelRow]]:
    """Return the models that generate, and VAEs, text encoders and IP-Adapters for
    them, by the title of a family."""
    roles = (DRAWS, VAE, TEXT_ENCODER, IMAGE_PROMPT)
    rows = [row for role in roles for row in models_for(role)]
    families = sorted(FAMILIES, key=lambda family: family.name)
    found = {
        family.title: [row for row in rows if row.family == family.name]
        for family in families
    }
    return {title: specs for title, specs in found.items() if specs}


def described(spec: ModelRow) -> str:
    """Say what a model is, and what it is for where it does not generate."""
    role = "" if spec.role == DRAWS else f"{ROLES[spec.role].noun}: "
    return f"{role}{spec.summary}"


@models_cmd.command(ABOUT)
@click.argument("name", shell_complete=complete_model)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
@reporting_errors
def about_cmd(context: click.Context, /, name: str, as_json: bool) -> None:
    """Say what there is to know of a model; `aimg models NAME` for short."""
    from imaginairy.cli.model_page import meant, model_page, plain_facts

    if as_json or (context.parent and context.parent.params.get("as_json")):
        click.echo(json.dumps(plain_facts(meant(name))))
    else:
        say("\n".join(model_page(name)))


@models_cmd.command("default")
@click.argument("name", required=False, shell_complete=complete_model)
@click.option("--unset", is_flag=True, help="Go back to the one that comes first.")
@reporting_errors
def default_cmd(name: str | None, unset: bool) -> None:
    """Say which model is used where none is named, or make NAME that one.

    NAME is kept in your folder of settings; it is a name, a path, or owner/repo on the
    hub. The environment variable IMAGINAIRY_MODEL wins over it. A model of your own is
    used or refused: the bundled one never takes its place.
    """
    if unset and name is not None:
        raise click.UsageError("Give a NAME or --unset, not both.")
    if unset:
        save_default(None)
    elif name is not None:
        save_default(checked(name))
    say(said_default())
    own, saved = own_default(), saved_default()
    if own and own.place == VARIABLE and name is not None and own.name != saved:
        say(f"Note: {saved} is kept, but {VARIABLE} wins over it.", err=True)


def said_default() -> str:
    """Name the model that is used where none is named, and who says so."""
    own = own_default()
    if own is not None:
        return f"{own.name}, as {own.place} says"
    return f"{DEFAULT_MODEL}, or the bundled model where that cannot be had"


def checked(name: str) -> str:
    """Return a model's name as it is kept, good in every folder, if there is a model.

    Raises:
        UnknownModelError: nothing goes by that name.
        CheckpointError: what lies there is no model.
        DownloadError: the hub does not give it.
    """
    from imaginairy.models.loading import opened
    from imaginairy.sources import hub
    from imaginairy.sources.locate import locate, named

    spec = locate(DRAWS, named(name))
    match spec.weights:
        case LocalPath():
            opened(spec)
        case HubRepo(repo, revision):
            try:
                hub.repo_files(repo, revision)
            except HubUnreachableError:
                pass  # it can only be asked for when it is used
    return spec.name
