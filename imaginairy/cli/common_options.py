"""Options that several commands have, each written once."""

import os

import click

from imaginairy.cli.completion import any_model, any_of
from imaginairy.cli.options import Decorator
from imaginairy.cli.paths import NamedPath
from imaginairy.cli.sections import SectionedOption
from imaginairy.precision import PRECISIONS, VARIABLE
from imaginairy.urls import ALLOW_PRIVATE

WIDE = {"max_content_width": 100}
"""The settings of commands whose help is wider than click's usual 80 columns."""
OUTDIR = "outputs"
EXTENSIONS = click.Choice(["jpg", "png"])

outdir_option = click.option(
    "--outdir", cls=SectionedOption, section="Output", default=OUTDIR,
    show_default=True, type=NamedPath(),
    help="Folder to save images in.",
)  # fmt: skip
device_option = click.option(
    "--device", cls=SectionedOption, section="Model",
    help="cuda, mps or cpu; the fastest there is by default.",
)  # fmt: skip

precision_option = click.option(
    "--precision", cls=SectionedOption, section="Model", default=PRECISIONS[0],
    show_default=True, envvar=VARIABLE, show_envvar=True,
    type=click.Choice(PRECISIONS),
    help="autocast computes in half precision on CUDA (fp16) and on CPUs with units "
    "for it (bf16), full in float32.",
)  # fmt: skip


def _allow_private(context: click.Context, _: click.Parameter, given: bool) -> None:
    """Set the variable that is asked for as long as the command runs.

    That ends with the outermost context; this one is not closed where what follows
    cannot be read.
    """
    if not given:
        return
    before = os.environ.get(ALLOW_PRIVATE)

    def take_back() -> None:
        if before is None:
            os.environ.pop(ALLOW_PRIVATE, None)
        else:
            os.environ[ALLOW_PRIVATE] = before

    os.environ[ALLOW_PRIVATE] = "1"
    context.find_root().call_on_close(take_back)


private_urls_option = click.option(
    "--allow-private-urls", cls=SectionedOption, section="Editing",
    is_flag=True, expose_value=False, callback=_allow_private,
    help="Also fetch images from this machine and from networks that are not public.",
)  # fmt: skip
files_argument = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...",
    shell_complete=any_of((), or_file=True),
)  # fmt: skip

yes_option = click.option(
    "--yes", cls=SectionedOption, section="Output", is_flag=True,
    help="Write over what is at OUT.",
)  # fmt: skip

ON_HUB = "path, or owner/repo on the hub"
"""Ways to name a model of many files."""


def quiet_option(but: str = "errors") -> Decorator:
    """Return `--quiet`, which leaves nothing but what is named."""
    return click.option(
        "-q", "--quiet", cls=SectionedOption, section="Logging and help", is_flag=True,
        help=f"Say nothing but {but}.",
    )  # fmt: skip


def model_option(flag: str, role: str, ways: str = "or the path of one") -> Decorator:
    """Return an option that names a model of a role."""
    from imaginairy.sources.roles import ROLES

    noun = ROLES[role].noun
    article = "An" if noun[0] in "aeiou" else "A"
    return click.option(
        flag, help=f"{article} {noun}'s name, {ways}.", shell_complete=any_model(role)
    )


def extension_option(note: str) -> Decorator:
    """Return the option of how pictures made from files are saved."""
    return click.option(
        "--output-file-extension", "extension", type=EXTENSIONS,
        help="File format of the images: as each FILE is by default, or png where it "
        f"is neither; {note}.",
    )  # fmt: skip
