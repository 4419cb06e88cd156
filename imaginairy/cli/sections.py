"""`--help` in sections: what an option is about decides where it stands."""

import copy
import re
from collections.abc import Collection, Sequence
from typing import Any, get_args

import click

from imaginairy.aliases import OPPOSITES, as_fields
from imaginairy.cli.usage import PlainCommand
from imaginairy.errors import BadOptionError
from imaginairy.fields import Section

LAST: Section = "Logging and help"
OTHER = "Other"
"""What has no section comes after all that have one."""
SECTIONS = (*get_args(Section), OTHER)

MEANT = {
    "--hires": "There is no second pass over an enlarged image (hires fix) yet; "
    "--upscale makes the finished image larger.",
    "--scheduler": "Some tools call the sampler a scheduler, others the noise "
    "schedule; give --sampler or --schedule.",
    "--strength": "Say which strength: --denoising-strength for how much of the init "
    "image is changed, --init-image-strength for how much of it stays.",
}
"""Options of other tools that could mean several things, or that nothing here is."""
MEANT |= {"--hires-fix": MEANT["--hires"]}


OPTION = re.compile(r"--\w[\w-]+")
UNBROKEN = "\u2011"
"""Stands for the hyphens of an option while help is broken into lines."""


class SectionedOption(click.Option):
    """An option that knows where in `--help` it stands.

    Args:
        also: more names, which stand behind its help and not before it.
        section: where it is shown.
        after: the parameter of its section that it is shown behind; by default they
            are shown in their own order.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        also: Sequence[str] = (),
        section: Section | None = None,
        after: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__([*names, *also], **settings)
        self.also, self.section, self.after = also, section, after

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the names and the help, as click lays them out."""
        shown = copy.copy(self)
        shown.opts = [name for name in self.opts if name not in self.also]
        if self.also:
            shown.help = f"{self.help} Also: {', '.join(self.also)}."
        return super(SectionedOption, shown).get_help_record(ctx)


def _dashed(word: str, known: Collection[str]) -> str:
    """Return an option that is written with underscores as it is known."""
    name, sign, value = word.partition("=")
    dashed = name.replace("_", "-")
    is_other = word.startswith("--") and name not in known and dashed in known
    return f"{dashed}{sign}{value}" if is_other else word


class SectionedCommand(PlainCommand):
    """A command that takes the options of `imagine` and shows them by section."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; those that only other tools have become ours.

        Some tools write options with underscores, as `--clip_l`.
        """
        known = {name for each in self.params for name in each.opts}
        try:
            rest = super().parse_args(ctx, [_dashed(word, known) for word in args])
        except click.NoSuchOption as error:
            if error.option_name in MEANT:
                raise click.UsageError(MEANT[error.option_name], ctx) from error
            raise
        ctx.params.update(_ours(ctx))
        return rest

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the options, section by section."""
        params = [
            each for each in self.get_params(ctx) if isinstance(each, click.Option)
        ]
        for title in SECTIONS:
            here = [param for param in params if _section(param) == title]
            _write(title, _in_order(here), ctx, formatter)


def _ours(ctx: click.Context) -> dict[str, Any]:
    """Return the fields that are set by an option counted the other way."""
    names = [name for pair in OPPOSITES.items() for name in pair]
    try:
        return as_fields({name: ctx.params.get(name) for name in names})
    except BadOptionError as error:
        raise click.UsageError(str(error), ctx) from error


def _section(param: click.Option) -> str:
    if "--help" in param.opts:
        return LAST
    return getattr(param, "section", None) or OTHER


def _in_order(params: list[click.Option]) -> list[click.Option]:
    """Put those behind another that say so."""
    behind = {
        param: after for param in params if (after := getattr(param, "after", None))
    }
    placed = [param for param in params if param not in behind]
    for param, after in behind.items():
        names = [each.name for each in placed]
        place = names.index(after) + 1 if after in names else len(placed)
        placed.insert(place, param)
    return placed


def _write(
    title: str,
    params: list[click.Option],
    ctx: click.Context,
    formatter: click.HelpFormatter,
) -> None:
    records = [record for param in params if (record := param.get_help_record(ctx))]
    if not records:
        return
    whole = [
        (names, OPTION.sub(lambda found: found[0].replace("-", UNBROKEN), text))
        for names, text in records
    ]
    with formatter.section(title):
        formatter.write_dl(whole)
    formatter.buffer = [part.replace(UNBROKEN, "-") for part in formatter.buffer]
