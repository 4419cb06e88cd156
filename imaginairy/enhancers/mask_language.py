"""The language of mask prompts: `fruit OR bowl{*1.5} AND NOT apple`.

    fruit bowl       a description: a-z, 0-9, spaces and hyphens, no hyphen at its end
    "O'Neill's Bar"  any characters, in " or '; \\ goes before a quote or another \\
    NOT a    !a      what is no a; binds tighter than AND
    a AND b  a & b   what is both; binds tighter than OR
    a OR b   a | b   what is either
    (a OR b)         a group
    a{*1.5}          strength: {*n} {/n} {+n} {-n} change the values, kept in 0..1
    a{+5px}          growth: {+npx} grows and {-npx} shrinks what is masked by n pixels

Modifiers bind tightest. They follow a description or a group: one strength at most and
any number of growths. Where imaginAIry 2.0 stopped reading and ignored the rest, as in
`a, b`, `a AND` or at the second strength of `a{*2}{+0.1}`, reading on would change what
old prompts mean, so all of that is an error. `(a{*2}){+0.1}` says it clearly.

A prompt becomes a tree of frozen dataclasses. `str(tree)` writes it back with no
bracket too many, and reading that gives the same tree.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from string import ascii_letters
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyparsing as pp

from imaginairy.errors import BadPromptError

Values: TypeAlias = npt.NDArray[np.float32]
"""How much each pixel belongs to something, in [0, 1]."""

MAX_LENGTH = 4000
"""Characters of a mask prompt."""
MAX_BRACKETS = 20
"""Brackets inside each other; each costs the parser some twenty nested calls."""
MAX_LEVELS = 100
"""Levels of a tree (`NOT NOT a` has three), so that recursion over it is safe."""
MAX_AMOUNT = 1e6
"""The largest number in a strength; one over it is the least to divide by."""
MAX_GROWTH = 100
"""Pixels of one growth; it takes time by the square."""


@dataclass(frozen=True)
class Strength:
    """`{*1.5}`: calculate with each value of a mask, then clamp it to [0, 1]."""

    operator: Literal["*", "/", "+", "-"]
    amount: float
    """Not negative, at most MAX_AMOUNT; to divide by, at least 1 / MAX_AMOUNT."""

    def apply(self, values: Values) -> Values:
        """Return the changed values."""
        match self.operator:
            case "*":
                values = values * self.amount
            case "/":
                values = values / self.amount
            case "+":
                values = values + self.amount
            case "-":
                values = values - self.amount
        return np.clip(values, 0, 1)

    def __str__(self) -> str:
        amount = format(Decimal(repr(self.amount)), "f").removesuffix(".0")
        return f"{{{self.operator}{amount}}}"


@dataclass(frozen=True)
class Growth:
    """`{+5px}`: grow the light areas of a mask, or shrink them where negative.

    Beyond the edge of the picture is nothing that could grow in or eat away.
    """

    pixels: int
    """From -MAX_GROWTH to MAX_GROWTH."""

    def apply(self, values: Values) -> Values:
        """Return the grey mask, dilated or eroded with a round brush."""
        import cv2

        size = 2 * abs(self.pixels) + 1
        brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        change = cv2.dilate if self.pixels > 0 else cv2.erode
        return np.asarray(change(values, brush), dtype=np.float32)

    def __str__(self) -> str:
        return f"{{{self.pixels:+d}px}}"


class _Writable:
    def __str__(self: "MaskTree") -> str:  # type: ignore[misc]  # is one of them
        return _write(self)


@dataclass(frozen=True)
class Phrase(_Writable):
    """A description of something to be seen; not blank."""

    text: str


@dataclass(frozen=True)
class Modified(_Writable):
    """A mask made stronger, weaker, larger or smaller."""

    mask: "MaskTree"
    modifier: Strength | Growth


@dataclass(frozen=True)
class Not(_Writable):
    """Everything but the mask."""

    mask: "MaskTree"


@dataclass(frozen=True)
class And(_Writable):
    """What all of two or more masks share."""

    masks: tuple["MaskTree", ...]


@dataclass(frozen=True)
class Or(_Writable):
    """What is in any of two or more masks."""

    masks: tuple["MaskTree", ...]


MaskTree: TypeAlias = Phrase | Modified | Not | And | Or


def parse_mask_prompt(text: str) -> MaskTree:
    """Read a mask prompt.

    Raises:
        BadPromptError: the text is no mask prompt; the message says what is wrong and
            at which column, the first being 1.
    """
    if len(text) > MAX_LENGTH:
        raise BadPromptError(
            f"The mask prompt is {len(text)} characters long; at most {MAX_LENGTH} "
            "are possible."
        )
    deepest = _brackets(text)[1]
    if deepest > MAX_BRACKETS:
        raise _error(
            text,
            0,
            f"has {deepest} brackets inside each other; at most {MAX_BRACKETS} are "
            "possible",
        )
    try:
        tree: MaskTree = _GRAMMAR.parse_string(text, parse_all=True)[0]
    except pp.ParseBaseException as error:
        at = len(text) - len(text[error.loc :].lstrip(_BLANK))
        raise _error(text, at, _problem(text, at)) from None
    except RecursionError:
        raise _error(text, 0, "has too many brackets to be read from here") from None
    if _levels(tree) > MAX_LEVELS:
        raise _error(
            text,
            0,
            f"is {_levels(tree)} levels deep; at most {MAX_LEVELS} are possible",
        )
    return tree


def descriptions(tree: MaskTree) -> tuple[str, ...]:
    """Return the distinct descriptions of a tree, in the order they appear."""
    if isinstance(tree, Phrase):
        return (tree.text,)
    return tuple(dict.fromkeys(d for part in _parts(tree) for d in descriptions(part)))


def evaluate(tree: MaskTree, mask_of: Callable[[str], npt.ArrayLike]) -> Values:
    """Return the mask that a tree describes.

    `mask_of` gives the mask of a description, in [0, 1] and always of one shape; it is
    asked once for each. Growth counts in pixels of these masks.
    """
    return _combine(
        tree, {d: np.asarray(mask_of(d), dtype=np.float32) for d in descriptions(tree)}
    )


def _combine(tree: MaskTree, masks: Mapping[str, Values]) -> Values:
    match tree:
        case Phrase(text):
            return masks[text]
        case Modified(mask, modifier):
            return modifier.apply(_combine(mask, masks))
        case Not(mask):
            return np.clip(1 - _combine(mask, masks), 0, 1)
        case And(several):
            return reduce(np.minimum, [_combine(mask, masks) for mask in several])
        case Or(several):
            return reduce(np.maximum, [_combine(mask, masks) for mask in several])


def _parts(tree: MaskTree) -> tuple[MaskTree, ...]:
    match tree:
        case Phrase():
            return ()
        case Modified(mask, _) | Not(mask):
            return (mask,)
        case And(masks) | Or(masks):
            return masks


def _levels(tree: MaskTree) -> int:
    levels, level = 0, [tree]
    while level:
        levels, level = levels + 1, [part for each in level for part in _parts(each)]
    return levels


# Writing

_BINDS = {Or: 0, And: 1, Not: 2, Modified: 3, Phrase: 4}


def _write(tree: MaskTree) -> str:
    match tree:
        case Phrase(text):
            bare = "\t" not in text and re.fullmatch(f"(?! ){_BARE}", text)
            return text if bare else _quote(text)
        case Modified(mask, modifier):
            twice = isinstance(modifier, Strength) and _has_strength(mask)
            return _write_within(Phrase if twice else Modified, mask) + str(modifier)
        case Not(mask):
            return f"NOT {_write_within(Not, mask)}"
        case And(masks):
            return " AND ".join(_write_within(Not, mask) for mask in masks)
        case Or(masks):
            return " OR ".join(_write_within(And, mask) for mask in masks)


def _write_within(loosest: type[MaskTree], tree: MaskTree) -> str:
    loose = _BINDS[type(tree)] < _BINDS[loosest]
    return f"({_write(tree)})" if loose else _write(tree)


def _has_strength(tree: MaskTree) -> bool:
    while isinstance(tree, Modified) and isinstance(tree.modifier, Growth):
        tree = tree.mask
    return isinstance(tree, Modified)


def _quote(text: str) -> str:
    mark = "'" if '"' in text and "'" not in text else '"'
    escaped = text.replace("\\", r"\\").replace(mark, f"\\{mark}")
    return f"{mark}{escaped}{mark}"


# Reading

_BLANK = " \t\r\n"
_BARE = r"[a-z0-9 \t-]*[a-z0-9]"
_QUOTED = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
_STRENGTH = r"\{(?P<operator>[*/+-])(?P<amount>[0-9]+\.?[0-9]*)\}"
_GROWTH = r"\{(?P<pixels>[+-][0-9]+)px\}"


def _grammar() -> pp.ParserElement:
    """The language as it stands at the top, from the tightest binding to the loosest.

    A minus is a plus that says: from here on it can be nothing else. It keeps reading
    linear and errors at the place where something is missing.
    """
    bare = pp.Regex(_BARE).set_parse_action(_phrase)
    quoted = pp.Regex(_QUOTED, flags=re.DOTALL).set_parse_action(
        lambda found: Phrase(re.sub(r"""\\([\\"'])""", r"\1", found[0][1:-1]))
    )
    quoted.add_condition(lambda found: found[0].text.strip())
    strength = pp.Regex(_STRENGTH).set_parse_action(
        lambda found: Strength(found["operator"], float(found["amount"]))
    )
    strength.add_condition(
        lambda found: _is_possible(found[0].operator, found[0].amount)
    )
    growth = pp.Regex(_GROWTH).set_parse_action(
        lambda found: Growth(int(found["pixels"]))
    )
    growth.add_condition(lambda found: abs(found[0].pixels) <= MAX_GROWTH)

    mask = pp.Forward()
    group = pp.Suppress("(") - mask - pp.Suppress(")")
    modified = (bare | quoted | group) + growth[...] + pp.Opt(strength) + growth[...]
    modified.set_parse_action(lambda found: reduce(Modified, found))
    negated = (pp.Literal("NOT") | "!")[1, ...] - modified
    negated.set_parse_action(
        lambda found: reduce(lambda tree, _: Not(tree), found[:-1], found[-1])
    )
    factor = negated | modified
    both = factor + (pp.Suppress(pp.Literal("AND") | "&") - factor)[...]
    both.set_parse_action(lambda found: And(tuple(found)) if found[1:] else found)
    either = both + (pp.Suppress(pp.Literal("OR") | "|") - both)[...]
    either.set_parse_action(lambda found: Or(tuple(found)) if found[1:] else found)
    mask <<= either
    return mask.parse_with_tabs()


