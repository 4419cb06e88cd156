"""Learned words (textual inversion): how the files that teach them are asked for.

    FILE            the word is what the file calls it, or how the file is called
    WORD=FILE       the word is one's own choice

`FILE` is a path, a name, `owner/repo[:file]` on the hub or a web address.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaginairy.asked_files import asked_file, several
from imaginairy.errors import BadOptionError, shown

MOST = 100
"""Learned words of one picture."""
LONGEST_WORD = 100
"""Letters of a word."""


@dataclass(frozen=True)
class WordFile:
    """A learned word that a picture is drawn with, and where it lies."""

    names: tuple[str, ...]
    """What it goes by."""
    given: str
    """As it is asked for, and recorded."""
    path: Path


def embeddings(name: str, value: Any) -> tuple[str, ...]:
    """Take files of learned words: one, or several, each as FILE or WORD=FILE."""
    given = several(name, value, "files of learned words, each as FILE or WORD=FILE")
    if len(given) > MOST:
        raise BadOptionError(
            f"There are {len(given)} learned words; at most {MOST} can be given."
        )
    return tuple(dict.fromkeys(_one(name, each) for each in given))


def parse_embedding(given: str) -> tuple[str, str]:
    """Return the word that a file is to go by, if it is said, and the file."""
    word, sign, file = given.partition("=")
    word, is_word = word.strip(), not set(word) & set("/\\:")
    if sign and is_word and word and file.strip():
        return word, file.strip()
    return "", given


def _one(name: str, given: Any) -> str:
    given = asked_file(name, given, "A learned word is given as FILE or WORD=FILE")
    word, _ = parse_embedding(given)
    if len(word) > LONGEST_WORD or not word.isprintable():
        raise BadOptionError(
            f"A learned word has up to {LONGEST_WORD} letters, all of which can be "
            f"read, not {shown(word)}."
        )
    return given
