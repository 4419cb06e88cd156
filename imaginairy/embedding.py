"""Learned words (textual inversion): how the files that teach them are asked for.

    FILE            the word is what the file calls it, or how the file is called
    WORD=FILE       the word is one's own choice

`FILE` is a path, a name, `owner/repo[:file]` on the hub or a web address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from imaginairy.checks import kind_of, text
from imaginairy.errors import BadOptionError, shown

MOST = 100
"""Learned words of one picture."""
LONGEST, LONGEST_WORD = 4096, 100
"""Letters of what is given, and of a word."""


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
    if isinstance(value, str | PathLike):
        value = (value,) if value else ()
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise BadOptionError(
            f"{name} are files of learned words, each as FILE or WORD=FILE, not "
            f"{kind_of(value)}."
        )
    if len(value) > MOST:
        raise BadOptionError(
            f"There are {len(value)} learned words; at most {MOST} can be given."
        )
    given = (_one(name, each) for each in value if each != "")
    return tuple(dict.fromkeys(given))


def parse_embedding(given: str) -> tuple[str, str]:
    """Return the word that a file is to go by, if it is said, and the file."""
    word, sign, file = given.partition("=")
    word, is_word = word.strip(), not set(word) & set("/\\:")
    if sign and is_word and word and file.strip():
        return word, file.strip()
    return "", given


def _one(name: str, given: Any) -> str:
    given = str(given) if isinstance(given, PathLike) else given
    if not isinstance(given, str) or not given.strip() or len(given) > LONGEST:
        raise BadOptionError(
            f"A learned word is given as FILE or WORD=FILE, not {shown(given)}; FILE "
            "is a name, a path, owner/repo on the hub or a web address."
        )
    given = text(name, given).strip()
    word, _ = parse_embedding(given)
    if len(word) > LONGEST_WORD or not word.isprintable():
        raise BadOptionError(
            f"A learned word has up to {LONGEST_WORD} letters, all of which can be "
            f"read, not {shown(word)}."
        )
    return given
