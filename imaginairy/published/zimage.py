"""The transformer of Z-Image as its authors and diffusers name it."""

from dataclasses import dataclass
from functools import partial

from imaginairy.networks.zimage import ZImage, ZImageConfig
from imaginairy.published.naming import (
    Naming,
    OtherDesignError,
    Shapes,
    at,
    count,
    told,
)
from imaginairy.settings import SIZE, ListOf, Number, OneOf, Schema, Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

SETTINGS: Schema = {
    "axes_dims": ListOf(SIZE, 3, 3),
    "rope_theta": Number(0),
    "all_patch_size": ListOf(OneOf((2,), null=False), 1, 1),
    "all_f_patch_size": ListOf(OneOf((1,), null=False), 1, 1),
}
"""What is read of its settings that shapes do not tell."""
PATCH = 4
"""Pixels of a patch of latents."""
PUBLISHED_HEAD = 128
"""Channels of a head of the published ones, whose axes are `ZImageConfig`'s; of others
each axis has as many."""
OMNI = "siglip_embedder."
"""What begins the names of what sees a picture."""


@dataclass(frozen=True)
class _Signs:
    """What one naming calls what differs."""

    image_in: str
    final: str
    norm_query: str
    norm_key: str
    asked: tuple[str, str, str]
    """Queries, keys and values."""
    out: str


AUTHORS = _Signs(
    "x_embedder",
    "final_layer",
    "attention.q_norm",
    "attention.k_norm",
    ("attention.qkv[0/3]", "attention.qkv[1/3]", "attention.qkv[2/3]"),
    "attention.out",
)
DIFFUSERS = _Signs(
    "all_x_embedder.2-1",
    "all_final_layer.2-1",
    "attention.norm_q",
    "attention.norm_k",
    ("attention.to_q", "attention.to_k", "attention.to_v"),
    "attention.to_out.0",
)
ROWS = {
    "of_image": "noise_refiner",
    "of_text": "context_refiner",
    "of_both": "layers",
}


def zimage(tensors: Tensors, settings: Settings) -> Part:
    """Read one of these transformers off its tensors.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
        OtherDesignError: it sees more than latents and a text.
    """
    if any(name.startswith(OMNI) for name in tensors.shapes):
        raise OtherDesignError("it sees pictures by SigLIP, as Z-Image Omni does")
    return told(tensors.shapes, NAMINGS).part(ZImage, tensors, settings)


def _config(shapes: Shapes, settings: Settings, *, signs: _Signs) -> ZImageConfig:
    width, patch = shapes[f"{signs.image_in}.weight"]
    head = shapes[f"layers.0.{signs.norm_query}.weight"][0]
    usual = ZImageConfig.axes if head == PUBLISHED_HEAD else (head // 3,) * 3
    return ZImageConfig(
        in_channels=patch // PATCH,
        width=width,
        heads=width // head,
        layers=count(shapes, "layers.{}.attention_norm1.weight"),
        refiners=count(shapes, "noise_refiner.{}.attention_norm1.weight"),
        context_dim=shapes["cap_embedder.0.weight"][0],
        thought=shapes["layers.0.feed_forward.w1.weight"][0],
        moment=shapes["t_embedder.mlp.2.weight"][0],
        moment_thought=shapes["t_embedder.mlp.0.weight"][0],
        axes=settings.get("axes_dims") or usual,
        theta=settings.get("rope_theta") or ZImageConfig.theta,
    )


def _names(config: ZImageConfig, *, signs: _Signs) -> Names:
    names: Names = {
        "image_in": signs.image_in,
        "text_norm": "cap_embedder.0",
        "text_in": "cap_embedder.1",
        "time.widen": "t_embedder.mlp.0",
        "time.out": "t_embedder.mlp.2",
        "image_fill": "x_pad_token",
        "text_fill": "cap_pad_token",
        "last": f"{signs.final}.adaLN_modulation.1",
        "out": f"{signs.final}.linear",
    }
    block = dict(zip(("query", "key", "value"), signs.asked, strict=True)) | {
        "modulation": "adaLN_modulation.0",
        "norm_before": "attention_norm1",
        "norm_query": signs.norm_query,
        "norm_key": signs.norm_key,
        "out": signs.out,
        "norm_after": "attention_norm2",
        "norm_thinking": "ffn_norm1",
        "widen": "feed_forward.w1",
        "gate": "feed_forward.w3",
        "narrow": "feed_forward.w2",
        "norm_thought": "ffn_norm2",
    }
    counts = {"of_both": config.layers}
    for ours, theirs in ROWS.items():
        for number in range(counts.get(ours, config.refiners)):
            names |= at(f"{ours}.{number}", f"{theirs}.{number}", block)
    return names


OF_DIFFUSERS = Naming(
    "diffusers",
    r"all_x_embedder\.",
    partial(_config, signs=DIFFUSERS),
    partial(_names, signs=DIFFUSERS),
)
OF_AUTHORS = Naming(
    "its authors",
    r"x_embedder\.",
    partial(_config, signs=AUTHORS),
    partial(_names, signs=AUTHORS),
)
NAMINGS = (OF_DIFFUSERS, OF_AUTHORS)
