"""Qwen3's transformer as transformers and llama.cpp name it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from imaginairy.networks.qwen3_text import Qwen3Text, Qwen3TextConfig
from imaginairy.published.naming import Naming, Shapes, at, count, told
from imaginairy.settings import Number, OneOf, Schema, Section, Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

THETA = Number(0, null=True)
PLAIN = OneOf(("default",))
SETTINGS: Schema = {
    "rope_theta": THETA,
    "rope_parameters": Section({"rope_theta": THETA, "rope_type": PLAIN}),
    "rms_norm_eps": Number(0, 1, null=True),
}
"""What is read of its settings that shapes do not tell."""
EARLY = (-2,)
"""What is read of the layers' outputs where nobody says: the last but one."""
UNREAD = (
    r"(.*\.)?(lm_head|output|(output_)?norm)\.weight",
    r"(.*\.)?(rotary_emb\.inv_freq|rope_freqs\.weight)",
)
"""What writes texts, and what other versions saved beside the weights."""

LLAMA_CPP_LAYER: Names = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
LAYER: Names = {name: name for name in LLAMA_CPP_LAYER}


def qwen3(tensors: Tensors, settings: Settings) -> Part:
    """Read a text transformer off its tensors.

    Beside what transformers calls them, the settings may hold `reads`, after how many
    layers tokens are read (those below 0 count from the end, -1 being behind all), and
    `max_tokens`. Layers behind those are left out, and so is the normalisation, which
    none of them has.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
    """
    naming = told(tensors.shapes, NAMINGS)
    part = naming.part(Qwen3Text, tensors, settings)
    left = left_out(part.config.layers, "layers", "blk")
    return replace(
        part, ignored=(*part.ignored, *UNREAD, left), title="Qwen3 text encoder"
    )


def left_out(layers: int, *levels: str) -> str:
    """Return the pattern of names of what stands behind so many layers.

    Args:
        levels: patterns of what stands before the numbers of layers.
    """
    fewer = "|".join(map(str, range(layers)))
    return rf"(.*\.)?({'|'.join(levels)})\.(?!({fewer})\.)\d+\..*"


def read_after(layers: Sequence[int], held: int) -> tuple[int, ...]:
    """Count layers from the front; those below 0 count from the end.

    Raises:
        ValueError: there are not so many.
    """
    counted = tuple(n + 1 + held if n < 0 else n for n in layers)
    if not counted or not 0 < min(counted) <= max(counted) <= held:
        read = ", ".join(map(str, layers))
        raise ValueError(f"it has {held} layers, of which {read} are read")
    return counted


def _config(
    shapes: Shapes, settings: Settings, *, tokens: str, layer: str, names: Names
) -> Qwen3TextConfig:
    def size(module: str) -> tuple[int, ...]:
        return shapes[f"{layer.format(0)}.{names[module]}.weight"]

    vocab_size, width = shapes[f"{tokens}.weight"]
    held = count(shapes, f"{layer}.{names['mlp.gate_proj']}.weight")
    head = size("self_attn.q_norm")[0]
    if head < 1:
        raise ValueError("it has heads of no width")
    theta = settings.get("rope_parameters", {}).get("rope_theta")
    usual = Qwen3TextConfig()
    return Qwen3TextConfig(
        vocab_size=vocab_size,
        token_width=width,
        heads=size("self_attn.q_proj")[0] // head,
        key_heads=size("self_attn.k_proj")[0] // head,
        head_dim=head,
        mlp_width=size("mlp.gate_proj")[0],
        reads=read_after(settings.get("reads", EARLY), held),
        max_tokens=settings.get("max_tokens", usual.max_tokens),
        eps=settings.get("rms_norm_eps", usual.eps),
        theta=theta or settings.get("rope_theta", usual.theta),
    )


def _names(config: Qwen3TextConfig, *, tokens: str, layer: str, names: Names) -> Names:
    every: Names = {"tokens": tokens}
    for number in range(config.layers):
        every |= at(f"body.layers.{number}", layer.format(number), names)
    return every


def _naming(
    title: str, sign: str, tokens: str, layer: str, names: Names
) -> Naming[Qwen3TextConfig]:
    return Naming(
        title,
        sign,
        partial(_config, tokens=tokens, layer=layer, names=names),
        partial(_names, tokens=tokens, layer=layer, names=names),
    )


NAMINGS = (
    _naming("llama.cpp", r"blk\.", "token_embd", "blk.{}", LLAMA_CPP_LAYER),
    _naming(
        "transformers, the body alone", r"layers\.", "embed_tokens", "layers.{}", LAYER
    ),
    _naming("transformers", r"model\.", "model.embed_tokens", "model.layers.{}", LAYER),
)
