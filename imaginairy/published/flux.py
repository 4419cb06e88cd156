"""The transformers of Flux.1, Flux.2 and Chroma as their authors and diffusers name
them."""

from dataclasses import dataclass
from functools import partial

from imaginairy.networks.flux import Flux
from imaginairy.networks.flux_modulation import FluxConfig
from imaginairy.published.naming import (
    Naming,
    OtherDesignError,
    Shapes,
    at,
    count,
    told,
)
from imaginairy.settings import SIZE, ListOf, Number, Schema, Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

SETTINGS: Schema = {
    "axes_dims_rope": ListOf(SIZE, fewest=3, most=4),
    "rope_theta": Number(0),
}
"""What is read of its settings that shapes do not tell."""
PATCH = 4
"""Pixels of a patch of latents."""
THETA, LATER_THETA = 10000.0, 2000.0
EIGHTHS = (1, 3.5, 3.5)
"""How the channels of a head of Flux.1 tell a place: parts of eight."""
QUARTERS = 4
LATER_APART = 10
"""How far apart the reference images of Flux.2 are; those of Flux.1 are 1 apart."""
MASKED = 64
"""Pixels of a mask that a place of latents has, for networks that see one."""
FEW = 3
"""Linear layers, each as wide as a token, of which a first layer's rows are queries,
keys and values."""


@dataclass(frozen=True)
class _Signs:
    """Names that tell sizes, in one naming."""

    image_in: str
    text_in: str
    pooled: str
    guidance: str
    doubles: str
    singles: str
    norm: str
    """Of queries, in the first block of two streams."""
    thought: str
    """What widens tokens there."""
    narrow: str
    alike: str
    """What modulates all blocks, where they are alike."""


AUTHORS = _Signs(
    "img_in.weight",
    "txt_in.weight",
    "vector_in.in_layer.weight",
    "guidance_in.in_layer.weight",
    "double_blocks.{}.img_attn.proj.weight",
    "single_blocks.{}.linear2.weight",
    "double_blocks.0.img_attn.norm.query_norm.{}",
    "double_blocks.0.img_mlp.0.weight",
    "double_blocks.0.img_mlp.2.weight",
    "double_stream_modulation_img.lin.weight",
)
DIFFUSERS_1 = _Signs(
    "x_embedder.weight",
    "context_embedder.weight",
    "time_text_embed.text_embedder.linear_1.weight",
    "time_text_embed.guidance_embedder.linear_1.weight",
    "transformer_blocks.{}.attn.to_q.weight",
    "single_transformer_blocks.{}.proj_out.weight",
    "transformer_blocks.0.attn.norm_q.weight",
    "transformer_blocks.0.ff.net.0.proj.weight",
    "transformer_blocks.0.ff.net.2.weight",
    "double_stream_modulation_img.linear.weight",
)
DIFFUSERS_2 = _Signs(
    "x_embedder.weight",
    "context_embedder.weight",
    "time_text_embed.text_embedder.linear_1.weight",
    "time_guidance_embed.guidance_embedder.linear_1.weight",
    "transformer_blocks.{}.attn.to_q.weight",
    "single_transformer_blocks.{}.attn.to_out.weight",
    "transformer_blocks.0.attn.norm_q.weight",
    "transformer_blocks.0.ff.linear_in.weight",
    "transformer_blocks.0.ff.linear_out.weight",
    "double_stream_modulation_img.linear.weight",
)
TELLS = "distilled_guidance_layer."
"""What begins the names of the network that tells modulations."""


def flux(tensors: Tensors, settings: Settings) -> Part:
    """Read one of these transformers off its tensors.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
        OtherDesignError: it takes more than latents.
    """
    return told(tensors.shapes, NAMINGS).part(Flux, tensors, settings)


