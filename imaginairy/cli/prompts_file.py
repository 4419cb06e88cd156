"""Prompts from the command line, from files and from standard input."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from imaginairy.fleet.lines import Asked, Lines
from imaginairy.fleet.rows import STANDARD_INPUT, read_lines
from imaginairy.log import log, shortened


class Prompts:
    """All that is asked for, read line by line whenever it is walked.

    Args:
        prompts: texts; `-` stands for what standard input says.
        file: one prompt a line, or rows of fields; see `fleet.rows`.
        options: the fields given for all of them; a line's own win.

    Raises:
        BadOptionError: a file is no text, or holds no prompts.
    """

    def __init__(
        self,
        prompts: Sequence[str],
        file: Path | str | None,
        options: dict[str, Any],
    ) -> None:
        self._parts: list[list[Asked] | Lines] = []
        for prompt in prompts:
            if prompt == STANDARD_INPUT:
                self._parts.append(read_lines(STANDARD_INPUT, options))
            else:
                self._parts.append([Asked(prompt, options, number=1)])
        if file is not None:
            self._parts.append(read_lines(file, options))

    def __iter__(self) -> Iterator[Asked]:
        """Yield the prompts in their order, then the file's.

        Raises:
            BadOptionError: a line cannot be used; the message says which.
        """
        before = 0
        for part in self._parts:
            number = 0
            for asked in part:
                number = asked.number
                yield replace(asked, number=before + number)
            before += number

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def close(self) -> None:
        """Let go of what was kept of files."""
        for part in self._parts:
            if isinstance(part, Lines):
                part.close()


def hint_at_quotes(prompts: Sequence[str]) -> None:
    """Say what `imagine a dog` does; a shell takes the quotes off what is in some."""
    if len(prompts) > 1 and not any(len(prompt.split()) != 1 for prompt in prompts):
        log.warning(
            "These are %d prompts of one word each; for one picture of them all, write "
            'quotes around them: "%s".',
            len(prompts),
            shortened(" ".join(prompts)),
        )
