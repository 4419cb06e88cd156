"""Texts and how much each counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from imaginairy.checks import emphasised_text, is_number, kind_of, text
from imaginairy.errors import BadPromptError
from imaginairy.prompt_language import WeightedText, parse_prompt, parse_text


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
            raise BadPromptError(f"A prompt's weight is a number, not {self.weight!r}.")

    def __str__(self) -> str:
        return str(WeightedText(parse_text(self.text), self.weight))


PromptText: TypeAlias = str | WeightedPrompt | Sequence[str | WeightedPrompt]


def weighted_prompts(prompt: Any, *, allow_blank: bool) -> tuple[WeightedPrompt, ...]:
    """Read what was given as a prompt: a text, which may hold parts, or a list.

    Raises:
        BadPromptError: it is neither, says nothing, or its weights do not add up to
            more than 0.
    """
    if isinstance(prompt, str):
        prompt = _parts_of(prompt)
    parts = [prompt] if isinstance(prompt, WeightedPrompt) else prompt
    if not isinstance(parts, Sequence) or isinstance(parts, bytes):
        raise BadPromptError(
            "A prompt is text, a WeightedPrompt or a list of them, not "
            f"{kind_of(prompt)}."
        )
    weighted = tuple(
        part if isinstance(part, WeightedPrompt) else WeightedPrompt(part)
        for part in parts
    )
    if not allow_blank and not any(part.text.strip() for part in weighted):
        raise BadPromptError("The prompt is empty; say what to draw.")
    total = sum(part.weight for part in weighted)
    if weighted and total <= 0:
        raise BadPromptError(
            f"The weights of the prompt add up to {total:g}; make the sum positive."
        )
    text("prompt", "|".join(part.text for part in weighted))
    return weighted


def _parts_of(prompt: str) -> WeightedPrompt | list[WeightedPrompt]:
    """Read a prompt given as one text; a plain one stays as it was typed."""
    parts = parse_prompt(text("prompt", prompt))
    if list(parts) == [WeightedText(parse_text(prompt))]:
        return WeightedPrompt(prompt)
    return [WeightedPrompt(part.markup, part.weight) for part in parts]
