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
"""

import re
from functools import reduce
from string import ascii_letters

import pyparsing as pp

from imaginairy.errors import BadPromptError
from imaginairy.masks.tree import (
    BARE,
    MAX_AMOUNT,
    MAX_GROWTH,
    And,
    Growth,
    MaskTree,
    Modified,
    Not,
    Or,
    Phrase,
    Strength,
    levels_of,
)

MAX_LENGTH = 4000
"""Characters of a mask prompt."""
MAX_BRACKETS = 20
"""Brackets inside each other; each costs the parser some twenty nested calls."""
MAX_LEVELS = 100
"""Levels of a tree (`NOT NOT a` has three), so that recursion over it is safe."""


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
    if levels_of(tree) > MAX_LEVELS:
        raise _error(
            text,
            0,
            f"is {levels_of(tree)} levels deep; at most {MAX_LEVELS} are possible",
        )
    return tree


# Reading

_BLANK = " \t\r\n"
_QUOTED = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
_STRENGTH = r"\{(?P<operator>[*/+-])(?P<amount>[0-9]+\.?[0-9]*)\}"
_GROWTH = r"\{(?P<pixels>[+-][0-9]+)px\}"


def _grammar() -> pp.ParserElement:
    """The language as it stands at the top, from the tightest binding to the loosest.

    A minus is a plus that says: from here on it can be nothing else. It keeps reading
    linear and errors at the place where something is missing.
    """
    bare = pp.Regex(BARE).set_parse_action(_phrase)
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
    if re.match(rf"{BARE}|[(\"']", rest):
        return f"needs AND or OR before {rest[0]!r} at column {column}"
    return (
        f"has {rest[0]!r} at column {column}, which belongs in no description but one "
        "in quotes"
    )
