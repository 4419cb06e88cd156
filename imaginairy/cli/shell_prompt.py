"""What stands at the prompt of the shell: history, completion, suggestions."""

from collections.abc import Iterator

from platformdirs import user_state_path
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from imaginairy.cli.shell_lines import Shell
from imaginairy.cli.shell_words import split_unfinished


class ShellCompleter(Completer):
    """Offers commands, options, their values and paths."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Offer what can stand in place of the word before the cursor."""
        line = document.text_before_cursor
        _, word = split_unfinished(line)
        for text, item in self.shell.completions(line):
            yield Completion(
                text,
                start_position=word.start - len(line),
                display=str(item.value),
                display_meta=item.help or "",
            )


def prompt_session(shell: Shell) -> PromptSession[str]:
    """Return a prompt that completes, and remembers lines from one day to the next."""
    return PromptSession(
        history=_history(),
        completer=ShellCompleter(shell),
        auto_suggest=AutoSuggestFromHistory(),
        complete_while_typing=False,  # a Tab typed fast would be lost
    )


def _history() -> History:
    path = user_state_path("imaginairy") / "shell_history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:  # a home that cannot be written to
        return InMemoryHistory()
    return FileHistory(path)
