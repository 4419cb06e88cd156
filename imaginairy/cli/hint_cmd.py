"""`aimg hint`: pictures that steer, made of other pictures."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

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
from imaginairy.errors import BadOptionError
from imaginairy.hints.options import told_options

F = TypeVar("F", bound=Callable[..., Any])


def _kinds() -> Iterable[tuple[str, str]]:
    """Return the kinds of hints, each with a line about it."""
    from imaginairy.hints.table import HINTS

    return [(kind.name, kind.says) for kind in HINTS.values()]


def _number_options(command: F) -> F:
    """Give a command an option for each number that kinds of hints take."""
    for name, option, says in reversed([*told_options()]):
        kind = int if option.whole else float
        command = click.option(f"--{name}", type=kind, help=says)(command)
    return command


@click.command("hint", context_settings=WIDE)
@files_argument
@click.argument("kinds", metavar="KIND[,KIND...]", shell_complete=any_of(_kinds))
@_number_options
@click.option(
    "--hint-model", metavar="NAME",
    help="depth, normal, softedge, segmentation, pose: what finds them, a model's "
    "name, the path of a file or of a folder saved by transformers, or owner/repo; the "
    "published one of its kind by default.",
)  # fmt: skip
@click.option(
    "--person-model", metavar="NAME",
    help="pose: what finds the people whose joints are looked for, named likewise; "
    "rtdetr-r50 by default.",
)  # fmt: skip
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
    person_model: str | None,
    **options: Any,
) -> None:
    """Make hints of each FILE, a path or a web address: pictures that steer others.

    KIND is canny, lines, scribble, depth, normal, softedge, segmentation, pose,
    blur, tile, colours, shuffle or invert, or several of them with commas between.
    Hints are as large as FILE and white on black where they are lines. A FILE that
    cannot be used is reported and the others are done all the same; the exit code is
    not 0 then.
    """
    show_log(quiet=quiet)

    from imaginairy.hints.make import make_hint
    from imaginairy.hints.table import HINTS, shared_options
    from imaginairy.images import upright_rgb
    from imaginairy.lazy_image import LazyLoadingImage
    from imaginairy.log import log
    from imaginairy.metadata.afterwards import HINT, with_step
    from imaginairy.places import require_places

    given = {name: options.pop(name) for name, _, _ in told_options()}
    asked = shared_options(
        _listed(kinds), {name: one for name, one in given.items() if one is not None}
    )
    finders = _named_finders(asked, hint_model, person_model)
    find = _finder(finders)
    provenance = asked_provenance(options)
    require_places([outdir])

    def work(file: str) -> None:
        opened = LazyLoadingImage.of(file)
        before = upright_rgb(opened.as_pillow())
        for kind, settled in asked.items():
            image = make_hint(kind, before, before.size, find, **settled)
            noted = zip(("model", "person_model"), HINTS[kind].roles, strict=False)
            by = {name: finders[role] for name, role in noted}
            image = with_step(image, before, done=HINT, kind=kind, **settled, **by)
            path = saved(image, opened, file, outdir, extension, kind, provenance)
            log.info("saved %s, %dx%d", path, *image.size)

    each_file(files, work)


def _one(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _listed(kinds: str) -> list[str]:
    """Return kinds that stand with commas between.

    Raises:
        BadOptionError: there is none beside a comma.
    """
    names = [name.strip() for name in kinds.split(",")]
    if len(names) > 1 and not all(names):
        raise BadOptionError(
            f"'{kinds}' has a comma with no kind of hint beside it; give kinds as "
            "canny,blur."
        )
    return names


def _named_finders(
    kinds: Iterable[str], hint_model: str | None, person_model: str | None
) -> dict[str, str]:
    """Return which model of each role that kinds of hints need is to find them.

    Raises:
        BadOptionError: one is named and none is needed, or more than one.
    """
    from imaginairy.hints.table import HINTS
    from imaginairy.sources.roles import ROLES

    shown, rows = ", ".join(kinds), [HINTS[kind] for kind in kinds]
    finds = dict.fromkeys(row.role for row in rows if row.role)
    before = dict.fromkeys(row.after for row in rows if row.after)
    named: dict[str, str] = {}
    for option, name, roles in (
        ("--hint-model", hint_model, finds),
        ("--person-model", person_model, before),
    ):
        if name is not None and not roles:
            raise BadOptionError(
                f"No such model finds {shown}, so {option} has nothing to do; leave it "
                "out."
            )
        if name is not None and len(roles) > 1:
            nouns = " and ".join(_one(ROLES[role].noun) for role in roles)
            raise BadOptionError(
                f"{option} names one model, and {shown} are found by {nouns}; "
                "make them one by one."
            )
        named |= {role: name or ROLES[role].published for role in roles}
    return named


def _finder(models: Mapping[str, str]) -> Any:
    """Return what gives the models that find hints, which are looked for at once."""
    from imaginairy.models.store import ModelStore

    if not models:
        return None
    store = ModelStore()
    for role, name in models.items():
        store.check(role, name)
    return lambda role: store.companion(role, models[role])
