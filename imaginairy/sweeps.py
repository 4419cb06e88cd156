"""Argument schedules: one prompt drawn over a range of values of a field."""

import itertools
import random
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from math import prod
from typing import Any

from imaginairy.aliases import ALIASES, in_our_terms
from imaginairy.checks import Number
from imaginairy.errors import BadOptionError, near_miss
from imaginairy.fields import options
from imaginairy.image_prompt import PARTS
from imaginairy.lora import PLACE
from imaginairy.schema import MAX_RANDOM_SEED, ImaginePrompt
from imaginairy.weighted_prompt import PromptText

MAX_VALUES = 10_000
MAX_DIGITS = 30
"""Of a number, before its point and after it."""
SWEPT = {
    name: row.check for name, row in options(ImaginePrompt).items() if row.in_words
}
"""The fields that a schedule can change, and their checks."""

MORE_OF_IT = {
    "loras": f"(?:unet|text|{PLACE})=",
    "controls": r"hint=|(?:guess|raw)\s*(?:$|[,:@])",
    "image_prompts": f"(?:{'|'.join(PARTS)})=",
}
"""What of a value of a field stands behind a comma of its own."""

Sweep = tuple[str, list[Any]]
"""A field's name and the values it takes."""


def parse_schedule(text: str) -> Sweep:
    """Read `prompt_strength[2:8:0.5]`, first to last by a step, or `seed[1,2,3]`.

    The last value is among them where the steps meet it. Other tools' names for the
    fields are read too, as in `cfg[3,5,7]`.

    Raises:
        BadOptionError: it cannot be read so, or there is no such field.
    """
    match = re.fullmatch(r"\s*([\w-]+)\s*\[(.*)\]\s*", text, re.DOTALL)
    if match is None:
        raise BadOptionError(
            f"The schedule '{text}' cannot be read; write prompt_strength[2:8:0.5] or "
            "seed[1,2,3]."
        )
    asked, values = match[1].replace("-", "_"), match[2]
    name = ALIASES.get(asked, asked)
    if name not in SWEPT:
        raise BadOptionError(
            f"The schedule '{text}' names no field of a prompt; fields are: "
            f"{', '.join(SWEPT)}." + near_miss(name, SWEPT)
        )
    check = SWEPT[name]
    whole = isinstance(check, Number) and check.whole
    if not isinstance(check, Number):
        return name, _words(name, values)
    try:
        given = [Decimal(part.strip()) for part in re.split("[:,]", values)]
        if not all(number.is_finite() for number in given):
            raise ValueError("nan and infinity are no values")
        if ":" in values:
            first, last, step = given
    except (InvalidOperation, ValueError) as error:
        raise BadOptionError(
            f"The schedule '{text}' cannot be read; its values are first:last:step or "
            "numbers with commas between."
        ) from error
    too_large = any(number.adjusted() > MAX_DIGITS for number in given)
    if too_large or any(number.adjusted() < -MAX_DIGITS for number in given if number):
        raise BadOptionError(
            f"The schedule '{text}' has a number that is too "
            f"{'large' if too_large else 'small'} for any field."
        )
    numbers = _range(text, first, last, step) if ":" in values else given
    if whole and any(number != int(number) for number in numbers):
        raise BadOptionError(f"The schedule '{text}' gives {name} fractions.")
    plain = [int(number) if whole else float(number) for number in numbers]
    return name, [in_our_terms(asked, number)[1] for number in plain]


def _words(name: str, values: str) -> list[str]:
    """Return words with commas between; what more is said of one belongs to it."""
    comma = rf",(?!\s*(?:{MORE_OF_IT[name]}))" if name in MORE_OF_IT else ","
    return [value.strip() for value in re.split(comma, values)]


def _range(text: str, first: Decimal, last: Decimal, step: Decimal) -> list[Decimal]:
    """Return the values from first to last by a step, which may go down."""
    if not step or (last - first) / step < 0:
        raise BadOptionError(
            f"In the schedule '{text}' the step never gets there: from {first} to "
            f"{last} it must be {'negative' if last < first else 'positive'}, not "
            f"{step}."
        )
    count = int((last - first) / step) + 1
    if count > MAX_VALUES:
        raise BadOptionError(
            f"The schedule '{text}' has too many values, {count}; at most {MAX_VALUES} "
            "are possible. Take a larger step."
        )
    return [first + step * number for number in range(count)]


def swept(
    prompt: PromptText, options: dict[str, Any], sweeps: Sequence[Sweep]
) -> Iterator[ImaginePrompt]:
    """Return a prompt for every combination of the values; the last sweep runs fastest.

    They share one seed, so that only what is swept changes, and each is made when it is
    its turn.

    Raises:
        BadOptionError: there are too many, or a field is among them twice.
    """
    names = [name for name, _ in sweeps]
    if len(set(names)) != len(names):
        raise BadOptionError(f"A field is scheduled twice: {', '.join(names)}.")
    count = combinations(sweeps)
    if count > MAX_VALUES:
        raise BadOptionError(
            f"The schedules have too many combinations, {count}; at most {MAX_VALUES} "
            "are possible. Take larger steps, or fewer values."
        )
    shared = {"seed": random.randint(1, MAX_RANDOM_SEED), **options}
    return (
        ImaginePrompt(prompt, **{**shared, **dict(zip(names, values, strict=True))})
        for values in itertools.product(*(values for _, values in sweeps))
    )


def combinations(sweeps: Sequence[Sweep]) -> int:
    """Return how many combinations of values there are."""
    return prod(len(values) for _, values in sweeps)
