"""CLIP's byte-pair tokenizer, through the `tokenizers` library."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

from imaginairy.errors import CheckpointError
from imaginairy.models.added_words import Beside, read_beside
from imaginairy.sources.layouts import MERGES, TOKENIZER, VOCABULARY

START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|"
    r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)
"""What CLIP takes as one word: contractions, letters, single digits, other signs."""


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


def load_tokenizer(source: Path, max_tokens: int) -> ClipTokenizer:
    """Load a `tokenizer.json`, or the `vocab.json` and `merges.txt` of a folder.

    What lies beside them in the folder is obeyed too: words added to the vocabulary,
    which tokens start, end and fill up a text, and how long a window is at most.

    Args:
        source: the file, or the folder that holds either kind.

    Raises:
        CheckpointError: there is no vocabulary there, or it is broken.
    """
    try:
        beside = read_beside(source)
        file = source / TOKENIZER if source.is_dir() else source
        if file.is_file():
            tokenizer = Tokenizer.from_file(str(file))
            tokenizer.no_truncation()
            tokenizer.no_padding()
        else:
            tokenizer = _from_vocabulary(source, beside)
        beside.add_to(tokenizer)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"'{source}' holds no vocabulary: neither {TOKENIZER}, nor {VOCABULARY} "
            f"with {MERGES}."
        ) from error
    except Exception as error:  # tokenizers raises nothing more specific
        raise CheckpointError(
            f"The vocabulary in '{source}' cannot be read ({error})."
        ) from error
    return ClipTokenizer(
        tokenizer,
        min(max_tokens, beside.max_tokens or max_tokens),
        start=beside.special("bos_token", START),
        end=beside.special("eos_token", END),
        pad=beside.special("pad_token", END),
    )


def _from_vocabulary(folder: Path, beside: Beside) -> Tokenizer:
    vocabulary = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
    lines = (folder / MERGES).read_text(encoding="utf-8").splitlines()
    pairs = [tuple(line.split()) for line in lines if not line.startswith("#version")]
    tokenizer = Tokenizer(
        BPE(
            vocab=beside.added_to(vocabulary),
            merges=[pair for pair in pairs if len(pair) == 2],
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            unk_token=beside.special("unk_token", END),
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens([t for t in (START, END) if t in vocabulary])
    return tokenizer
