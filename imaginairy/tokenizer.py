"""Text cut into tokens: in windows, as CLIP reads it, or in one row."""

from collections.abc import Sequence
from typing import TypeVar

from tokenizers import Tokenizer

from imaginairy.errors import CheckpointError

START, END = "<|startoftext|>", "<|endoftext|>"

T = TypeVar("T")


def id_of(token: str, tokenizer: Tokenizer, whose: str) -> int:
    """Return the id of a token that a vocabulary is to have.

    Args:
        whose: what kind of vocabulary it is to be, for messages.

    Raises:
        CheckpointError: it has none.
    """
    number = tokenizer.token_to_id(token)
    if number is None:
        raise CheckpointError(
            f"The tokenizer's vocabulary lacks '{token}'; it is not {whose}."
        )
    return int(number)


def ids_of(text: str, tokenizer: Tokenizer) -> list[int]:
    """Return the ids of a text, with nothing put around it."""
    whole = text.encode(errors="replace").decode()  # without lone surrogates
    encoded: list[int] = tokenizer.encode(whole, add_special_tokens=False).ids
    return encoded


class RowTokenizer:
    """Turn text into one row of token ids.

    Args:
        tokenizer: knows the vocabulary and how text is cut into it.
        max_tokens: ids in a row at most, the end included.
        whose: what kind of vocabulary it is to be, for messages.
        pad: the token that fills a row up.
        end: the token that ends a text; None where nothing does.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        max_tokens: int,
        whose: str,
        *,
        pad: str,
        end: str | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.pad = id_of(pad, tokenizer, whose)
        self.end = [] if end is None else [id_of(end, tokenizer, whose)]

    @property
    def highest_id(self) -> int:
        """The highest id that a text may hold."""
        return max(self.tokenizer.get_vocab().values())

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text of any length, and its end."""
        return [*ids_of(text, self.tokenizer), *self.end]

    def cut(self, ids: Sequence[int]) -> list[int]:
        """Return as many ids of a text as a row takes; its end stays."""
        kept = self.max_tokens - len(self.end)
        return [*ids] if len(ids) <= self.max_tokens else [*ids[:kept], *self.end]


class ClipTokenizer:
    """Turn text into windows of token ids.

    Args:
        tokenizer: knows the vocabulary and how text is cut into it.
        max_tokens: ids in a window, the start and end tokens included.
        start, end: the tokens that stand around the text of a window.
        pad: the token that fills a window up after its end.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        max_tokens: int,
        *,
        start: str = START,
        end: str = END,
        pad: str = END,
    ) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.start, self.end, self.pad = (
            id_of(token, tokenizer, "CLIP's") for token in (start, end, pad)
        )

    @property
    def highest_id(self) -> int:
        """The highest id that a text may hold."""
        return max(self.tokenizer.get_vocab().values())

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text of any length, without start and end."""
        return ids_of(text, self.tokenizer)

    def windows(self, text: str) -> list[list[int]]:
        """Return the ids of a text in as many windows as it needs, at least one.

        Each window starts with the start token and is filled up after its end to
        `max_tokens`.
        """
        return [self.window(ids) for ids in self.chunks(self.ids(text))]

    @property
    def room(self) -> int:
        """Ids of a text that fit one window, between its start and its end."""
        return self.max_tokens - 2

    def chunks(self, values: Sequence[T]) -> list[Sequence[T]]:
        """Cut what there is one of for each id into what fits each window."""
        return [
            values[begin : begin + self.room]
            for begin in range(0, max(len(values), 1), self.room)
        ]

    def window(self, ids: Sequence[int]) -> list[int]:
        """Put start and end around ids that fit one window."""
        filled = [self.start, *ids, self.end]
        return filled + [self.pad] * (self.max_tokens - len(filled))