def _phrase(text: str, at: int, found: pp.ParseResults) -> Phrase:
    """A bare description, its tabs as wide as they are on the line."""
    start = len(text[:at].expandtabs())
    return Phrase((text[:at] + found[0]).expandtabs()[start:])


def _is_possible(operator: str, amount: float) -> bool:
    return (1 / MAX_AMOUNT if operator == "/" else 0) <= amount <= MAX_AMOUNT


def _brackets(text: str) -> tuple[list[int], int]:
    """The columns of brackets that stay open, and how many ever were at once."""
    opened: list[int] = []
    deepest = 0
    for found in re.finditer(f"{_QUOTED}|[()]", text, re.DOTALL):
        if found[0] == "(":
            opened.append(found.start() + 1)
            deepest = max(deepest, len(opened))
        elif found[0] == ")" and opened:
            opened.pop()
    return opened, deepest


_GRAMMAR = _grammar()


# Saying what is wrong

_MISSING = {
    **dict.fromkeys(("AND", "&"), "what else must be in the mask"),
    **dict.fromkeys(("OR", "|"), "what else may be in the mask"),
    **dict.fromkeys(("NOT", "!"), "what must not be in the mask"),
    "(": "what to mask",
}
_OPERATOR = "AND|OR|NOT|[&|!]"


