"""Commands that are imported when they are asked for, and listed without."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from imaginairy.cli.usage import PlainCommand, PlainGroup

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Commands(Mapping[str, click.Command]):
    """The commands of a group; `fix-faces` is `fix_faces_cmd`, in a module called so.

    Args:
        lines: their names, and what each does, as the first sentence of its help says.
    """

    def __init__(self, lines: Mapping[str, str]) -> None:
        self.lines = lines

    def __getitem__(self, name: str) -> click.Command:
        if name not in self.lines:
            raise KeyError(name)
        word = f"{name.replace('-', '_')}_cmd"
        command: click.Command = getattr(import_module(f"imaginairy.cli.{word}"), word)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)


class LazyGroup(PlainGroup):
    """A group that lists its commands without importing them.

    Args:
        commands: what it consists of.
    """

    def __init__(self, name: str, *, commands: Commands, **more: Any) -> None:
        super().__init__(name, commands=commands, **more)  # type: ignore[arg-type]
        self.listed = click.Group(
            commands={
                name: click.Command(name, help=line)
                for name, line in commands.lines.items()
            }
        )

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the list of commands."""
        self.listed.format_commands(ctx, formatter)

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> "list[CompletionItem]":
        """Offer the commands that begin so, and options."""
        from click.shell_completion import CompletionItem

        begun = [
            CompletionItem(name, help=command.get_short_help_str())
            for name, command in sorted(self.listed.commands.items())
            if name.startswith(incomplete)
        ]
        return begun + PlainCommand.shell_complete(self, ctx, incomplete)
