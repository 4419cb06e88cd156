"""A line of the shell as a command: run, and completed while it is typed."""

import os
import traceback
from collections.abc import Iterator

from click.shell_completion import CompletionItem, ShellComplete

from imaginairy.cli.lazy_group import LazyGroup
from imaginairy.cli.run import INTERRUPTED, say
from imaginairy.cli.shell_words import (
    Word,
    home_expanded,
    quoted,
    split,
    split_unfinished,
)
from imaginairy.cli.stores import Stores
from imaginairy.errors import BadOptionError

LEAVE = ("exit", "quit")
HELP = "help"
OWN = {HELP: "Say what a command does.", "exit": "Leave.", "quit": "Leave."}
"""The words that only the shell knows."""


class Shell:
    """Runs lines as commands; all share one store of models."""

    def __init__(self, group: LazyGroup, stores: Stores) -> None:
        self.group = group
        self.stores = stores

    def run(self, line: str) -> int:
        """Run one line and return its exit code; whatever goes wrong is said.

        Raises:
            EOFError: it asks to leave.
        """
        try:
            words = split(line)
        except BadOptionError as error:
            say(f"Error: {error}", err=True)
            return 2
        if words[:1] == [self.group.name]:
            words = words[1:]
        if not words:
            return 0
        if words[0] in LEAVE:
            raise EOFError
        if words[0] == HELP and words[1:] and words[1] in OWN:
            say(OWN[words[1]])
            return 0
        if words[0] == HELP:
            words = [*words[1:], "--help"]
        return self._run(words)

    def _run(self, words: list[str]) -> int:
        try:
            self.group.main(words, prog_name=self.group.name, obj=self.stores)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        except KeyboardInterrupt:
            return INTERRUPTED
        except Exception:  # a fault of ours, which must not take the models away
            traceback.print_exc()
            return 1
        return 0

    def completions(self, line: str) -> Iterator[tuple[str, CompletionItem]]:
        """Return what can stand in place of the word being typed, and from where on.

        Yields:
            The text to put there, in quotes where it needs them, and what it is.
        """
        before, word = split_unfinished(line)
        if before[:1] == [self.group.name]:
            before = before[1:]
        if not before or before == [HELP]:
            yield from self._commands(word, own=not before)
            return
        if before[0] in OWN:
            return
        completer = ShellComplete(self.group, {}, str(self.group.name), "")
        for item in completer.get_completions(before, word.text):
            option, equals, _ = word.text.partition("=")
            start = option + equals if equals and option.startswith("-") else ""
            if item.type == "plain":
                yield quoted(start + str(item.value)), item
            else:
                yield from _paths(word.text.removeprefix(start), start)

    def _commands(
        self, word: Word, *, own: bool
    ) -> Iterator[tuple[str, CompletionItem]]:
        offered = {
            name: command.get_short_help_str(limit=70)
            for name, command in self.group.listed.commands.items()
        }
        for name, about in sorted((offered | (OWN if own else {})).items()):
            if name.startswith(word.text):
                yield name, CompletionItem(name, help=about)


def _paths(text: str, start: str) -> Iterator[tuple[str, CompletionItem]]:
    """Return the files and folders whose path begins so; hidden ones when asked for."""
    head, begun = os.path.split(home_expanded(text))
    try:
        entries = sorted(os.scandir(head or "."), key=lambda entry: entry.name)
    except (OSError, ValueError):  # nothing there, or a name that none can have
        return
    for entry in entries:
        hidden = entry.name.startswith(".") and not begun.startswith(".")
        if entry.name.startswith(begun) and not hidden:
            end = "/" if _is_folder(entry) else ""
            above = head if head.endswith("/") or not head else f"{head}/"
            whole = f"{start}{above}{entry.name}{end}"
            yield quoted(whole), CompletionItem(f"{entry.name}{end}", type="file")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