def _error(text: str, at: int, problem: str) -> BadPromptError:
    start = max(0, at - 40)
    shown = text[start : at + 40]
    shown = "…" * (start > 0) + shown + "…" * (at + 40 < len(text))
    return BadPromptError(f"The mask prompt {shown!r} {problem}.")


def _short(text: str) -> str:
    return repr(text if len(text) <= 20 else text[:19] + "…")


def _problem(text: str, at: int) -> str:
    """Say why reading went no further than `at`, where no white space stands."""
    before, rest, column = text[:at].rstrip(_BLANK), text[at:], at + 1
    found = re.search(rf"({_OPERATOR}|\()$", before)
    after = found[0] if found else ""
    if not before and not rest:
        return "is empty; say what to mask"
    if not rest and after:
        return f"ends after {after} at column {column}; say {_MISSING[after]}"
    if not rest:
        opened = _brackets(text)[0][-1]
        return f"never closes the bracket opened at column {opened}; add a )"
    if rest[0] == ")" and after:
        return f"has ) right after {after} at column {column}; say {_MISSING[after]}"
    if rest[0] == ")":
        return (
            f"closes a bracket at column {column} that was never opened; leave it out"
        )
    if rest[0] == "{":
        return _modifier_problem(rest, column, alone=bool(after) or not before)
    return _word_problem(text, at, due=bool(after) or not before)


