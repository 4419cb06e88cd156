"""`aimg hint`: pictures that steer, made of other pictures."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from imaginairy.cli.common_options import (
    WIDE,
    extension_option,
    files_argument,
    outdir_option,
    private_urls_option,
    quiet_option,
)
from imaginairy.cli.completion import any_of
from imaginairy.cli.files import each_file, saved
from imaginairy.cli.provenance import asked_provenance, provenance_options
from imaginairy.cli.run import reporting_errors, show_log

NUMBERS = ("low", "high", "sigma", "cell", "seed")
"""The options that kinds of hints take, under their own names."""


def _kinds() -> Iterable[tuple[str, str]]:
    """Return the kinds of hints, each with a line about it."""
    from imaginairy.hints.table import HINTS

    return [(kind.name, kind.says) for kind in HINTS.values()]


@click.command("hint", context_settings=WIDE)
@files_argument
@click.argument("kinds", metavar="KIND[,KIND...]", shell_complete=any_of(_kinds))
@click.option(
    "--low", type=float,
    help="canny, scribble: how steep an edge has to be to go on from a sure one; 100 "
    "and 40 by default.",
)  # fmt: skip
@click.option(
    "--high", type=float,
    help="canny, scribble: how steep an edge has to be to be sure; 200 and 80 by "
    "default.",
)  # fmt: skip
@click.option("--sigma", type=float, help="blur: its pixels; 8 by default.")
@click.option(
    "--cell", type=int, help="colours: pixels of a square's side; 64 by default."
)
@click.option(
    "--hint-model", metavar="NAME",
    help="depth, normal: what finds them, a model's name, the path of a folder saved "
    "by transformers, or owner/repo; depth-anything-v2-small by default.",
)  # fmt: skip
@click.option("--seed", type=int, help="shuffle: decides the chance; 0 by default.")
@outdir_option
@extension_option("jpg blurs thin lines")
@provenance_options()
@private_urls_option
@quiet_option()
@reporting_errors
def hint_cmd(
    files: tuple[str, ...],
    kinds: str,
    outdir: Path,
    extension: str | None,
    quiet: bool,
    hint_model: str | None,
    **options: Any,
) -> None:
    """Make hints of each FILE, a path or a web address: pictures that steer others.

    KIND is canny, lines, scribble, depth, normal, blur, tile, colours, shuffle or
    invert, or several of them with commas between. Hints are as large as FILE and
    white on black where they are lines. A FILE that cannot be used is reported and the
    others are done all the same; the exit code is not 0 then.
    """
    show_log(quiet=quiet)

    from imaginairy.hints.make import make_hint
    from imaginairy.hints.table import HINTS, shared_options
    from imaginairy.images import upright_rgb
    from imaginairy.lazy_image import LazyLoadingImage
    from imaginairy.log import log
    from imaginairy.metadata.afterwards import HINT, with_step
    from imaginairy.places import require_places
    from imaginairy.sources.roles import ROLES

    given = {name: options.pop(name) for name in NUMBERS}
    asked = shared_options(
        kinds.split(","),
        {k: v for k, v in given.items() if v is not None},
    )
    find = _finder(hint_model, asked)
    provenance = asked_provenance(options)
    require_places([outdir])

    def work(file: str) -> None:
        opened = LazyLoadingImage.of(file)
        before = upright_rgb(opened.as_pillow())
        for kind, settled in asked.items():
            image = make_hint(kind, before, before.size, find, **settled)
            role = HINTS[kind].role
            by = {"model": hint_model or ROLES[role].published} if role else {}
            image = with_step(image, before, done=HINT, kind=kind, **settled, **by)
            path = saved(image, opened, file, outdir, extension, kind, provenance)
            log.info("saved %s, %dx%d", path, *image.size)

    each_file(files, work)


def _finder(name: str | None, kinds: Iterable[str]) -> Any:
    """Return what gives the models that find hints, which are looked for at once.

    Raises:
        BadOptionError: one is named and none is needed.
    """
    from imaginairy.errors import BadOptionError
    from imaginairy.hints.table import HINTS
    from imaginairy.models.store import ModelStore
    from imaginairy.sources.roles import ROLES

    roles = {role for kind in kinds if (role := HINTS[kind].role) is not None}
    if not roles:
        if name is not None:
            raise BadOptionError(
                f"No model finds {', '.join(kinds)}, so --hint-model has nothing to "
                "do; leave it out."
            )
        return None
    store = ModelStore()
    for role in roles:
        store.check(role, name or ROLES[role].published)
    return lambda role: store.companion(role, name or ROLES[role].published)
