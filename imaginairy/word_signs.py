"""Learned words in texts: each becomes one letter, which no syntax takes apart.

A word is found where it stands by itself, in any case of letters, as `easynegative` in
`(easynegative:1.2)`; the longest of several comes first. `embedding:easynegative`, as
ComfyUI writes it, is the same, with or without the folder and the ending of its file;
so is `<easynegative>`, as InvokeAI writes it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

FIRST, LAST = 0x10600, 0x10736
"""Letters of Linear A, in which nobody writes prompts."""
SIGNS = f"[{chr(FIRST)}-{chr(LAST)}]"
MOST_WORDS = LAST - FIRST + 1
NAMED = r"(?<![\w:/])embedding:"
"""Stands before the name of a word's file."""
ENDINGS = ("safetensors", "pt", "bin")
MENTION = re.compile(NAMED + r"([^\s,:()\[\]{}|<>]+)", re.IGNORECASE)
LOOKS_SO = re.compile(r"(?<!\\)<\w[\w-]*>")
OTHER = r"<\w+(?:\[[^\]<>]*\])?:[^<>\n]*>"
"""What names other things than words, as `<lora:x:1>`."""


def marked(text: str, words: Sequence[str]) -> str:
    """Return a text in which each of some words is one sign.

    Args:
        words: at most MOST_WORDS, in the order of their signs.
    """
    if not words:
        return text
    numbers = {word.casefold(): n for n, word in reversed([*enumerate(words)])}

    def sign(found: re.Match[str]) -> str:
        if not (word := found["word"]):
            return found[0]
        plain = re.sub(r"\\([\\()|])", r"\1", word).casefold()
        number = numbers.get(plain)
        return chr(FIRST + (numbers[plain[1:-1]] if number is None else number))

    return _pattern(tuple(words)).sub(sign, re.sub(SIGNS, " ", text))


def parted(text: str) -> Iterator[str | int]:
    """Yield the stretches of a marked text, and the numbers of the words between."""
    for stretch in re.split(f"({SIGNS})", text):
        if re.fullmatch(SIGNS, stretch):
            yield ord(stretch) - FIRST
        elif stretch:
            yield stretch


def occurs(word: str, text: str) -> bool:
    """Tell whether a text says a word, however it is spelled."""
    return word.casefold() in text.casefold() and marked(text, [word]) != text


def mentioned(text: str) -> list[str]:
    """Return the names of words that a text gives as ComfyUI does, without endings."""
    ending = rf"\.(?:{'|'.join(ENDINGS)})$"
    names = (found[1].rpartition("/")[2] for found in MENTION.finditer(text))
    return [re.sub(ending, "", name, flags=re.IGNORECASE) for name in names]


def looking_so(text: str) -> list[str]:
    """Return what in a text looks like a word of diffusers, such as `<cat-toy>`."""
    return LOOKS_SO.findall(text)


def without_words(text: str, words: Sequence[str] = ()) -> str:
    """Return a text without learned words and without what names some."""
    return MENTION.sub(" ", re.sub(SIGNS, " ", marked(text, words)))


@lru_cache(maxsize=64)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    each = "|".join(map(_alone, longest_first))
    ending = rf"(?(named)(?:\.(?:{'|'.join(ENDINGS)}))?)"
    named = rf"(?P<named>{NAMED}(?:[^\s,:()\[\]{{}}|<>]*/)?)?"
    return re.compile(rf"{OTHER}|{named}(?P<word>{each}){ending}", re.IGNORECASE)


def _alone(word: str) -> str:
    """Return a pattern for a word that is no part of a longer one.

    Where prompts have a backslash before a sign, it may stand before that.
    """
    spelled = "".join(
        (r"\\?" if letter in "\\()|" else "") + re.escape(letter) for letter in word
    )
    before = r"(?<!\w)" if re.match(r"\w", word) else ""
    behind = r"(?!\w)" if re.search(r"\w\Z", word) else ""
    alone = f"{before}{spelled}{behind}"
    return alone if word.startswith("<") else f"<{spelled}>|{alone}"
