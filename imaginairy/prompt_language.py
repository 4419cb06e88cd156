r"""The language of prompts: weighted parts, and emphasis within a text.

Plain text stays plain; two things are more than that:

    0.7*(a cat)|0.3*(a dog)   parts and their weights, as the metadata prints them
    a cat|-0.5*(blurry)       a part without a weight has weight 1; negative pushes away
    a (red:1.3) fox           emphasis on a word or more; below 1 for less of it
    a (red)1.3 fox            the same
    (a (red:1.2) fox:1.1)     inside each other, emphases multiply

A prompt has parts when `number*(` stands at its start or after a `|` that is in no
brackets. In any other prompt `|` is a character like the rest, as in the widespread
`a castle | oil painting | 8k`. In a prompt with parts every bracket must have its
partner, so that a slip is noticed; the weight's own brackets are no emphasis, so the
text of `1*(cat:1.3)` is `cat:1.3`.

All other brackets are plain text: `(word)` and `[word]` without a number, `:(`, a ratio
or a time of whole numbers like `(16:9)`, a number after a bracket that goes on as in
`(lens)35mm` or is above 10 as in `(c)2022`. A backslash makes `\(`, `\)`, `\|` and `\\`
plain anywhere; before other characters it is a backslash.

Brackets are matched with a stack, so any text takes time in proportion to its length.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby, pairwise
from math import isfinite
from typing import TYPE_CHECKING, Literal

from imaginairy.errors import BadPromptError

if TYPE_CHECKING:
    from pyparsing import ParserElement

MAX_EMPHASIS = 10.0


@dataclass(frozen=True)
class Fragment:
    """A stretch of text and the emphasis on all of it."""

    text: str
    emphasis: float = 1.0
    """From 0 to MAX_EMPHASIS."""

    def __str__(self) -> str:
        text = re.sub(r"[\\()|]", r"\\\g<0>", self.text)
        return text if self.emphasis == 1 else f"({text}:{self.emphasis!r})"


@dataclass(frozen=True)
class WeightedText:
    """A part of a prompt; printed as `0.5*(a cat)`."""

    fragments: tuple[Fragment, ...]
    """None is empty, and neighbours differ in emphasis."""
    weight: float = 1.0

    @property
    def text(self) -> str:
        """The words alone."""
        return "".join(fragment.text for fragment in self.fragments)

    @property
    def markup(self) -> str:
        """The words with their emphasis, as `parse_text` reads it."""
        return "".join(map(str, self.fragments))

    def __str__(self) -> str:
        short = f"{self.weight:g}"
        weight = short if float(short) == self.weight else repr(self.weight)
        return f"{weight}*({self.markup})"


def parse_prompt(text: str) -> tuple[WeightedText, ...]:
    """Read a prompt; one without parts comes back as one part of weight 1.

    Raises:
        BadPromptError: parts or emphasis are written wrongly; the message says what is
            wrong and at which column, the first being 1.
    """
    tokens = _tokens(text)
    if not _have_parts(tokens):
        return (WeightedText(_fragments(text, tokens)),)
    for token in tokens:
        if token.kind in ("open", "close") and token.partner is None:
            never = "opened" if token.kind == "close" else "closed"
            raise _error(
                text, token.bracket, f"has a bracket that is never {never}", _PLAIN
            )
    bars = [
        n for n, token in enumerate(tokens) if token.kind == "bar" and not token.depth
    ]
    starts, ends = (0, *(n + 1 for n in bars)), (*bars, len(tokens))
    places = (0, *(tokens[n].at + 1 for n in bars))
    return tuple(
        _part(text, place, tokens[start:end])
        for place, start, end in zip(places, starts, ends, strict=True)
    )


def has_parts(text: str) -> bool:
    """Tell whether `parse_prompt` reads parts, of which one may be all there is."""
    return _have_parts(_tokens(text))


def parse_text(text: str) -> tuple[Fragment, ...]:
    """Read a text in which only emphasis means something, such as a negative prompt.

    Raises:
        BadPromptError: an emphasis is out of range; the message says at which column.
    """
    return _fragments(text, _tokens(text))


def format_prompt(parts: Sequence[WeightedText]) -> str:
    """Return a text that `parse_prompt` reads as these parts, plain if possible."""
    if len(parts) == 1 and parts[0].weight == 1:
        for text in (parts[0].text, parts[0].markup):
            if _reads_as(text, tuple(parts)):
                return text
    return "|".join(map(str, parts))


def _reads_as(text: str, parts: tuple[WeightedText, ...]) -> bool:
    try:
        return parse_prompt(text) == parts
    except BadPromptError:
        return False


@dataclass(eq=False)
class _Token:
    """A bracket with the numbers that belong to it, a bar, or text.

    Where its numbers turn out to mean nothing, a token is the text `literal`.
    """

    kind: Literal["text", "bar", "open", "close"]
    at: int
    """Its place in the prompt."""
    lead: str = ""
    """What stands before the bracket: `2*` or `:1.3`; or the text, or the bar."""
    tail: str = ""
    """What follows the bracket: `1.3`."""
    weight: float | None = None
    emphasis: float | None = None
    """On an opening bracket once its partner is known."""
    partner: "_Token | None" = field(default=None, repr=False)
    depth: int = 0
    """How many pairs of brackets it is in."""

    @property
    def bracket(self) -> int:
        """The bracket's place in the prompt."""
        return self.at + len(self.lead)

    @property
    def literal(self) -> str:
        """The token as plain text."""
        bracket = {"open": "(", "close": ")"}.get(self.kind, "")
        return self.lead + bracket + self.tail


_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"


