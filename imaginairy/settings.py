"""What files of settings may say: each kind of file is read through one schema.

A schema is a table of all that is read of such a file. Its fields give a value as it is
computed with, or refuse it, before anything is built; what a schema does not name has
no part in the picture and is passed over.
"""

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError

Settings = Mapping[str, Any]
"""What a file of settings says; empty where there is none."""


class Field(ABC):
    """What one setting may be."""

    null: bool = False
    """Whether null is as if it were not there."""

    @abstractmethod
    def read(self, value: Any) -> Any:
        """Return a value as it is computed with.

        Raises:
            ValueError: it may not be that.
        """

    @abstractmethod
    def refusal(self, owner: str) -> str:
        """Return how a sentence ends that says what was given in place of it.

        Args:
            owner: what has these settings.
        """


Schema = Mapping[str, Field]


class _RefusedError(ValueError):
    """A value that its field does not take, and where it stands."""

    def __init__(self, name: str, value: Any, field: Field) -> None:
        self.name, self.value, self.field = name, value, field


def read(where: Path, settings: Settings, schema: Schema, owner: str) -> dict[str, Any]:
    """Return what a schema names of settings, as far as it is there.

    Args:
        where: what said them, for messages.
        owner: what has such settings, for messages.

    Raises:
        CheckpointError: one is of another kind than it may be.
    """
    try:
        return _read(settings, schema)
    except _RefusedError as error:
        raise CheckpointError(
            f"'{where}' has {error.name} '{shown_value(error.value)}'"
            f"{error.field.refusal(owner)}."
        ) from error


def _read(settings: Settings, schema: Schema) -> dict[str, Any]:
    taken = {}
    for name, field in schema.items():
        value = settings.get(name)
        if name not in settings or (value is None and field.null):
            continue
        try:
            taken[name] = field.read(value)
        except _RefusedError as error:
            raise _RefusedError(
                f"{name}.{error.name}", error.value, error.field
            ) from error
        except (ValueError, OverflowError) as error:
            raise _RefusedError(name, value, field) from error
    return taken


@dataclass(frozen=True)
class OneOf(Field):
    """A value that our networks have, or null."""

    values: tuple[Any, ...] = ()
    null: bool = True

    def read(self, value: Any) -> Any:
        kind = isinstance(value, bool)  # which is equal to a number
        if not any(
            value == one and isinstance(one, bool) == kind for one in self.values
        ):
            raise ValueError
        return value

    def refusal(self, owner: str) -> str:
        *others, last = [f"'{one}'" for one in self.values] or ["none"]
        shown = f"{', '.join(others)} and {last}" if others else last
        return f"; only {shown}, as {owner} has, is supported"


@dataclass(frozen=True)
class Number(Field):
    """A number above `low` and below `high`."""

    low: float = -inf
    high: float = inf
    null: bool = False
    text: bool = True
    """Whether it may be written as a text, for which YAML takes 1e-4."""

    def read(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(
            value, (int, float, str) if self.text else (int, float)
        ):
            raise ValueError
        number = float(value)
        if not self.low < number < self.high:
            raise ValueError
        return number

    @property
    def range(self) -> str:
        """What numbers they are."""
        if self.high < inf:
            return f" between {self.low:g} and {self.high:g}"
        return f" above {self.low:g}" if self.low > -inf else ""

    def refusal(self, owner: str) -> str:
        return f", which is no number{self.range}"


@dataclass(frozen=True)
class Whole(Field):
    """A whole number from `low` to `high`."""

    low: int
    high: float
    null: bool = False

    def read(self, value: Any) -> int:
        if type(value) is not int or not self.low <= value <= self.high:
            raise ValueError
        return value

    @property
    def range(self) -> str:
        """What numbers they are."""
        return f" from {self.low} to {self.high:.12g}"

    def refusal(self, owner: str) -> str:
        return f", which is no whole number{self.range}"


@dataclass(frozen=True)
class Flag(Field):
    """True or false."""

    null: bool = True

    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value

    def refusal(self, owner: str) -> str:
        return ", which is neither true nor false"


@dataclass(frozen=True)
class Text(Field):
    """A text."""

    null: bool = True

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError
        return value

    def refusal(self, owner: str) -> str:
        return ", which is no text"


@dataclass(frozen=True)
class ListOf(Field):
    """A list of numbers or of texts."""

    each: Field
    fewest: int = 0
    most: int = 1_000_000
    null: bool = True

    def read(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError
        if not self.fewest <= len(value) <= self.most:
            raise ValueError
        none = self.each.null
        return tuple(
            None if each is None and none else self.each.read(each) for each in value
        )

    def refusal(self, owner: str) -> str:
        many = f"{self.fewest} to {self.most} " if self.fewest else ""
        if self.fewest == self.most:
            many = f"{self.most} "
        kind = {Whole: "whole numbers", Number: "numbers"}.get(type(self.each), "texts")
        return f", which is no list of {many}{kind}{getattr(self.each, 'range', '')}"


@dataclass(frozen=True)
class OneOrMore(Field):
    """A value, or a list of them."""

    each: Field
    null: bool = True

    def read(self, value: Any) -> Any:
        if isinstance(value, list | tuple) and value:
            return tuple(map(self.each.read, value))
        return self.each.read(value)

    def refusal(self, owner: str) -> str:
        return self.each.refusal(owner)


@dataclass(frozen=True)
class Section(Field):
    """Settings within settings."""

    schema: Schema
    null: bool = True

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError
        return _read(value, self.schema)

    def refusal(self, owner: str) -> str:
        return ", which holds no settings"


@dataclass(frozen=True)
class Listed(Field):
    """Values by whatever names they have."""

    each: Field
    null: bool = True

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError
        return _read(value, dict.fromkeys(value, self.each))

    def refusal(self, owner: str) -> str:
        return ", which lists nothing by name"


SIZE = Whole(1, 1_000_000)
"""How many there are, or how wide, of anything in a network."""
GROUPS = Whole(0, SIZE.high)
"""Groups of a normalisation, of which there may be none."""


def shown_value(value: Any) -> str:
    """Return a setting as messages show it, however much it holds."""
    if isinstance(value, str):
        return value[:60]
    try:
        return reprlib.repr(value)[:60]
    except ValueError:  # a whole number that is too long for Python
        return "a number of thousands of digits"


def is_true(text: str | None) -> bool:
    """Tell whether metadata, which are all text, say yes."""
    return (text or "").strip().lower() in ("true", "1", "yes")
