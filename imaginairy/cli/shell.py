"""`aimg` without arguments: a shell in which models stay loaded."""

import signal
import sys
from typing import TYPE_CHECKING

from imaginairy.cli.lazy_group import LazyGroup
from imaginairy.cli.run import INTERRUPTED, say
from imaginairy.cli.shell_lines import Shell
from imaginairy.cli.stores import Stores
from imaginairy.version import __version__

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

PROMPT = "aimg> "
WELCOME = (
    f"imaginairy {__version__}: type a command, help or exit; Tab completes, Ctrl-C "
    "stops a picture."
)


def run_shell(group: LazyGroup, stores: Stores) -> int:
    """Read and run commands until the end of input; return an exit code.

    At a terminal that is 0; of a script it is that of the last command that failed.
    """
    shell = Shell(group, stores)
    return _run_session(shell) if sys.stdin.isatty() else _run_script(shell)


def _run_session(shell: Shell) -> int:
    from imaginairy.cli.shell_prompt import prompt_session

    session = prompt_session(shell)
    say(WELCOME)
    while True:
        try:
            shell.run(_read_line(session))
        except KeyboardInterrupt:
            continue  # Ctrl-C takes the line that was being typed away
        except EOFError:
            return 0


def _read_line(session: "PromptSession[str]") -> str:
    """Read a line; Ctrl-C is a key there, and comes to nothing before the prompt."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return session.prompt(PROMPT)
    finally:
        signal.signal(signal.SIGINT, before)


def _run_script(shell: Shell) -> int:
    failed = 0
    while line := sys.stdin.buffer.readline():  # what `-` reads is what follows
        try:
            code = shell.run(line.decode("utf-8", errors="surrogateescape"))
        except EOFError:
            break
        if code == INTERRUPTED:
            return code
        failed = code or failed
    return failed
