"""Small vocabularies and text encoders of the kinds that flow transformers read by."""

import json
import struct
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from imaginairy.weights.row_vocabulary import QWEN_SPECIAL, QWEN_TAGS

TEXTS = [
    "a red fox in the snow, and a painting of a bowl of fruit",
    "they'll say: 1234 foxes don't fly; we've seen none!",
    "the lighthouse\nand the sea \n\n at night ... caf\u00e9 stra\u00dfe \u65e5\u672c",
]
CHAT = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + "
    "message.content + '<|im_end|>' + '\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)
"""How Qwen3 is asked, without tools."""
SMALL: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 5,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12,
    "rope_parameters": {"rope_theta": 1e6, "rope_type": "default"},
}  # fmt: skip
"""Its turns are those of the published ones, which no file says."""


def qwen_tokenizer(size: int = 400) -> Qwen2Tokenizer:
    """Learn a vocabulary of bytes and their pairs, with Qwen's special tokens."""
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=sorted(alphabet), show_progress=False
    )
    learnt.train_from_iterator(TEXTS * 3, trainer)
    model = json.loads(learnt.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    theirs = Qwen2Tokenizer(vocab=model["vocab"], merges=merges)
    theirs.add_special_tokens({"additional_special_tokens": [*QWEN_SPECIAL[1:]]})
    theirs.add_tokens([*QWEN_TAGS])
    theirs.chat_template = CHAT
    return theirs


def tiny_qwen(vocab_size: int) -> Qwen3ForCausalLM:
    """Build a small Qwen3 with random weights."""
    torch.manual_seed(0)
    return Qwen3ForCausalLM(Qwen3Config(**SMALL, vocab_size=vocab_size)).eval()


def t5_tokenizer() -> T5Tokenizer:
    """Learn a vocabulary of pieces."""
    learnt = Tokenizer(models.Unigram())
    learnt.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150, unk_token="<unk>", show_progress=False,
        special_tokens=["<pad>", "</s>", "<unk>"],
    )  # fmt: skip
    learnt.train_from_iterator(TEXTS * 3, trainer)
    pieces = json.loads(learnt.to_str())["model"]["vocab"]
    return T5Tokenizer(vocab=[(piece, likely) for piece, likely in pieces])


def tiny_t5(vocab_size: int) -> T5EncoderModel:
    """Build a small T5 encoder with random weights."""
    torch.manual_seed(0)
    sizes = T5Config(
        vocab_size=vocab_size, d_model=32, d_kv=12, d_ff=48, num_layers=3, num_heads=4,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    return T5EncoderModel(sizes).eval()


def sentencepiece(pieces: Sequence[tuple[str, float]]) -> bytes:
    """Write pieces as SentencePiece does; the first three fill, end and stand for
    unknown ones."""
    kinds = {0: 3, 1: 3, 2: 2}
    whole = b""
    for number, (piece, likely) in enumerate(pieces):
        text = piece.encode()
        message = b"\x0a" + bytes([len(text)]) + text
        message += b"\x15" + struct.pack("<f", likely)
        message += b"\x18" + bytes([kinds.get(number, 1)])
        whole += b"\x0a" + bytes([len(message)]) + message
    trained, normalised = b"\x12\x03\x20\xac\x02", b"\x1a\x02\x18\x01"
    return whole + trained + normalised
