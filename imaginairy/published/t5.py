"""The encoder of T5 1.1 as transformers and llama.cpp name it."""

from dataclasses import replace
from functools import partial

from imaginairy.networks.t5_text import T5Text, T5TextConfig
from imaginairy.published.naming import Naming, Shapes, at, count, told
from imaginairy.settings import SIZE, Number, Schema, Settings, Whole
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

SETTINGS: Schema = {
    "relative_attention_max_distance": Whole(SIZE.low, SIZE.high, null=True),
    "layer_norm_epsilon": Number(0, 1, null=True),
}
"""What is read of its settings that shapes do not tell."""
UNREAD = (
    r"(.*\.)?(shared|encoder\.embed_tokens|lm_head)\.weight",
    r"(.*\.)?decoder\..*|(.*\.)?spiece_model",
)
"""The same rows under another name, what writes texts, and a vocabulary."""

QUERY, GATE = "layer.0.SelfAttention.q", "layer.1.DenseReluDense.wi_0"
DISTANCES = "layer.0.SelfAttention.relative_attention_bias"
"""What tokens think of distances; the first block tells it all others."""
LLAMA_CPP_BLOCK: Names = {
    QUERY: "attn_q",
    "layer.0.SelfAttention.k": "attn_k",
    "layer.0.SelfAttention.v": "attn_v",
    "layer.0.SelfAttention.o": "attn_o",
    "layer.0.layer_norm": "attn_norm",
    GATE: "ffn_gate",
    "layer.1.DenseReluDense.wi_1": "ffn_up",
    "layer.1.DenseReluDense.wo": "ffn_down",
    "layer.1.layer_norm": "ffn_norm",
    DISTANCES: "attn_rel_b",
}
BLOCK: Names = {name: name for name in LLAMA_CPP_BLOCK}


def t5(tensors: Tensors, settings: Settings) -> Part:
    """Read an encoder off its tensors.

    Beside what transformers calls them, the settings may hold `max_tokens`.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
    """
    part = told(tensors.shapes, NAMINGS).part(T5Text, tensors, settings)
    return replace(part, ignored=(*part.ignored, *UNREAD), title="T5 text encoder")


def _config(
    shapes: Shapes, settings: Settings, *, tokens: str, block: str, names: Names
) -> T5TextConfig:
    def size(module: str) -> tuple[int, ...]:
        return shapes[f"{block.format(0)}.{names[module]}.weight"]

    vocab_size, width = shapes[f"{tokens}.weight"]
    buckets, heads = size(DISTANCES)
    if heads < 1:
        raise ValueError("it has no heads")
    usual = T5TextConfig()
    return T5TextConfig(
        vocab_size=vocab_size,
        width=width,
        layers=count(shapes, f"{block}.{names[QUERY]}.weight"),
        heads=heads,
        head_dim=size(QUERY)[0] // heads,
        mlp_width=size(GATE)[0],
        buckets=buckets,
        far=settings.get("relative_attention_max_distance", usual.far),
        max_tokens=settings.get("max_tokens", usual.max_tokens),
        eps=settings.get("layer_norm_epsilon", usual.eps),
    )


def _names(
    config: T5TextConfig, *, tokens: str, block: str, last: str, names: Names
) -> Names:
    every: Names = {"tokens": tokens, "body.final_layer_norm": last}
    for number in range(config.layers):
        every |= at(f"body.block.{number}", block.format(number), names)
    return every


def _naming(
    title: str, sign: str, tokens: str, block: str, last: str, names: Names
) -> Naming[T5TextConfig]:
    return Naming(
        title,
        sign,
        partial(_config, tokens=tokens, block=block, names=names),
        partial(_names, tokens=tokens, block=block, last=last, names=names),
    )


ENCODER = ("encoder.block.{}", "encoder.final_layer_norm", BLOCK)
LLAMA_CPP = _naming(
    "llama.cpp", r"enc\.", "token_embd", "enc.blk.{}", "enc.output_norm",
    LLAMA_CPP_BLOCK,
)  # fmt: skip
TRANSFORMERS = _naming("transformers", r"shared\.", "shared", *ENCODER)
ALONE = _naming(
    "transformers, the encoder alone", r"", "encoder.embed_tokens", *ENCODER
)
NAMINGS = (LLAMA_CPP, TRANSFORMERS, ALONE)
