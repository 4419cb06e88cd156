"""A line of the shell as words: quotes, backslashes, patterns for files and `~`."""

import glob
import os
import re
from dataclasses import dataclass

from imaginairy.errors import BadOptionError

QUOTES = "'\""
PATTERN_SIGNS = "*?["
ESCAPABLE = f" \t{QUOTES}\\{PATTERN_SIGNS}~#"
"""What a backslash makes plain; before anything else it is a backslash, as in prompts
and in the paths of Windows."""
PLAIN = re.compile(r"[\w@%+=:,./-]+")


@dataclass(frozen=True)
class Word:
    """A word of a line."""

    text: str
    """Without its quotes."""
    pattern: str
    """For matching file names; what stood in quotes stands for itself."""
    start: int
    """Its first character in the line, from 0."""
    quote: str = ""
    """The quote that is still open at its end, or nothing."""

    def expanded(self) -> list[str]:
        """Return the files that a pattern matches, sorted, or else the word itself."""
        text, pattern = self.text, self.pattern
        if pattern.startswith("~"):
            text, pattern = home_expanded(text), home_expanded(pattern)
        if not glob.has_magic(pattern):
            return [text]
        return _matching(pattern) or [text]


def _itself(sign: str) -> str:
    """Return the pattern that matches only this sign."""
    return f"[{sign}]" if sign in f"{PATTERN_SIGNS}~" else sign


def _matching(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern))  # noqa: PTH207 - Path takes no whole paths


def home_expanded(path: str) -> str:
    """Return a path with `~` filled in and nothing else changed."""
    return os.path.expanduser(path)  # noqa: PTH111 - Path would tidy it up too


class _Reader:
    """Reads words from left to right, one character after another."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.at = 0

    def words(self) -> list[Word]:
        """Return the words; one that the line's end finds in quotes keeps the quote."""
        words = []
        while self.at < len(self.line):
            sign = self.line[self.at]
            if sign.isspace():
                self.at += 1
            elif sign == "#":
                break
            else:
                words.append(self._word())
        return words

    def _word(self) -> Word:
        start, text, pattern, quote = self.at, "", "", ""
        while self.at < len(self.line):
            sign, following = self.line[self.at], self.line[self.at + 1 : self.at + 2]
            if not quote and sign.isspace():
                break
            self.at += 1
            if sign == quote:
                quote = ""
            elif not quote and sign in QUOTES:
                quote = sign
            elif sign == "\\" and following and following in (quote or ESCAPABLE):
                self.at += 1
                text, pattern = text + following, pattern + _itself(following)
            else:
                text += sign
                pattern += _itself(sign) if quote else sign
        return Word(text, pattern, start, quote)


def split(line: str) -> list[str]:
    """Return the words of a line, patterns replaced by the files they match.

    A `#` at the start of a word begins a comment.

    Raises:
        BadOptionError: a quote is never closed.
    """
    words = _Reader(line).words()
    if words and words[-1].quote:
        raise BadOptionError(
            f"The quote {words[-1].quote} is never closed; end the text with another."
        )
    return [text for word in words for text in word.expanded()]


def split_unfinished(line: str) -> tuple[list[str], Word]:
    """Return the words before the last, and the last, which is still being typed."""
    words = _Reader(line).words()
    if not words or (line[-1:].isspace() and not words[-1].quote):
        return [word.text for word in words], Word("", "", len(line))
    return [word.text for word in words[:-1]], words[-1]


def quoted(text: str) -> str:
    """Return text so that `split` reads it back as one word."""
    if PLAIN.fullmatch(text):
        return text
    inner = text.rstrip("\\")  # before the closing quote one would make that plain
    quote = "'" if '"' in inner else '"'
    return (
        quote
        + inner.replace(quote, f"\\{quote}")
        + quote
        + "\\\\" * (len(text) - len(inner))
    )
