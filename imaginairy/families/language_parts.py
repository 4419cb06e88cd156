"""The text encoders that flow transformers share, as rows of their families take them.

A family says where one lies, by `replace`: its role, folder, prefix and vocabulary.
"""

from imaginairy.families.family import PartRow, Written
from imaginairy.families.unet_kin import (
    AS_OPENAI,
    CLIP_L_ALONE,
    CONFIGS,
    TEXT_CLASSES,
    TEXT_SETTINGS,
)
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
QWEN3_WRITTEN = Written(
    config=f"{CONFIGS}:of_qwen3",
    file="imaginairy.published.qwen3:TRANSFORMERS",
    folder="imaginairy.published.qwen3:TRANSFORMERS",
    weights="model.safetensors",
)
QWEN3 = PartRow(
    role="text",
    title="text encoder",
    folder="text_encoder",
    prefix="text_encoders.qwen3_4b.transformer.",
    published="imaginairy.published.qwen3:qwen3",
    classes=r"Qwen3(Model|ForCausalLM)",
    settings=QWEN3_SETTINGS,
    half=False,
    wide=True,
    vocabulary="tokenizer",
    reader="imaginairy.weights.row_vocabulary:load_qwen",
    usual_vocabulary="qwen3",
    written=QWEN3_WRITTEN,
    encoder="imaginairy.families.language_condition:LanguageEncoder",
    alone=r"a text encoder (\(Qwen3-4B\)|of Qwen3's kind)",
    design="Qwen3-4B",
)
"""Qwen3; `usual` says after which layers it is read, as `reads`, and `max_tokens`."""

T5_TOKENIZERS = r"T5Tokenizer(Fast)?"
"""What `model_index.json` calls the vocabulary of T5."""
T5_SETTINGS: Schema = {
    "feed_forward_proj": OneOf(("gated-gelu",)),
    "dense_act_fn": OneOf(("gelu_new",)),
    "is_gated_act": OneOf((True,)),
}
"""What its `config.json` may say of what ours cannot change."""
T5_WRITTEN = Written(
    config=f"{CONFIGS}:of_t5",
    file="imaginairy.published.t5:TRANSFORMERS",
    folder="imaginairy.published.t5:TRANSFORMERS",
    weights="model.safetensors",
)
T5 = PartRow(
    role="text",
    title="T5 text encoder",
    folder="text_encoder",
    prefix="text_encoders.t5xxl.transformer.",
    published="imaginairy.published.t5:t5",
    classes=r"T5(EncoderModel|ForConditionalGeneration)",
    settings=T5_SETTINGS,
    half=False,
    wide=True,
    vocabulary="tokenizer",
    reader="imaginairy.weights.row_vocabulary:load_t5",
    usual_vocabulary="t5",
    written=T5_WRITTEN,
    encoder="imaginairy.families.language_condition:LanguageEncoder",
    alone=r"a text encoder (\(T5-XXL\)|of T5's kind)",
    design="T5-XXL",
)
"""The encoder of T5 1.1; `usual` says as `max_tokens` how many are read where those are
not 512. Numbers of float16 do not hold what it computes."""
CLIP_POOLED = PartRow(
    role="text",
    title="CLIP text encoder",
    folder="text_encoder",
    prefix="text_encoders.clip_l.transformer.",
    published="imaginairy.published.clip_text:clip_text",
    classes=TEXT_CLASSES,
    settings=TEXT_SETTINGS,
    usual={"pooled": True},
    vocabulary="tokenizer",
    pooled_only=True,
    written=AS_OPENAI,
    alone=CLIP_L_ALONE,
    design="CLIP-L",
)
"""CLIP's text encoder where a text is read as one alone."""
