"""Texts and how much each counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias

from imaginairy.checks import emphasised_text, is_number, kind_of, plain, text
from imaginairy.errors import BadPromptError, shown


@dataclass(frozen=True)
class WeightedPrompt:
    """A text and how much it counts; a negative weight pushes away from it.

    Within the text `(word:1.3)` or `(word)1.3` gives emphasis.
    """

    text: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        emphasised_text("prompt", self.text)
        if not is_number(self.weight):
            raise BadPromptError(
                f"A prompt's weight is a number, not {shown(self.weight)}."
            )
        object.__setattr__(self, "weight", plain(self.weight))

    def __str__(self) -> str:
        from imaginairy.prompt_language import WeightedText, parse_text

        return str(WeightedText(parse_text(self.text), self.weight))


PromptPart: TypeAlias = str | WeightedPrompt | tuple[str, float]
"""A text, or a text and how much it counts."""
PromptText: TypeAlias = PromptPart | Sequence[PromptPart]


def weighted_prompts(prompt: Any, *, allow_blank: bool) -> tuple[WeightedPrompt, ...]:
    """Read what was given as a prompt: a text, which may hold parts, a part or a list.

    Raises:
        BadPromptError: it is neither, says nothing, or its weights do not add up to
            more than 0, or to more than any number.
    """
    if isinstance(prompt, str):
        prompt = _parts_of(prompt)
    alone = isinstance(prompt, WeightedPrompt | Mapping) or _is_pair(prompt)
    parts = [prompt] if alone else prompt
    if not isinstance(parts, Sequence) or isinstance(parts, bytes):
        raise BadPromptError(
            "A prompt is text, a WeightedPrompt or a list of them, not "
            f"{kind_of(prompt)}."
        )
    weighted = tuple(map(_part, parts))
    if not allow_blank and not any(part.text.strip() for part in weighted):
        raise BadPromptError("The prompt is empty; say what to draw.")
    total = sum(float(part.weight) for part in weighted)
    if not isfinite(total):
        raise BadPromptError(
            "The weights of the prompt add up to more than any number; give smaller "
            "ones."
        )
    if weighted and total <= 0:
        raise BadPromptError(
            f"The weights of the prompt add up to {total:g}; make the sum positive."
        )
    text("prompt", "|".join(part.text for part in weighted))
    return weighted


def _part(part: Any) -> WeightedPrompt:
    """Read one part: a text, a WeightedPrompt, or what one is made of."""
    if isinstance(part, WeightedPrompt):
        return part
    if isinstance(part, str):
        return WeightedPrompt(part)
    if _is_pair(part):
        return WeightedPrompt(*part)
    if isinstance(part, Mapping) and "text" in part and part.keys() <= {*_NAMES}:
        return WeightedPrompt(**part)
    raise BadPromptError(
        'A part of a prompt is text, a WeightedPrompt, ("a fox", 0.5) or {"text": '
        f'"a fox", "weight": 0.5}}, not {kind_of(part)}.'
    )


_NAMES = tuple(WeightedPrompt.__dataclass_fields__)


def _is_pair(given: Any) -> bool:
    """Tell a text and its weight from two texts; the weight is checked later."""
    return (
        isinstance(given, tuple | list)
        and len(given) == 2
        and isinstance(given[0], str)
        and not isinstance(given[1], str | WeightedPrompt | Mapping | Sequence)
    )


def _parts_of(prompt: str) -> WeightedPrompt | list[WeightedPrompt]:
    """Read a prompt given as one text; a plain one stays as it was typed."""
    from imaginairy.prompt_language import has_parts, parse_prompt

    if not has_parts(text("prompt", prompt)):
        return WeightedPrompt(prompt)
    parts = parse_prompt(prompt)
    return [WeightedPrompt(part.markup, part.weight) for part in parts]
