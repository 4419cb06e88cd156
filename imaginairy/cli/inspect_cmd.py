"""`aimg inspect`: what a file of weights is, before it is used."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from imaginairy.cli.columns import readable
from imaginairy.cli.completion import any_model
from imaginairy.cli.model_page import table
from imaginairy.cli.run import reporting_errors, say, show_log
from imaginairy.errors import BadOptionError, CheckpointError, UnknownModelError
from imaginairy.families.control_facts import said_of_control
from imaginairy.sources.roles import DRAWS

if TYPE_CHECKING:
    from imaginairy.models.inspection import Inspected

NOT_SAID = "not said: the model is asked when it is first used"
FEW = 0.001
"""The share of all parameters that a type must have to be shown."""


@click.command("inspect")
@click.argument(
    "name", metavar="FILE|FOLDER|OWNER/REPO", shell_complete=any_model(DRAWS)
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@reporting_errors
def inspect_cmd(name: str, as_json: bool) -> None:
    """Say what a file of weights is, a model, a LoRA, a ControlNet, and for what.

    It is told by the names and shapes of its tensors and by its metadata; the tensors
    are not read, so files of any size take no time. Of a repository on the hub only
    what is in the cache is looked at.
    """
    show_log("warning")

    from imaginairy.models.inspection import inspected
    from imaginairy.sources.here import here, parts_here

    try:
        path, licence = here(name)
        found = inspected(path, parts_here(name))
    except (CheckpointError, UnknownModelError) as error:
        raise BadOptionError(plain(str(error))) from error
    if licence and not found.licence:
        found = replace(found, licence=licence)
    if as_json:
        click.echo(json.dumps(found.facts()))
    else:
        say("\n".join(map(plain, page(found))))


def plain(text: str) -> str:
    """Return text without what would command a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def page(found: "Inspected") -> Iterator[str]:
    """Yield the lines about a file."""
    yield found.path
    facts = {name: text for name, text in facts_of(found).items() if text}
    groups = {"": facts, "Its training:": found.training, "It says:": found.metadata}
    width = 2 + max(len(label) for rows in groups.values() for label in rows)
    for head, rows in groups.items():
        if head and rows:
            yield ""
            yield head
        yield from table(rows, width)


def facts_of(found: "Inspected") -> dict[str, str]:
    """Return what is the same for all files."""
    size = found.native_size
    return {
        "what it is": found.what,
        **said_of_control(found.control),
        "layout": found.layout,
        "predicts": found.prediction or (NOT_SAID if found.usable else ""),
        "noise": found.noise or "",
        "native size": f"{size[0]} x {size[1]} pixels" if size else "",
        "parameters": counted(found.parameters, found.parts),
        "precision": shares(found.precision),
        "size": readable(found.size),
        "licence": found.licence or "not said",
        "missing": " ".join(found.missing)
        or f"nothing: it can be drawn with, {found.use}",
    }


def counted(parameters: int, parts: Mapping[str, int]) -> str:
    """Return how many there are, and in which networks."""
    each = ", ".join(f"{title} {count:,}" for title, count in parts.items())
    return f"{parameters:,}" + (f" ({each})" if each else "")


def shares(precision: Mapping[str, int]) -> str:
    """Return the types of numbers, and how much of all is in each."""
    whole = sum(precision.values()) or 1
    share = {name: count / whole for name, count in precision.items()}
    many = {name: part for name, part in share.items() if part >= FEW} or share
    if len(many) == 1:
        return next(iter(many))
    return ", ".join(f"{name} {part:.1%}" for name, part in many.items())
