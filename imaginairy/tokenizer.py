"""Text cut into windows of tokens, as CLIP reads it."""

from collections.abc import Sequence
from typing import TypeVar

from tokenizers import Tokenizer

from imaginairy.errors import CheckpointError

START, END = "<|startoftext|>", "<|endoftext|>"

T = TypeVar("T")


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
        self.start, self.end, self.pad = map(self._id, (start, end, pad))

    @property
    def highest_id(self) -> int:
        """The highest id that a text may hold."""
        return max(self.tokenizer.get_vocab().values())

    def _id(self, token: str) -> int:
        number = self.tokenizer.token_to_id(token)
        if number is None:
            raise CheckpointError(
                f"The tokenizer's vocabulary lacks '{token}'; it is not CLIP's."
            )
        return int(number)

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text of any length, without start and end."""
        whole = text.encode(errors="replace").decode()  # without lone surrogates
        encoded: list[int] = self.tokenizer.encode(whole, add_special_tokens=False).ids
        return encoded

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
