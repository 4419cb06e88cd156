"""The text encoders that flow transformers share, as rows of their families take them.

A family says where one lies, by `replace`: its role, folder, prefix and vocabulary.
"""

from imaginairy.families.family import PartRow
from imaginairy.settings import OneOf, Schema

QWEN_TOKENIZERS = r"Qwen2Tokenizer(Fast)?"
"""What `model_index.json` calls the vocabulary of Qwen."""
QWEN3_SETTINGS: Schema = {
    "hidden_act": OneOf(("silu",)),
    "attention_bias": OneOf((False,)),
    "use_sliding_window": OneOf((False,)),
    "rope_scaling": OneOf(),
}
"""What its `config.json` may say of what ours cannot change."""
QWEN3 = PartRow(
    role="text",
    title="text encoder",
    folder="text_encoder",
    prefix="text_encoders.qwen3_4b.transformer.",
    published="imaginairy.published.qwen3:qwen3",
    classes=r"Qwen3(Model|ForCausalLM)",
    settings=QWEN3_SETTINGS,
    vocabulary="tokenizer",
    reader="imaginairy.weights.row_vocabulary:load_qwen",
    usual_vocabulary="qwen3",
    encoder="imaginairy.families.language_condition:LanguageEncoder",
)
"""Qwen3; `usual` says after which layers it is read, as `reads`, and `max_tokens`."""
