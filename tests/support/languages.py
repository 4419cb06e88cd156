"""Small vocabularies and text encoders of the kinds that flow transformers read by."""

import json
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

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