def _config(
    shapes: Shapes, settings: Settings, *, signs: _Signs, gain: str = "weight"
) -> FluxConfig:
    width = shapes[signs.image_in][0]
    alike, tells = signs.alike in shapes, any(n.startswith(TELLS) for n in shapes)
    seen = shapes[signs.image_in][1] // PATCH
    out = _out(shapes) // PATCH
    if seen not in (out, 2 * out + MASKED):
        raise OtherDesignError(
            f"it takes {seen} channels and gives {out}, as those do that are led by "
            "another picture"
        )
    head = shapes[signs.norm.format(gain)][0]
    wide = shapes[signs.thought][0]
    narrowed = shapes[signs.narrow][1]
    return FluxConfig(
        in_channels=seen,
        out_channels=out,
        width=width,
        heads=width // head,
        doubles=count(shapes, signs.doubles),
        singles=count(shapes, signs.singles),
        context_dim=shapes[signs.text_in][1],
        pooled_dim=shapes[signs.pooled][1] if signs.pooled in shapes else None,
        reads_guidance=signs.guidance in shapes,
        thought=narrowed // width,
        gated=wide == 2 * narrowed,
        bias=signs.image_in.replace("weight", "bias") in shapes,
        axes=settings.get("axes_dims_rope") or _axes(head, alike=alike),
        theta=settings.get("rope_theta") or (LATER_THETA if alike else THETA),
        apart=LATER_APART if alike else 1,
        modulates="alike" if alike else "told" if tells else "each",
        **_told(shapes) if tells else {},
    )


def _out(shapes: Shapes) -> int:
    """Return how many numbers come out for a patch."""
    names = ("final_layer.linear.weight", "proj_out.weight")
    return next(shapes[name][0] for name in names if name in shapes)


