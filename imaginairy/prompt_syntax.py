r"""What other tools understand in a prompt and no text encoder reads.

Such syntax would reach the text encoder as if it were words. It is left out, or read as
the one of its texts that has the most say, and what was done is said; the prompt itself
stays as it was typed.

    <lora:x:0.8>  <lyco:x:1>  <hypernet:x:1>    left out, whether they act or not
    embedding:x  (embedding:x:1.2)              left out where no learned word is so
    a cat BREAK a dog, a cat AND a dog          read as `a cat, a dog`
    [cat:dog:0.7]  [cat:dog:0.3]                read as `cat`, as `dog`: what has the
                                                most of the steps
    [cat:0.5]  [cat::0.5]                       read as `cat`
    [cat|dog]  {cat|dog}  {2$$cat|dog}          read as `cat`, the first
    __animal__                                  read as `animal`

and a few more. Each row of WHOLE and each sign of CHOICES is one syntax; what comes
to work is taken out there. A text all in capitals has BREAK and AND as words, plain
brackets and ratios like `[16:9]` stay, and a backslash makes `[`, `{` and `<` plain.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from imaginairy.prompt_language import Fragment, parse_text
from imaginairy.word_signs import marked

GONE = "\0"
"""Stands for what was left out until the signs around it are tidied."""
LONGEST_SHOWN = 60
MOST_SHOWN = 12
MOST_NESTED = 10
"""Brackets that stand in more than so many others are plain text."""
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"


@dataclass(frozen=True)
class Syntax:
    """One syntax that is found by a pattern."""

    pattern: str
    reads_as: Callable[[re.Match[str]], str] = lambda _: GONE
    """What remains of it."""
    is_word: bool = False
    """Whether it is a word too, and is one where the whole text is in capitals."""
    only_with: str = ""
    """A pattern without which it means nothing."""


def _wildcard(match: re.Match[str]) -> str:
    name = match[1].rstrip("*/").rpartition("/")[2]
    return re.sub(r"[\W_]+", " ", name).strip() or GONE


_AND = r"\b(?:BREAK|AND(?:_PERP|_SALT|_TOPK)?|ADD(?:COMM|BASE|COL|ROW))\b"
WHOLE = (
    Syntax(
        r"(?<!\\)<(?:random|alternate|alt|fromto|weight|repeat)(?:\[[^\]<>]*\])?:"
        r"([^<>|,]*)[^<>]*>",
        lambda match: match[1],
    ),
    Syntax(r"(?<!\\)<\w+(?:\[[^\]<>]*\])?:[^<>\n]*>"),
    Syntax(r"\bwithLora\([^()\n]*\)"),
    Syntax(r"(?<![\w:/])embedding:[^\s,:()\[\]{}|<>]+"),
    Syntax(rf"(?<=\w)\s*:\s*{_NUMBER}(?=\s*(?:{_AND}|$))", only_with=r"\bAND\b"),
    Syntax(_AND + r"(?:\[[^\[\]\n]*\])?", lambda _: "," + GONE, is_word=True),
    Syntax(
        r"\b(?:COUPLE|FILL|I?MASK|AREA|FEATHER|STYLE|SHIFT|NOISE)\([^()\n]*\)",
        is_word=True,
    ),
    Syntax(r"(?<![^\W_])__(\w(?:[\w/*.-]*\w)?\*?)__(?![^\W_])", _wildcard),
    Syntax(r"\.(?:swap|blend|and)\([^()\n]*\)"),
    Syntax(
        r"(?<!\S)--(?:ar|aspect|chaos|iw|niji|quality|q|seed|stop|stylize|style|s|tile|"
        r"version|v|weird)(?:\s+[\w.:]+)?(?=\s|$)"
    ),
)
"""Looked for in this order."""


def _scheduled(inside: str) -> str | None:
    """Read `from:to:when`, `to:when` or `from::when`."""
    parts = _split(inside, ":")
    if not 2 <= len(parts) <= 3 or not re.fullmatch(rf"\s*{_NUMBER}\s*", parts[-1]):
        return None
    when, texts = float(parts[-1]), parts[:-1]
    if not any(re.search(r"[^\W\d]|\0", text) for text in texts):
        return None  # a ratio or a time
    if len(texts) == 2 and all(map(_says_something, texts)):
        return texts[1 if when < 0.5 else 0]  # above 1 it counts steps
    return next(filter(_says_something, texts), GONE)


def _first_of(inside: str) -> str | None:
    """Read `a|b`, with a count or with shares before the options."""
    options = _split(re.sub(r"^[^$|]*\$\$(?:[^$|]*\$\$)?", "", inside), "|")
    texts = [re.sub(rf"^\s*{_NUMBER}::", "", option) for option in options]
    if len(texts) < 2 or not any(text.strip(" .,_-") for text in texts):
        return None
    return next(filter(_says_something, texts), GONE)


def _says_something(text: str) -> bool:
    return bool(text.replace(GONE, "").strip(" ,"))


CHOICES: dict[str, tuple[Callable[[str], str | None], ...]] = {
    "[": (_scheduled, _first_of),
    "{": (_first_of,),
}
"""What brackets may hold besides plain text; each gives what is read in their place."""
CLOSING = {"[": "]", "{": "}"}


@dataclass(frozen=True)
class Cleaned:
    """A text as the text encoder gets it."""

    text: str
    left_out: tuple[str, ...] = ()
    """What was left out, each once, as it was typed."""
    read_as: tuple[tuple[str, str], ...] = ()
    """What was read as another text, and as which."""


def read_text(text: str, words: Sequence[str] = ()) -> tuple[Fragment, ...]:
    """Read a text as the text encoder gets it, without the syntax of other tools.

    Args:
        words: learned words, each of which is one sign in what comes back.

    Raises:
        BadPromptError: see `parse_text`.
    """
    return parse_text(cleaned(marked(text, words)).text)


def remark_on(texts: Iterable[str]) -> str:
    """Say in a few words what of texts was left out; empty where nothing was."""
    read = [cleaned(text) for text in texts]
    out = dict.fromkeys(each for one in read for each in one.left_out)
    instead = dict(pair for one in read for pair in one.read_as)
    return "; ".join(
        f"{words} {', '.join(shown[:MOST_SHOWN])}"
        + (f" and {len(shown) - MOST_SHOWN} more" if len(shown) > MOST_SHOWN else "")
        for words, shown in (
            ("left out", [_short(each) for each in out]),
            ("read", [f"{_short(old)} as '{_short(instead[old])}'" for old in instead]),
        )
        if shown
    )


def cleaned(text: str) -> Cleaned:
    """Return a text without the syntax of other tools; see the top of this file."""
    left_out: dict[str, None] = {}
    read_as: dict[str, str] = {}
    plain = text.replace(GONE, " ")

    def note(old: str, new: str) -> str:
        words = new.replace(GONE, "").strip(" ,")
        if words:
            read_as[_shown(old)] = words
        else:
            left_out[_shown(old)] = None
        return new

    for syntax in WHOLE:
        rest = re.sub(syntax.pattern, "", plain) if syntax.is_word else "plain"
        if rest.isupper() or not rest.strip():
            continue
        if re.search(syntax.only_with, plain):
            plain = re.sub(syntax.pattern, partial(_replaced, syntax, note), plain)
    plain = _chosen(plain, note)
    if not left_out and not read_as:
        return Cleaned(text)
    return Cleaned(_tidied(plain), tuple(left_out), tuple(read_as.items()))


def _replaced(
    syntax: Syntax, note: Callable[[str, str], str], match: re.Match[str]
) -> str:
    return note(match[0], syntax.reads_as(match))


def _chosen(text: str, note: Callable[[str, str], str]) -> str:
    """Put in the place of brackets with a choice what is read of them."""
    pieces: list[list[str]] = [[]]
    opened: list[str] = []
    for token in re.findall(r"\\.|[\[\]{}]|[^\\\[\]{}]+|\\", text, re.DOTALL):
        if token in CLOSING:
            opened.append(token)
            pieces.append([])
        elif opened and token == CLOSING[opened[-1]]:
            sign, inside = opened.pop(), "".join(pieces.pop())
            is_plain = len(opened) >= MOST_NESTED or not set(inside) & set(":|")
            found = (read(inside) for read in CHOICES[sign] if not is_plain)
            chosen = next((each for each in found if each is not None), None)
            whole = sign + inside + token
            pieces[-1].append(whole if chosen is None else note(whole, chosen))
        else:
            pieces[-1].append(token)
    unclosed = zip(opened, pieces[1:], strict=True)
    return "".join([*pieces[0], *(sign + "".join(rest) for sign, rest in unclosed)])


def _split(text: str, sign: str) -> list[str]:
    """Split a text at a sign that is in no round brackets.

    Weighted prompts put a backslash before each bar of their texts.
    """
    text = text.replace(r"\|", "|")
    if "(" not in text:
        return text.split(sign)
    parts, depth = [""], 0
    for token in re.findall(r"\\.|[():|]|[^\\():|]+|\\", text, re.DOTALL):
        depth += (token == "(") - (token == ")" and depth > 0)
        if token == sign and not depth:
            parts.append("")
        else:
            parts[-1] += token
    return parts


def _tidied(text: str) -> str:
    """Take away the signs that stood around what was left out."""
    empty = rf"[(\[{{][\s,]*\0[\s,\0]*(?::\s*{_NUMBER}\s*)?[)\]}}](?:\d\.?\d*)?"
    for _ in range(MOST_NESTED):
        text = re.sub(empty, GONE, text)

    def joint(match: re.Match[str]) -> str:
        if not match.start() or match.end() == len(text):
            return ""
        return ", " if "," in match[0] else " "

    return re.sub(r"[\s,]*\0[\s,\0]*", joint, text)


def _shown(typed: str) -> str:
    return " ".join(typed.replace(GONE, "").split())


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
