"""Learn a byte-pair vocabulary in CLIP's format from captions and common words."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, models, trainers

from imaginairy.tokenizer import END, START, ClipTokenizer
from imaginairy.weights.vocabulary import load_tokenizer
from storybook import settings
from storybook.training.cache import load_scenes
from storybook.training.saving import write_json
from storybook.world import write_caption
from storybook.world.words import STRAYS

FOLDER = settings.STATE / "tokenizer"
BUNDLED = settings.DATA / "tokenizer"
VOCABULARY, MERGES = "vocab.json", "merges.txt"
WORD_END = "</w>"
CAPTIONS_READ = 20_000
STRAY_COPIES = 20


def train() -> None:
    """Learn the merges and write the vocabulary."""
    if FOLDER.exists():
        return
    partial = FOLDER.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    alphabet = byte_alphabet()
    symbols = [*alphabet, *(sign + WORD_END for sign in alphabet)]
    write_vocabulary(partial, symbols, [])
    write_vocabulary(partial, symbols, learn_merges(partial, symbols))
    partial.replace(FOLDER)


def byte_alphabet() -> list[str]:
    """Return the printable sign that stands for each byte, in byte order.

    Bytes that print stand for themselves; the others are moved behind code point 255,
    as in the vocabularies of GPT-2 and CLIP.
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    moved = iter(range(256, 512))
    return [chr(byte if byte in printable else next(moved)) for byte in range(256)]


def learn_merges(begun: Path, symbols: list[str]) -> list[tuple[str, str]]:
    """Merge the commonest neighbours until the vocabulary is full.

    Args:
        begun: holds a vocabulary of symbols alone, which says what a word is.
    """
    reader = load_tokenizer(begun, settings.TEXT.max_tokens).tokenizer
    learner = Tokenizer(models.BPE(end_of_word_suffix=WORD_END))
    learner.normalizer = reader.normalizer
    learner.pre_tokenizer = reader.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=settings.TEXT.vocab_size - 2,
        initial_alphabet=symbols[: len(symbols) // 2],
        end_of_word_suffix=WORD_END,
        show_progress=False,
    )
    learner.train_from_iterator(_texts(), trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    room = settings.TEXT.vocab_size - len(symbols) - 2
    return [(left, right) for left, right in merges][:room]


def write_vocabulary(
    folder: Path, symbols: list[str], merges: list[tuple[str, str]]
) -> None:
    """Write the two files of a CLIP vocabulary."""
    joined = [left + right for left, right in merges]
    tokens = [*symbols, *joined, START, END]
    numbers = {token: number for number, token in enumerate(tokens)}
    (folder / VOCABULARY).write_text(
        json.dumps(numbers, ensure_ascii=False), encoding="utf-8"
    )
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    (folder / MERGES).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _texts() -> Iterator[str]:
    rng = random.Random(settings.SEED)
    for group, attributes in load_scenes()[:CAPTIONS_READ]:
        yield write_caption(rng, group, attributes)
    for word in STRAYS:
        for _ in range(STRAY_COPIES):
            yield word


def folder() -> Path:
    """Return where the vocabulary lies: the trained one, or else the bundled one."""
    return FOLDER if FOLDER.exists() else BUNDLED


def exported() -> tuple[Path, Path]:
    """Return where both files of the vocabulary lie when it is exported."""
    return BUNDLED / VOCABULARY, BUNDLED / MERGES


def load() -> ClipTokenizer:
    """Return the trained tokenizer."""
    return load_tokenizer(folder(), settings.TEXT.max_tokens)


def write_beside(target: Path) -> None:
    """Write the vocabulary that the texts of all models here are cut with.

    transformers looks for it in a model's own folder, so it lies in each.
    """
    for name in (VOCABULARY, MERGES):
        shutil.copyfile(folder() / name, target / name)
    length = settings.TEXT.max_tokens
    write_json(
        target / "tokenizer_config.json",
        {"tokenizer_class": "CLIPTokenizer", "model_max_length": length},
    )