def _axes(head: int, *, alike: bool) -> tuple[int, ...]:
    if alike:
        return (head // QUARTERS,) * QUARTERS
    return tuple(int(part * head / 8) for part in EIGHTHS)


def _told(shapes: Shapes) -> dict[str, int]:
    gains = (f"{TELLS}norms.{{}}.scale", f"{TELLS}norms.{{}}.weight")
    return {
        "told_width": shapes[f"{TELLS}in_proj.weight"][0],
        "told_depth": max(count(shapes, gain) for gain in gains),
    }


def _told_names(config: FluxConfig, layers: tuple[str, str], gain: str) -> Names:
    """Name the network that tells modulations."""
    names: Names = {
        "modulations.project_in": f"{TELLS}in_proj",
        "modulations.project_out": f"{TELLS}out_proj",
    }
    for layer in range(config.told_depth):
        ours, theirs = f"modulations.layers.{layer}", f"{TELLS}layers.{layer}"
        names |= at(ours, theirs, {"widen": layers[0], "out": layers[1]})
        names[f"modulations.norms.{layer}.weight"] = f"{TELLS}norms.{layer}.{gain}"
    return names


ASKED = ("asking.query", "asking.key", "asking.value")


def _asking(query: str, key: str, value: str, norms: tuple[str, str]) -> Names:
    return {
        "asking.query": query,
        "asking.key": key,
        "asking.value": value,
        "asking.norm_query.weight": norms[0],
        "asking.norm_key.weight": norms[1],
    }


def _fused(layer: str, parts: int) -> tuple[str, str, str]:
    """Name the first three of the parts that a matrix has."""
    return f"{layer}[0/{parts}]", f"{layer}[1/{parts}]", f"{layer}[2/{parts}]"


def _authors_names(config: FluxConfig, *, gain: str) -> Names:
    """Name one as its authors do: queries, keys and values in one matrix."""
    names: Names = {
        "image_in": "img_in",
        "text_in": "txt_in",
        "out": "final_layer.linear",
        "modulations.shift": "final_layer.adaLN_modulation.1[0/2]",
        "modulations.scale": "final_layer.adaLN_modulation.1[1/2]",
        "modulations.image.0": "double_stream_modulation_img.lin",
        "modulations.text.0": "double_stream_modulation_txt.lin",
        "modulations.singles.0": "single_stream_modulation.lin",
    }
    parts = {"time": "time_in", "guidance": "guidance_in", "pooled": "vector_in"}
    for ours, theirs in parts.items():
        names |= at(ours, theirs, {"widen": "in_layer", "out": "out_layer"})
    for block in range(config.doubles):
        theirs = f"double_blocks.{block}"
        for ours, short in (("image", "img"), ("text", "txt")):
            norms = tuple(
                f"{short}_attn.norm.{n}_norm.{gain}" for n in ("query", "key")
            )
            asked = _asking(*_fused(f"{short}_attn.qkv", FEW), (norms[0], norms[1]))
            stream = asked | {
                "out": f"{short}_attn.proj",
                "thought.widen": f"{short}_mlp.0",
                "thought.narrow": f"{short}_mlp.2",
            }
            names |= at(f"doubles.{block}.{ours}", theirs, stream)
            if config.modulates == "each":
                names[f"modulations.{ours}.{block}"] = f"{theirs}.{short}_mod.lin"
    rows = FEW + config.thought * (1 + config.gated)
    for block in range(config.singles):
        theirs = f"single_blocks.{block}"
        norms = tuple(f"norm.{name}_norm.{gain}" for name in ("query", "key"))
        single = _asking(*_fused("linear1", rows), (norms[0], norms[1])) | {
            "widen": f"linear1[{FEW}-{rows}/{rows}]",
            "narrow": "linear2",
        }
        names |= at(f"singles.{block}", theirs, single)
        if config.modulates == "each":
            names[f"modulations.singles.{block}"] = f"{theirs}.modulation.lin"
    return names | _told_names(config, ("in_layer", "out_layer"), gain)


DIFFUSERS_STREAMS = {
    "image": _asking(
        "attn.to_q", "attn.to_k", "attn.to_v",
        ("attn.norm_q.weight", "attn.norm_k.weight"),
    ) | {"out": "attn.to_out.0"},
    "text": _asking(
        "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj",
        ("attn.norm_added_q.weight", "attn.norm_added_k.weight"),
    ) | {"out": "attn.to_add_out"},
}  # fmt: skip
THINKS = {"image": "ff", "text": "ff_context"}
MODULATES = {"image": "norm1.linear", "text": "norm1_context.linear"}


def _diffusers_names(config: FluxConfig) -> Names:
    """Name what all of them share as diffusers does; the final modulation's halves lie
    the other way round."""
    names: Names = {
        "image_in": "x_embedder",
        "text_in": "context_embedder",
        "out": "proj_out",
        "modulations.shift": "norm_out.linear[1/2]",
        "modulations.scale": "norm_out.linear[0/2]",
    }
    for block in range(config.doubles):
        for stream, table in DIFFUSERS_STREAMS.items():
            ours = f"doubles.{block}.{stream}"
            names |= at(ours, f"transformer_blocks.{block}", table)
    return names


def _diffusers_1_names(config: FluxConfig) -> Names:
    """Name Flux.1 and Chroma as diffusers does."""
    names = _diffusers_names(config)
    parts = {"time": "timestep", "guidance": "guidance", "pooled": "text"}
    for ours, theirs in parts.items():
        place = f"time_text_embed.{theirs}_embedder"
        names |= at(ours, place, {"widen": "linear_1", "out": "linear_2"})
    for block in range(config.doubles):
        theirs = f"transformer_blocks.{block}"
        for stream, thinks in THINKS.items():
            ours = f"doubles.{block}.{stream}.thought"
            names |= at(
                ours, f"{theirs}.{thinks}.net", {"widen": "0.proj", "narrow": "2"}
            )
            names[f"modulations.{stream}.{block}"] = f"{theirs}.{MODULATES[stream]}"
    for block in range(config.singles):
        theirs = f"single_transformer_blocks.{block}"
        asked = _asking(
            "attn.to_q", "attn.to_k", "attn.to_v",
            ("attn.norm_q.weight", "attn.norm_k.weight"),
        )  # fmt: skip
        asked |= {"widen": "proj_mlp", "narrow": "proj_out"}
        names |= at(f"singles.{block}", theirs, asked)
        names[f"modulations.singles.{block}"] = f"{theirs}.norm.linear"
    return names | _told_names(config, ("linear_1", "linear_2"), "weight")


def _diffusers_2_names(config: FluxConfig) -> Names:
    """Name Flux.2 as diffusers does."""
    names = _diffusers_names(config) | {
        "modulations.image.0": "double_stream_modulation_img.linear",
        "modulations.text.0": "double_stream_modulation_txt.linear",
        "modulations.singles.0": "single_stream_modulation.linear",
    }
    for ours, theirs in {"time": "timestep", "guidance": "guidance"}.items():
        place = f"time_guidance_embed.{theirs}_embedder"
        names |= at(ours, place, {"widen": "linear_1", "out": "linear_2"})
    for block in range(config.doubles):
        for stream, thinks in THINKS.items():
            ours = f"doubles.{block}.{stream}.thought"
            theirs = f"transformer_blocks.{block}.{thinks}"
            names |= at(ours, theirs, {"widen": "linear_in", "narrow": "linear_out"})
    rows = FEW + config.thought * (1 + config.gated)
    for block in range(config.singles):
        fused = "attn.to_qkv_mlp_proj"
        norms = ("attn.norm_q.weight", "attn.norm_k.weight")
        single = _asking(*_fused(fused, rows), norms) | {
            "widen": f"{fused}[{FEW}-{rows}/{rows}]",
            "narrow": "attn.to_out",
        }
        names |= at(f"singles.{block}", f"single_transformer_blocks.{block}", single)
    return names


def xlabs_names(config: FluxConfig) -> Names:
    """Name layers as XLabs' trainer does, which lays adapters beside attentions."""
    names: Names = {}
    for block in range(config.doubles):
        for number, ours in ((1, "image"), (2, "text")):
            fused = (f"qkv{number}[{part}/{FEW}]" for part in range(FEW))
            asked = dict(zip(ASKED, fused, strict=True))
            names |= at(
                f"doubles.{block}.{ours}",
                f"double_blocks.{block}.processor",
                asked | {"out": f"proj{number}"},
            )
    for block in range(config.singles):
        fused = (f"qkv[{part}/{FEW}]" for part in range(FEW))
        asked = dict(zip(ASKED, fused, strict=True))
        theirs = f"single_blocks.{block}.processor"
        names |= at(f"singles.{block}", theirs, asked | {"narrow": "proj"})
    return names


OF_ADAPTERS = (xlabs_names,)
"""How only adapters name them."""


def _authors(title: str, gain: str) -> Naming[FluxConfig]:
    return Naming(
        title,
        rf"double_blocks\.0\.img_attn\.norm\.query_norm\.{gain}",
        partial(_config, signs=AUTHORS, gain=gain),
        partial(_authors_names, gain=gain),
    )


OF_DIFFUSERS_2 = Naming(
    "diffusers, Flux.2",
    r"single_transformer_blocks\.0\.attn\.to_qkv_mlp_proj\.",
    partial(_config, signs=DIFFUSERS_2),
    _diffusers_2_names,
)
OF_DIFFUSERS = Naming(
    "diffusers",
    r"transformer_blocks\.0\.attn\.to_q\.",
    partial(_config, signs=DIFFUSERS_1),
    _diffusers_1_names,
)
OF_AUTHORS = _authors("its authors", "scale")
NAMINGS = (
    OF_DIFFUSERS_2,
    OF_DIFFUSERS,
    _authors("its authors, saved again", "weight"),
    OF_AUTHORS,
)
