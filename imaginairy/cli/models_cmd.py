"""`aimg models`: which models there are."""

import click

from imaginairy.cli.completion import for_field
from imaginairy.cli.run import reporting_errors
from imaginairy.models.catalog import MODELS, BundledFolder, HubFile, ModelSpec


@click.command("models")
@click.argument("name", required=False, shell_complete=for_field("model", None))
@reporting_errors
def models_cmd(name: str | None) -> None:
    """List the models known by name, their size, and whether they are on disk.

    With the NAME of a model, its path, or its owner/repo on the hub, say what there is
    to know of it: what it is, where it lies, and, of a model that knows few words,
    which.
    """
    if name is not None:
        from imaginairy.cli.model_page import model_page

        click.echo("\n".join(model_page(name)))
        return
    rows = [("NAME", "SIZE", "ON DISK", "WHAT IT IS", "LICENCE")]
    rows += [
        (spec.name, *size_and_place(spec), spec.summary, spec.licence)
        for spec in MODELS
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
    click.echo(
        "\nAny other Stable Diffusion 1.x model works by its path or as owner/repo."
    )


def size_and_place(spec: ModelSpec) -> tuple[str, str]:
    """Return how large a model is, and whether it is on this machine."""
    weights = spec.weights
    if isinstance(weights, BundledFolder):
        files = [file for file in weights.path.rglob("*") if file.is_file()]
        return readable(sum(file.stat().st_size for file in files)), "bundled"
    assert isinstance(weights, HubFile)
    from imaginairy.models import hub

    return (
        readable(weights.size) if weights.size else "?",
        "yes" if hub.cached(weights) else "no",
    )


def readable(size: int) -> str:
    """Return a number of bytes as people read it."""
    if size < 1e6:
        return f"{size / 1e3:,.0f} kB"
    return f"{size / 1e6:,.0f} MB" if size < 1e9 else f"{size / 1e9:,.2f} GB"
