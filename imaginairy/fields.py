"""What is known of a field of a prompt besides its name and type, as data.

It is said once, where the field stands in `prompt_fields`. What checks prompts, the
command line, its help and its completion, prompts files, sweeps and the pages read it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, ParamSpec, TypeAlias

from imaginairy.errors import BadOptionError, near_miss

Check: TypeAlias = Callable[[str, Any], Any]
"""Takes a field's name and a value, and gives the value in its one form."""
Section: TypeAlias = Literal[
    "Prompt",
    "Size",
    "Sampling",
    "Editing",
    "Controls",
    "Image prompts",
    "Finishing",
    "Output",
    "Server",
    "Model",
    "Limits",
    "Logging and help",
]
"""The sections of `--help`, in the order shown."""
OPTION = "option"
Made = ParamSpec("Made")


@dataclass(frozen=True)
class Need:
    """Another field, without which a value would have nothing to do."""

    field: str
    sentence: str
    """What is said without it; `{name}` and `{value}` are those of the field that needs
    it, `{other}` is the value that it has."""
    met: Callable[[Any], bool] | None = None
    """Tells of its value whether it will do; None where any will but its default."""

    def is_met(self, needed: "Option", value: Any) -> bool:
        """Tell whether the field that is needed has a value that will do."""
        return (self.met or needed.is_set)(value)


@dataclass(frozen=True)
class Shortcut:
    """An option that stands for one value of a field."""

    name: str
    value: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opposite:
    """Another tool's name for 1 minus a field."""

    name: str
    help: str


@dataclass(frozen=True)
class Option:
    """A field of a prompt: what it may hold, and how a command names it."""

    help: str
    check: Check
    default: Any = None
    """Where it is None, the model or the other fields decide."""
    section: Section | None = None
    """Where `--help` shows it; None where no command can set it."""
    after: str | None = None
    """The field of its section that it is shown behind; by default they are shown in
    their own order."""
    short: str = ""
    """The letter of its short option."""
    called: str = ""
    """What a command calls it first, where one is given at a time; it is one of what
    other tools call it."""
    also: tuple[str, ...] = ()
    """What other tools call it."""
    opposite: Opposite | None = None
    shortcuts: tuple[Shortcut, ...] = ()
    needs: tuple[Need, ...] = ()
    says: str = ""
    """What only one field may say, in messages."""
    implies: Mapping[str, Any] = field(default_factory=dict)
    """What other fields, where they are left open, are once this has a value."""
    follows: tuple[str, ...] = ()
    """The fields that it was chosen by, where a picture is drawn again: once one of
    them is to be otherwise, it is open again."""
    in_words: bool = True
    """False for what text cannot say; it is neither recorded nor compared."""

    def names(self, name: str) -> tuple[str, ...]:
        """Return what the field of a name is called, the first as a command does."""
        known = (self.called or name, name, *self.also)
        return tuple(dict.fromkeys(known))

    def is_set(self, value: Any) -> bool:
        """Tell whether a value is another than the default."""
        return value is not None and value != self.default


def _as_field(made: Callable[Made, Option]) -> Callable[Made, Any]:
    def as_field(*args: Made.args, **kwargs: Made.kwargs) -> Any:
        row = made(*args, **kwargs)
        return field(
            default=row.default,
            metadata={OPTION: row},
            compare=row.in_words,
            repr=row.in_words,
        )

    return as_field


option = _as_field(Option)
"""Returns the field of a dataclass for what an `Option` is made of."""


def options(prompt: Any) -> Mapping[str, Option]:
    """Return what is known of the fields of a prompt, or of its class, by name."""
    return _options(prompt if isinstance(prompt, type) else type(prompt))


@cache
def _options(of: type) -> Mapping[str, Option]:
    known = {
        each.name: each.metadata[OPTION]
        for each in fields(of)
        if OPTION in each.metadata
    }
    return MappingProxyType(known)


def written(prompt: Any) -> tuple[str, ...]:
    """Return the fields of a prompt that text can say, its own text among them."""
    return _written(prompt if isinstance(prompt, type) else type(prompt))


@cache
def _written(of: type) -> tuple[str, ...]:
    known = options(of)
    return tuple(
        each.name
        for each in fields(of)
        if each.name not in known or known[each.name].in_words
    )


def implied(prompt: Any) -> dict[str, Any]:
    """Return what the fields that are set say of others, where these are left open."""
    return {
        name: value
        for of, row in options(prompt).items()
        if row.is_set(getattr(prompt, of))
        for name, value in row.implies.items()
        if getattr(prompt, name) is None
    }


def has_what_it_needs(prompt: Any, name: str) -> bool:
    """Tell whether a value of a field would have something to do."""
    known = options(prompt)
    return all(
        need.is_met(known[need.field], getattr(prompt, need.field))
        for need in known[name].needs
    )


def check_together(prompt: Any) -> None:
    """Look whether each field that is set has the others that it needs.

    Raises:
        BadOptionError: one has not, or two say what only one may say.
    """
    known = options(prompt)
    values = {name: getattr(prompt, name) for name in known}
    given = [name for name, row in known.items() if row.is_set(values[name])]
    for name in given:
        for need in known[name].needs:
            other = values[need.field]
            if not need.is_met(known[need.field], other):
                said = {"name": name, "value": values[name], "other": other}
                raise BadOptionError(need.sentence.format(**said))
    saying: dict[str, str] = {}
    for name in given:
        says = known[name].says
        if says and says in saying:
            raise BadOptionError(
                f"{saying[says]} and {name} both say {says}; give one of them."
            )
        saying[says] = name


def in_words_of(prompt: Any, name: str) -> str:
    """Return the value of a field as people read it."""
    value = prompt.prompt_text if name == "prompt" else getattr(prompt, name)
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def filled_caption(prompt: Any) -> str:
    """Return the caption with the values of the fields that it names in braces.

    Raises:
        BadOptionError: it names something that is no field.
    """
    names = written(prompt)

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            raise BadOptionError(
                f"caption_text names '{{{name}}}', which is no field of a prompt; "
                f"fields are: {', '.join(names)}." + near_miss(name, names)
            )
        return in_words_of(prompt, name)

    return re.sub(r"\{(\w+)\}", value_of, prompt.caption_text)
