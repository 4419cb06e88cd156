"""Learn a byte-pair vocabulary in Qwen's format from captions and common words."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from imaginairy.families.language_condition import ASKED
from imaginairy.tokenizer import RowTokenizer
from imaginairy.weights.row_vocabulary import QWEN_PAD, QWEN_SPECIAL, load_qwen
from storybook import settings
from storybook.training.cache import load_scenes
from storybook.training.saving import write_json
from storybook.world import write_caption
from storybook.world.words import STRAYS

FOLDER = settings.STATE / "flow_tokenizer"
END = "<|im_end|>"
CAPTIONS_READ = 20_000
STRAY_COPIES = 20
AROUND = "user", "assistant"
"""Words that stand around each text."""
AROUND_COPIES = 100
CAPITAL, TITLE, SHOUTED = 0.15, 0.03, 0.02
"""Shares of texts that begin with a capital letter, whose words all do, and that are
in capital letters: unlike CLIP's vocabulary, Qwen's tells these apart."""
CHAT = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + "
    "message.content + '<|im_end|>' + '\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)
"""How Qwen3 is asked, in the words of Jinja."""


def train() -> None:
    """Learn the merges and write `tokenizer.json` with what stands beside it."""
    if FOLDER.exists():
        return
    partial = FOLDER.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    write_merges(partial, alphabet, [])
    reader = load_qwen(partial, settings.FLOW_TEXT.max_tokens).tokenizer
    learner = Tokenizer(models.BPE())
    learner.normalizer, learner.pre_tokenizer = reader.normalizer, reader.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=settings.FLOW_VOCABULARY,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    learner.train_from_iterator(_texts(), trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    write_merges(partial, alphabet, [(left, right) for left, right in merges])
    whole = load_qwen(partial, settings.FLOW_TEXT.max_tokens).tokenizer
    for file in partial.iterdir():
        file.unlink()
    whole.save(str(partial / "tokenizer.json"), pretty=False)
    write_json(
        partial / "tokenizer_config.json",
        {
            "tokenizer_class": "Qwen2Tokenizer",
            "model_max_length": settings.FLOW_TEXT.max_tokens,
            "eos_token": END,
            "pad_token": QWEN_PAD,
            "additional_special_tokens": list(QWEN_SPECIAL[1:]),
            "chat_template": CHAT,
        },
    )
    partial.replace(FOLDER)


def write_merges(
    folder: Path, alphabet: list[str], merges: list[tuple[str, str]]
) -> None:
    """Write a vocabulary of bytes and what is merged of them, in two files."""
    tokens = dict.fromkeys([*alphabet, *(left + right for left, right in merges)])
    numbers = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(numbers, ensure_ascii=False), "utf-8")
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _texts() -> Iterator[str]:
    rng = random.Random(settings.SEED)
    for group, attributes in load_scenes()[:CAPTIONS_READ]:
        yield cased(rng, write_caption(rng, group, attributes))
    for copies, words in ((STRAY_COPIES, STRAYS), (AROUND_COPIES, AROUND)):
        for word in words:
            yield from (f" {word}",) * copies
            yield from (word,) * copies


def cased(rng: random.Random, text: str) -> str:
    """Write a text as people do: most in small letters, some not."""
    chance = rng.random()
    if chance < SHOUTED:
        return text.upper()
    if chance < SHOUTED + TITLE:
        return text.title()
    if chance < SHOUTED + TITLE + CAPITAL:
        return text[:1].upper() + text[1:]
    return text


@cache
def load() -> RowTokenizer:
    """Return the trained tokenizer."""
    return load_qwen(FOLDER, settings.FLOW_TEXT.max_tokens)


def ids_of(text: str) -> list[int]:
    """Return the ids of a text as it is given to the language model."""
    return load().ids(ASKED.format(text))
