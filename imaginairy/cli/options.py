"""Click options made from the fields of a prompt, so that each fact stands once."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import click

from imaginairy import checks
from imaginairy.checks import Number
from imaginairy.cli.completion import for_field
from imaginairy.cli.sections import SectionedOption
from imaginairy.fields import Option, options
from imaginairy.schema import ImaginePrompt

Decorator: TypeAlias = Callable[[Any], Any]
"""What adds to a command."""


def prompt_options(of: type = ImaginePrompt) -> Decorator:
    """Return what adds an option for every field that has a section of `--help`.

    Args:
        of: the class whose fields they are.
    """
    added = [
        each
        for name, row in options(of).items()
        if row.section
        for each in _added(name, row)
    ]

    def add(command: Any) -> Any:
        for each in reversed(added):
            command = each(command)
        return command

    return add


def given(values: dict[str, Any], of: type = ImaginePrompt) -> dict[str, Any]:
    """Keep the prompt fields that the user set; the rest is decided elsewhere."""
    return {
        name: values[name] for name in options(of) if values.get(name) not in (None, ())
    }


def spellings(name: str, row: Option) -> tuple[str, ...]:
    """Return what can be typed for a field; of a switch, what turns it on."""
    return (*_short(row), *map(dashed, row.names(name)))


def _short(row: Option) -> tuple[str, ...]:
    return (f"-{row.short}",) if row.short else ()


def dashed(name: str) -> str:
    """Return the option of a name."""
    return f"--{name.replace('_', '-')}"


def _added(name: str, row: Option) -> Iterator[Decorator]:
    """Yield a field's own option and those that are another way to say it."""
    long, *also = map(dashed, row.names(name))
    off = f"/--no-{long[2:]}" if row.check is checks.flag else ""
    yield click.option(
        *_short(row),
        long + off,
        name,
        cls=SectionedOption,
        also=also,
        section=row.section,
        after=row.after,
        type=_type(row.check),
        default=None,
        multiple=isinstance(row.default, tuple),
        help=_help(row),
        shell_complete=for_field(name, row.check),
    )
    for shortcut in row.shortcuts:
        yield click.option(
            dashed(shortcut.name),
            name,
            cls=SectionedOption,
            also=[dashed(alias) for alias in shortcut.also],
            section=row.section,
            type=_type(row.check),
            flag_value=shortcut.value,
            help=f"The same as {long} {shortcut.value}.",
        )
    if row.opposite:
        yield click.option(
            dashed(row.opposite.name),
            cls=SectionedOption,
            section=row.section,
            type=_type(row.check),
            help=row.opposite.help,
        )


def _type(check: Any) -> type:
    if isinstance(check, Number):
        return int if check.whole else float
    return bool if check is checks.flag else str


def _help(row: Option) -> str:
    if row.default in (None, "", 0.0, ()):
        return row.help
    return f"{row.help}  [default: {'on' if row.default is True else row.default}]"