@cache
def _grammar() -> "ParserElement":
    """The grammar of tokens; what brackets hold is found out afterwards."""
    import pyparsing as pp

    def token(kind: Literal["text", "bar", "open", "close"], pattern: str) -> pp.Regex:
        def make(_: str, at: int, found: pp.ParseResults) -> _Token:
            named = found[0].groupdict(default="")
            numbers = (named.get(name) for name in ("weight", "emphasis"))
            weight, emphasis = (float(n) if n else None for n in numbers)
            lead, tail = named.get("lead", ""), named.get("tail", "")
            return _Token(kind, at, lead, tail, weight, emphasis)

        element = pp.Regex(pattern, as_match=True)
        element.set_parse_action(make)
        return element

    escaped = token("text", r"\\(?P<lead>[\\()|])")
    plain = token("text", r"(?P<lead>[^\\():|]+|[\\:])")
    ratio = r"(?<=[0-9]):\s*[0-9]+\s*\)"
    emphasis = token(
        "close", rf"(?!{ratio})(?P<lead>:\s*(?P<emphasis>[+-]?{_NUMBER})\s*)\)"
    )
    goes_on = r"[\w%/*-]|[.,:][0-9]"
    number = rf"(?P<tail>(?P<emphasis>10|[0-9](?:\.[0-9]+)?)(?!{goes_on}))"
    closing = token("close", rf"\){number}?")
    opening = token("open", r"\(")
    weight = token("open", rf"(?P<lead>\s*(?P<weight>[+-]?{_NUMBER})\s*\*\s*)\(")
    bar = token("bar", r"(?P<lead>\|)")

    part = pp.Opt(weight) + (escaped | emphasis | plain | opening | closing)[...]
    return (part + (bar + part)[...]).leave_whitespace().parse_with_tabs()


def _tokens(text: str) -> list[_Token]:
    """Cut a text in tokens and join each bracket with its partner."""
    if not re.search(r"[\\(]", text):
        return [_Token("text", 0, text)]
    tokens: list[_Token] = list(_grammar().parse_string(text, parse_all=True))
    opened: list[_Token] = []
    before = None
    for token in tokens:
        if token.kind == "open":
            opened.append(token)
        elif token.kind == "close" and opened:
            token.partner = opened.pop()
            token.partner.partner = token
            if token.partner is not before:
                token.partner.emphasis = token.emphasis
        before = token
    depth = 0
    for token in tokens:
        depth -= token.kind == "close" and token.partner is not None
        token.depth = depth
        depth += token.kind == "open" and token.partner is not None
    return tokens


def _have_parts(tokens: Sequence[_Token]) -> bool:
    return any(token.depth == 0 and token.weight is not None for token in tokens)


def _fragments(text: str, tokens: Sequence[_Token]) -> tuple[Fragment, ...]:
    """Return the text of tokens, cut where emphasis changes."""
    factors = [1.0]
    pieces = []
    for token in tokens:
        if token.kind == "open" and token.emphasis is not None:
            pieces.append((factors[-1], token.lead))
            factors.append(factors[-1] * token.emphasis)
            if not 0 <= factors[-1] <= MAX_EMPHASIS:
                raise _error(
                    text,
                    token.bracket,
                    f"has an emphasis of {factors[-1]:g}",
                    f"give one from 0 to {MAX_EMPHASIS:g}, or write \\( for a bracket "
                    "that is plain text",
                )
        elif (
            token.kind == "close"
            and token.partner
            and token.partner.emphasis is not None
        ):
            factors.pop()
        else:
            pieces.append((factors[-1], token.literal))
    return tuple(
        Fragment("".join(piece for _, piece in run), emphasis)
        for emphasis, run in groupby(filter(lambda p: p[1], pieces), lambda p: p[0])
    )


def _part(text: str, at: int, tokens: Sequence[_Token]) -> WeightedText:
    """Read what stands between two bars, from `at` on."""
    weight, tokens = 1.0, list(tokens)
    if tokens and tokens[0].weight is not None and tokens[0].partner is not None:
        weight, close = tokens[0].weight, tokens[0].partner
        end = tokens.index(close)
        rest = close.tail + "".join(token.literal for token in tokens[end + 1 :])
        if rest.strip():
            place = close.bracket + 1 + len(rest) - len(rest.lstrip())
            raise _error(
                text,
                place,
                "goes on after a weighted part",
                "put a | between, or " + _PLAIN,
            )
        if not isfinite(weight):
            raise _error(
                text, at, "has a weight beyond all numbers", "give a smaller one"
            )
        tokens = [*tokens[1:end], _Token("text", close.at, close.lead)]
    elif tokens:
        for before, token in pairwise(tokens):
            if token.kind == "open" and before.lead.rstrip().endswith("*"):
                raise _error(text, at, "has no number before *(", _PLAIN)
        if tokens[0].kind == "text":
            tokens[0].lead = tokens[0].lead.lstrip()
        if tokens[-1].kind == "text":
            tokens[-1].lead = tokens[-1].lead.rstrip()
    part = WeightedText(_fragments(text, tokens), weight)
    if not part.text.strip():
        raise _error(text, at, "has an empty part", "say what to draw or leave it out")
    return part


_PLAIN = "write \\( and \\) for brackets that are plain text"


def _error(text: str, at: int, problem: str, advice: str) -> BadPromptError:
    start = max(0, at - 40)
    shown = text[start : at + 40]
    shown = "…" * (start > 0) + shown + "…" * (at + 40 < len(text))
    return BadPromptError(
        f"The prompt {shown!r} {problem} at column {at + 1}; {advice}."
    )
