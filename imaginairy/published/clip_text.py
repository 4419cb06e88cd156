"""CLIP's text transformer as transformers names it, with a level above or without."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.log import log
from imaginairy.networks.clip_text import ACTIVATIONS, ClipText
from imaginairy.networks.config import ClipTextConfig
from imaginairy.published.naming import Naming, Shapes, at, count, told
from imaginairy.weights.assemble import Names, Part
from imaginairy.weights.settings import Settings, number, whole
from imaginairy.weights.weightfile import Tensors

LEVEL = "text_model."
"""What older versions of transformers put before all names."""
HEAD_WIDTH = 64
"""Channels of one attention head in every published CLIP text transformer."""
FEWEST_TOKENS = 3

LAYER: Names = {
    "norm1": "layer_norm1",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.out": "self_attn.out_proj",
    "norm2": "layer_norm2",
    "widen": "mlp.fc1",
    "narrow": "mlp.fc2",
}


def clip_text(tensors: Tensors, settings: Settings) -> Part:
    """Read a text transformer off its tensors.

    Layers behind `num_hidden_layers` of the settings are left out.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
        CheckpointError: it is of a kind that is not supported.
    """
    naming = told(tensors.shapes, NAMINGS)
    config = naming.config(tensors.shapes, settings)
    if config.activation not in list(ACTIVATIONS):
        raise CheckpointError(
            f"'{tensors.origin}' holds a text encoder with the activation "
            f"'{config.activation}'; only {' and '.join(ACTIVATIONS)} are supported."
        )
    held, where = config.layers, Path(tensors.origin)
    used = int(number(where, settings, "num_hidden_layers", held, 0, held + 1))
    unused = range(used, held)
    if unused:
        log.info(
            "%s: of the text encoder's %d layers the first %d are used, as its "
            "num_hidden_layers says (a clip skip of %d).",
            where,
            held,
            used,
            len(unused) + 1,
        )
    config = replace(config, layers=used)
    part = Part(ClipText, config, tensors, naming.names(config))
    left = tuple(rf"(.*\.)?encoder\.layers\.{layer}\..*" for layer in unused)
    return replace(part, ignored=(*part.ignored, *left))


def config_below(level: str, shapes: Shapes, settings: Settings) -> ClipTextConfig:
    """Size a text transformer whose names all begin with a level."""
    vocab_size, width = shapes[f"{level}embeddings.token_embedding.weight"]
    max_tokens = shapes[f"{level}embeddings.position_embedding.weight"][0]
    if max_tokens < FEWEST_TOKENS:
        raise CheckpointError(
            f"The text encoder of this checkpoint reads {max_tokens} tokens at a time; "
            f"{FEWEST_TOKENS} is the least: a start, one of text and an end."
        )
    heads = settings.get("num_attention_heads", max(1, width // HEAD_WIDTH))
    return ClipTextConfig(
        vocab_size=vocab_size,
        width=width,
        layers=count(shapes, level + "encoder.layers.{}.mlp.fc1.weight"),
        heads=whole("attention heads", heads),
        mlp_width=shapes[f"{level}encoder.layers.0.mlp.fc1.weight"][0],
        max_tokens=max_tokens,
        activation=settings.get("hidden_act", ClipTextConfig.activation),
    )


def names_below(level: str, config: ClipTextConfig) -> Names:
    """Name a text transformer, every name behind a level."""
    names = {
        "tokens": f"{level}embeddings.token_embedding",
        "positions": f"{level}embeddings.position_embedding",
        "norm_out": f"{level}final_layer_norm",
    }
    for layer in range(config.layers):
        names |= at(f"layers.{layer}", f"{level}encoder.layers.{layer}", LAYER)
    return names


LEVELLED = Naming(
    "transformers before version 5",
    LEVEL,
    partial(config_below, LEVEL),
    partial(names_below, LEVEL),
)
TRANSFORMERS = Naming(
    "transformers",
    r"(embeddings|encoder|final_layer_norm)\.",
    partial(config_below, ""),
    partial(names_below, ""),
)
NAMINGS = (LEVELLED, TRANSFORMERS)
