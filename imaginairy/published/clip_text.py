"""CLIP's text transformer as transformers and OpenCLIP name it."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from imaginairy.errors import CheckpointError
from imaginairy.log import log
from imaginairy.networks.clip_text import ACTIVATIONS, ClipText
from imaginairy.networks.config import ClipTextConfig
from imaginairy.published.naming import Naming, Shapes, at, count, told
from imaginairy.settings import SIZE, OneOf, Schema, Settings, Whole, read
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

LEVEL = "text_model."
"""What older versions of transformers put before all names."""
HEAD_WIDTH = 64
"""Channels of one attention head in every published CLIP text transformer."""
FEWEST_TOKENS = 3
WIDEST_OF_OPENAI = 768
"""Up to here weights are OpenAI's or like them; wider ones are of OpenCLIP's design."""
VOCABULARY = ClipTextConfig.end_token + 1
"""Tokens of CLIP's own vocabulary, of which the last ends a text."""
NO_END = 2
"""What configurations long had for `eos_token_id`, whatever the vocabulary."""
SETTINGS: Schema = {
    "num_hidden_layers": Whole(SIZE.low, SIZE.high, null=True),
    "num_attention_heads": SIZE,
    "hidden_act": OneOf(tuple(ACTIVATIONS)),
    "eos_token_id": Whole(0, SIZE.high, null=True),
}
"""What is read of its settings that shapes do not tell."""

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
OPENCLIP_LAYER: Names = {
    "norm1": "ln_1",
    **{
        f"attention.{module}.{kind}": f"attn.in_proj_{kind}[{part}/3]"
        for part, module in enumerate(("query", "key", "value"))
        for kind in ("weight", "bias")
    },
    "attention.out": "attn.out_proj",
    "norm2": "ln_2",
    "widen": "mlp.c_fc",
    "narrow": "mlp.c_proj",
}


def clip_text(tensors: Tensors, settings: Settings) -> Part:
    """Read a text transformer off its tensors.

    Layers behind `num_hidden_layers` of the settings are left out. Beside what
    transformers calls them, the settings may hold `final_norm`, whether embeddings are
    normalised (they are), `pooled`, whether the text is embedded as one, too (it is
    not), and `projected`, whether that is projected.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
        CheckpointError: it is of a kind that is not supported.
    """
    naming = told(tensors.shapes, NAMINGS)
    config = naming.config(tensors.shapes, settings)
    if config.max_tokens < FEWEST_TOKENS:
        raise CheckpointError(
            f"The text encoder of this checkpoint reads {config.max_tokens} tokens at "
            f"a time; {FEWEST_TOKENS} is the least: a start, one of text and an end."
        )
    used = _layers_used(Path(tensors.origin), config, settings)
    if naming is OPENCLIP and not config.pooled:
        used = min(used, config.layers - 1)  # the last serves the pooled text alone
    left = tuple(
        rf"(.*\.)?(encoder\.layers|resblocks)\.{layer}\..*"
        for layer in range(used, config.layers)
    )
    config = replace(config, layers=used)
    names = naming.names(config)
    part = Part(ClipText, config, tensors, names, title="CLIP text encoder")
    return replace(part, ignored=(*part.ignored, *left))


def _layers_used(where: Path, config: ClipTextConfig, settings: Settings) -> int:
    """Count the layers that settings leave, and say so where they are not all."""
    held = config.layers
    layers = {"num_hidden_layers": Whole(1, held)}
    used = read(where, settings, layers, "").get("num_hidden_layers", held)
    if used < held:
        log.info(
            "%s: of the text encoder's %d layers the first %d are used, as its "
            "num_hidden_layers says (a clip skip of %d).",
            where,
            held,
            used,
            held - used + 1,
        )
    return used


def config_below(level: str, shapes: Shapes, settings: Settings) -> ClipTextConfig:
    """Size a text transformer as transformers names it, behind a level."""
    return _config(
        shapes[f"{level}embeddings.token_embedding.weight"],
        shapes[f"{level}embeddings.position_embedding.weight"],
        count(shapes, level + "encoder.layers.{}.mlp.fc1.weight"),
        shapes[f"{level}encoder.layers.0.mlp.fc1.weight"],
        shapes["text_projection.weight"][0] if settings.get("projected") else None,
        settings,
    )