def _modifier_problem(rest: str, column: int, *, alone: bool) -> str:
    if "}" not in rest:
        return f"never closes the modifier opened at column {column}; add a }}"
    modifier = rest[: rest.index("}") + 1]
    strength = re.fullmatch(_STRENGTH, modifier)
    place = f"{_short(modifier)} at column {column}"
    if alone:
        return f"has {place} with nothing before it to change"
    if re.fullmatch(_GROWTH, modifier):
        return f"has too many pixels in {place}; at most {MAX_GROWTH} are possible"
    if strength is None:
        return (
            f"has an unknown modifier {place}; there are {{*1.5}} {{/2}} {{+0.1}} "
            "{-0.1} {+5px} and {-5px}"
        )
    operator, amount = strength["operator"], float(strength["amount"])
    if operator == "/" and amount == 0:
        return f"divides by zero in {place}"
    if _is_possible(operator, amount):
        return (
            f"has a second strength {place}; leave it out, or put brackets around what "
            "comes before"
        )
    return (
        f"has a number out of range in {place}; the largest is {MAX_AMOUNT:g}, and the "
        f"smallest to divide by {1 / MAX_AMOUNT:g}"
    )


def _word_problem(text: str, at: int, *, due: bool) -> str:
    """Say what is wrong with a word or sign; `due` where a description is."""
    rest, column = text[at:], at + 1
    operator = re.match(rf"({_OPERATOR})(?![A-Z])", rest)
    if operator and due:
        return f"has {operator[0]} at column {column} where a description must stand"
    if operator:
        return f"needs AND or OR before {operator[0]} at column {column}"
    left = text[:at].rstrip(ascii_letters)
    right = rest.lstrip(ascii_letters)
    start, word = len(left), text[len(left) : len(text) - len(right)]
    if word != word.lower():
        return (
            f"has capitals in {_short(word)} at column {start + 1}; write descriptions "
            "in lowercase, or in quotes"
        )
    if rest[0] == "'" and text[:at][-1:].isalnum() and not due:
        return (
            f"has an apostrophe at column {column}; put all of the description in "
            "double quotes"
        )
    if rest[0] in "\"'" and not re.match(_QUOTED, rest, re.DOTALL):
        return f"never closes the quote opened at column {column}"
    if rest[0] in "\"'" and due:
        return f"has nothing in the quotes at column {column}; say what to mask"
    if re.match(rf"{_BARE}|[(\"']", rest):
        return f"needs AND or OR before {rest[0]!r} at column {column}"
    return (
        f"has {rest[0]!r} at column {column}, which belongs in no description but one "
        "in quotes"
    )
