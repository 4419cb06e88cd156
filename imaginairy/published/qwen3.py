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
    shapes: Shapes,
    settings: Settings,
    *,
    tokens: str,
    layer: str,
    last: str,
    names: Names,
) -> Qwen3TextConfig:
    def size(module: str) -> tuple[int, ...]:
        return shapes[f"{layer.format(0)}.{names[module]}.weight"]

    vocab_size, width = shapes[f"{tokens}.weight"]
    reads = settings.get("reads", EARLY)
    from_end = any(number < 0 for number in reads)
    if from_end and f"{last}.weight" not in shapes:
        raise ValueError(
            "it has no normalisation behind its layers, of which some may be lacking, "
            "so that none can be counted from the end"
        )
    held = count(shapes, f"{layer}.{names['mlp.gate_proj']}.weight")
    read = read_after(reads, held)
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
        reads=read,
        max_tokens=settings.get("max_tokens", usual.max_tokens),
        eps=settings.get("rms_norm_eps", usual.eps),
        theta=theta or settings.get("rope_theta", usual.theta),
        behind=held - max(read),
        from_end=from_end,
    )


def _names(
    config: Qwen3TextConfig, *, tokens: str, layer: str, last: str, names: Names
) -> Names:
    every: Names = {"tokens": tokens, "norm": last}
    for number in range(config.layers + config.behind):
        every |= at(f"body.layers.{number}", layer.format(number), names)
    return every


def _behind(config: Qwen3TextConfig) -> Names:
    """Name what must stand behind the layers, where those are counted from the end."""
    if not config.from_end:
        return {}
    front = config.layers
    return {
        "norm": f"body.layers.{front - 1}.input_layernorm",
        **{
            f"body.layers.{number}": f"body.layers.{front - 1}"
            for number in range(front, front + config.behind)
        },
    }


def _naming(
    title: str, sign: str, tokens: str, layer: str, last: str, names: Names
) -> Naming[Qwen3TextConfig]:
    return Naming(
        title,
        sign,
        partial(_config, tokens=tokens, layer=layer, last=last, names=names),
        partial(_names, tokens=tokens, layer=layer, last=last, names=names),
        spare=_behind,
    )


LLAMA_CPP = _naming(
    "llama.cpp", r"blk\.", "token_embd", "blk.{}", "output_norm", LLAMA_CPP_LAYER
)
ALONE = _naming(
    "transformers, the body alone", r"layers\.", "embed_tokens", "layers.{}", "norm",
    LAYER,
)  # fmt: skip
TRANSFORMERS = _naming(
    "transformers", r"model\.", "model.embed_tokens", "model.layers.{}", "model.norm",
    LAYER,
)  # fmt: skip
NAMINGS = (LLAMA_CPP, ALONE, TRANSFORMERS)