def openclip_config(shapes: Shapes, settings: Settings) -> ClipTextConfig:
    """Size a text transformer as OpenCLIP names it."""
    return _config(
        shapes["token_embedding.weight"],
        shapes["positional_embedding"],
        count(shapes, "transformer.resblocks.{}.mlp.c_fc.weight"),
        shapes["transformer.resblocks.0.mlp.c_fc.weight"],
        shapes["text_projection"][1] if settings.get("projected") else None,
        {"hidden_act": "gelu", **settings},
    )


def _config(
    tokens: tuple[int, ...],
    positions: tuple[int, ...],
    layers: int,
    widening: tuple[int, ...],
    projection_dim: int | None,
    settings: Settings,
) -> ClipTextConfig:
    vocab_size, width = tokens
    heads = settings.get("num_attention_heads", max(1, width // HEAD_WIDTH))
    usual = "quick_gelu" if width <= WIDEST_OF_OPENAI else "gelu"
    end = settings.get("eos_token_id", NO_END)
    if not NO_END < end < vocab_size:
        end = min(vocab_size, VOCABULARY) - 1
    return ClipTextConfig(
        vocab_size=vocab_size,
        width=width,
        layers=layers,
        heads=heads,
        mlp_width=widening[0],
        max_tokens=positions[0],
        activation=settings.get("hidden_act", usual),
        final_norm=settings.get("final_norm", ClipTextConfig.final_norm),
        pooled=settings.get("pooled", ClipTextConfig.pooled),
        projection_dim=projection_dim,
        end_token=end,
    )


def names_below(level: str, config: ClipTextConfig) -> Names:
    """Name a text transformer as transformers does, behind a level."""
    names = {
        "tokens": f"{level}embeddings.token_embedding",
        "positions": f"{level}embeddings.position_embedding",
        "norm_out": f"{level}final_layer_norm",
        "projection": "text_projection",
    }
    for layer in range(config.layers):
        names |= at(f"layers.{layer}", f"{level}encoder.layers.{layer}", LAYER)
    return names


def openclip_names(config: ClipTextConfig) -> Names:
    """Name a text transformer as OpenCLIP does."""
    names = {
        "tokens": "token_embedding",
        "positions.weight": "positional_embedding",
        "norm_out": "ln_final",
        "projection.weight": "text_projection[T]",
    }
    for layer in range(config.layers + 1):  # the last of which may be read by none
        theirs = f"transformer.resblocks.{layer}"
        names |= at(f"layers.{layer}", theirs, OPENCLIP_LAYER)
    return names


def last_for_pooled(config: ClipTextConfig) -> Names:
    """Name the layer that serves the pooled text alone, where that is not read.

    Whoever counts layers from the end needs it to be there.
    """
    last = config.layers
    return {} if config.pooled else {f"layers.{last}": f"layers.{last - 1}"}


def positions(config: ClipTextConfig) -> dict[str, torch.Tensor]:
    """Return the numbers of all places, which single files have always held."""
    return {f"{LEVEL}embeddings.position_ids": torch.arange(config.max_tokens)[None]}


OPENCLIP = Naming(
    "OpenCLIP",
    r"transformer\.resblocks\.",
    openclip_config,
    openclip_names,
    spare=last_for_pooled,
)
LEVELLED = Naming(
    "transformers before version 5",
    LEVEL,
    partial(config_below, LEVEL),
    partial(names_below, LEVEL),
)
IN_FILES = replace(LEVELLED, constants=positions)
"""As it is written in single files."""
TRANSFORMERS = Naming(
    "transformers",
    r"(embeddings|encoder|final_layer_norm)\.",
    partial(config_below, ""),
    partial(names_below, ""),
)
NAMINGS = (OPENCLIP, LEVELLED, TRANSFORMERS)
