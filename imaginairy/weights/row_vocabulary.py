"""The vocabularies of Qwen and T5 as they lie in files."""

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers

from imaginairy.sources.layouts import MERGES, PIECES, TOKENIZER, VOCABULARY
from imaginairy.tokenizer import RowTokenizer
from imaginairy.weights.added_words import Beside, read_beside
from imaginairy.weights.sentencepiece import read_sentencepiece
from imaginairy.weights.vocabulary import from_file, merging, readable

QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""What Qwen takes as one word: contractions, letters with what leads them, single
digits, other signs, and space."""
QWEN_PAD = "<|endoftext|>"
QWEN_SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"),
    *("<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
"""What stands behind its vocabulary, in this order."""
QWEN_TAGS = (
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>"),
    *("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
    *("<tool_response>", "</tool_response>", "<think>", "</think>"),
)
"""What stands behind that, and is seen as a whole, but is text."""

T5_PAD, T5_END = "<pad>", "</s>"


def load_qwen(source: Path, max_tokens: int, *, pad: str | None = None) -> RowTokenizer:
    """Load Qwen's `tokenizer.json`, or the `vocab.json` and `merges.txt` of a folder.

    Args:
        source: the file, or the folder that holds either kind.
        pad: the token that fills up a row where nothing beside it says so.

    Raises:
        CheckpointError: there is no such vocabulary there, or it is broken.
    """
    with readable(source, f"{TOKENIZER}, nor {VOCABULARY} with {MERGES}"):
        beside = read_beside(source)
        file = source / TOKENIZER if source.is_dir() else source
        tokenizer = from_file(file) if file.is_file() else _qwen(source, beside)
        beside.add_to(tokenizer)
    return RowTokenizer(
        tokenizer,
        min(max_tokens, beside.max_tokens or max_tokens),
        "Qwen's",
        pad=beside.special("pad_token", pad or QWEN_PAD),
    )


def load_t5(source: Path, max_tokens: int, *, pad: str | None = None) -> RowTokenizer:
    """Load T5's `tokenizer.json`, or the `spiece.model` of a folder.

    Args:
        source: the file, or the folder that holds either kind.
        pad: the token that fills up a row where nothing beside it says so.

    Raises:
        CheckpointError: there is no such vocabulary there, or it is broken.
    """
    with readable(source, f"{TOKENIZER} nor {PIECES}"):
        beside = read_beside(source)
        file = source / TOKENIZER if source.is_dir() else source
        if file.is_file():
            tokenizer = from_file(file)
        else:
            tokenizer = read_sentencepiece(source / PIECES)
            tokenizer.add_special_tokens([T5_PAD, T5_END])
        beside.add_to(tokenizer)
    return RowTokenizer(
        tokenizer,
        min(max_tokens, beside.max_tokens or max_tokens),
        "T5's",
        pad=beside.special("pad_token", pad or T5_PAD),
        end=beside.special("eos_token", T5_END),
    )


def _qwen(folder: Path, beside: Beside) -> Tokenizer:
    tokenizer = merging(folder, beside)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    if not beside.words:
        for special, words in ((True, QWEN_SPECIAL), (False, QWEN_TAGS)):
            added = [AddedToken(w, normalized=False, special=special) for w in words]
            tokenizer.add_tokens(added)
    return tokenizer
