"""CLIP's byte-pair vocabulary as it lies in files, read by the `tokenizers` library."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

from imaginairy.errors import CheckpointError
from imaginairy.sources.layouts import MERGES, TOKENIZER, VOCABULARY
from imaginairy.tokenizer import END, START, ClipTokenizer
from imaginairy.weights.added_words import Beside, numbered, read_beside
from imaginairy.weights.json_file import short_enough

WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|"
    r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)
"""What CLIP takes as one word: contractions, letters, single digits, other signs."""
LONGEST = 16_000_000
"""Bytes of a `tokenizer.json`; CLIP's has 2 million."""


def load_tokenizer(
    source: Path, max_tokens: int, *, pad: str | None = None
) -> ClipTokenizer:
    """Load a `tokenizer.json`, or the `vocab.json` and `merges.txt` of a folder.

    What lies beside them in the folder is obeyed too: words added to the vocabulary,
    which tokens start, end and fill up a text, and how long a window is at most.

    Args:
        source: the file, or the folder that holds either kind.
        pad: the token that fills up a window where nothing beside it says so; None
            for the one that ends it.

    Raises:
        CheckpointError: there is no vocabulary there, or it is broken.
    """
    with readable(source, f"{TOKENIZER}, nor {VOCABULARY} with {MERGES}"):
        beside = read_beside(source)
        file = source / TOKENIZER if source.is_dir() else source
        if file.is_file():
            tokenizer = from_file(file)
        else:
            tokenizer = _from_vocabulary(source, beside)
        beside.add_to(tokenizer)
    return ClipTokenizer(
        tokenizer,
        min(max_tokens, beside.max_tokens or max_tokens),
        start=beside.special("bos_token", START),
        end=beside.special("eos_token", END),
        pad=beside.special("pad_token", pad or END),
    )


@contextmanager
def readable(source: Path, lacks: str) -> Iterator[None]:
    """Turn whatever goes wrong with a vocabulary into a sentence.

    Args:
        lacks: the files of which none is there where one is not found.

    Raises:
        CheckpointError: in place of anything else.
    """
    try:
        yield
    except CheckpointError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError(
            f"'{source}' holds no vocabulary: neither {lacks}."
        ) from error
    except BaseException as error:  # tokenizers raises nothing more specific
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise CheckpointError(
            f"The vocabulary in '{source}' cannot be read ({error})."
        ) from error


def is_panic(error: BaseException) -> bool:
    """Tell a bug that a library in Rust ran into, which is no Exception.

    Nobody can import its class.
    """
    return type(error).__name__ == "PanicException"


def from_file(file: Path) -> Tokenizer:
    """Read a `tokenizer.json`, without the lengths that it cuts texts to."""
    tokenizer = Tokenizer.from_file(str(short_enough(file, LONGEST)))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def merging(folder: Path, beside: Beside, **options: Any) -> Tokenizer:
    """Read the `vocab.json` and `merges.txt` of a folder; words are to be cut, yet.

    Args:
        beside: words that were added to it.
        options: of the library's `BPE`.

    Raises:
        FileNotFoundError: one is not there.
        ValueError, CheckpointError: they are broken.
    """
    words, merges = (short_enough(folder / name) for name in (VOCABULARY, MERGES))
    if not words.exists():
        raise FileNotFoundError(words)
    vocabulary = beside.added_to(numbered(words))
    lines = merges.read_text(encoding="utf-8").splitlines()
    split = [line.split() for line in lines if not line.startswith("#version")]
    pairs = [(pair[0], pair[1]) for pair in split if len(pair) == 2]
    return Tokenizer(BPE(vocab=vocabulary, merges=pairs, **options))


def _from_vocabulary(folder: Path, beside: Beside) -> Tokenizer:
    tokenizer = merging(
        folder,
        beside,
        continuing_subword_prefix="",
        end_of_word_suffix="</w>",
        unk_token=beside.special("unk_token", END),
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
    known = numbered(folder / VOCABULARY)
    tokenizer.add_special_tokens([t for t in (START, END) if t in known])
    return tokenizer
