"""Network sizes, read off the shapes of a checkpoint's tensors.

What shapes do not tell (heads, groups, activation) is Stable Diffusion's unless a
configuration file beside the weights says otherwise.
"""

from collections.abc import Mapping
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.models.declared import shown_value
from imaginairy.networks.config import AutoencoderConfig, ClipTextConfig, UNetConfig

Shapes = Mapping[str, tuple[int, ...]]
"""Tensor names, without the prefix of their network, and shapes."""
Settings = Mapping[str, Any]
"""What a configuration file says; empty where there is none."""

UNET_INPUTS = (4, 9)
CLIP_HEAD_WIDTH = 64
"""Channels of one attention head in every published CLIP text transformer."""
FEWEST_TOKENS = 3


def unet_config_compvis(shapes: Shapes, settings: Settings) -> UNetConfig:
    """Size a UNet in the CompVis naming."""
    channels: list[int] = []
    attention: list[bool] = []
    blocks: list[int] = [0]
    place = 1
    while True:
        name = f"input_blocks.{place}.0"
        if f"{name}.op.weight" in shapes:
            blocks.append(0)
        elif f"{name}.in_layers.2.weight" in shapes:
            if not blocks[-1]:
                channels.append(shapes[f"{name}.in_layers.2.weight"][0])
                attention.append(f"input_blocks.{place}.1.norm.weight" in shapes)
            blocks[-1] += 1
        else:
            break
        place += 1
    return _unet_config(
        shapes,
        channels,
        attention,
        blocks,
        conv_in="input_blocks.0.0.weight",
        conv_out="out.2.weight",
        middle="middle_block.1",
        heads=settings.get("num_attention_heads", 8),
        norm_groups=32,
    )


def unet_config_diffusers(shapes: Shapes, settings: Settings) -> UNetConfig:
    """Size a UNet in the diffusers naming."""
    levels = _count(shapes, "down_blocks.{}.resnets.0.conv1.weight")
    names = [f"down_blocks.{level}" for level in range(levels)]
    heads = settings.get("num_attention_heads") or settings.get("attention_head_dim")
    return _unet_config(
        shapes,
        [shapes[f"{name}.resnets.0.conv1.weight"][0] for name in names],
        [f"{name}.attentions.0.norm.weight" in shapes for name in names],
        [_count(shapes, name + ".resnets.{}.conv1.weight") for name in names],
        conv_in="conv_in.weight",
        conv_out="conv_out.weight",
        middle="mid_block.attentions.0",
        # diffusers calls the number of heads their dimension, and keeps the name.
        heads=heads or 8,
        norm_groups=settings.get("norm_num_groups", 32),
    )


def _unet_config(
    shapes: Shapes,
    channels: list[int],
    attention: list[bool],
    blocks: list[int],
    *,
    conv_in: str,
    conv_out: str,
    middle: str,
    heads: Any,
    norm_groups: Any,
) -> UNetConfig:
    projection = shapes[f"{middle}.proj_in.weight"]
    deeper = f"{middle}.transformer_blocks.1.norm1.weight" in shapes
    even = bool(channels) and len(set(blocks)) == 1
    if not even or len(projection) != 4 or deeper:
        raise CheckpointError(
            "The UNet of this checkpoint is not of the Stable Diffusion 1.x design "
            "(2.x and XL are others); give a 1.x model or a fine-tune of one."
        )
    if shapes[conv_in][1] not in UNET_INPUTS:
        raise CheckpointError(
            f"The UNet of this checkpoint takes {shapes[conv_in][1]} channels; only "
            "ordinary models (4) and inpainting models (9) are supported."
        )
    if not isinstance(heads, list):
        heads = [heads] * len(channels)
    return UNetConfig(
        in_channels=shapes[conv_in][1],
        out_channels=shapes[conv_out][0],
        channels=tuple(channels),
        attention=tuple(attention),
        heads=tuple(_whole("attention heads", each) for each in heads),
        blocks_per_level=blocks[0],
        context_dim=shapes[f"{middle}.transformer_blocks.0.attn2.to_k.weight"][1],
        norm_groups=_whole("groups", norm_groups),
    )


def autoencoder_config_compvis(shapes: Shapes, settings: Settings) -> AutoencoderConfig:
    """Size an autoencoder in the CompVis naming."""
    return _autoencoder_config(
        shapes,
        block="encoder.down.{}.block.{}.conv1.weight",
        norm="encoder.norm_out.weight",
        attention="encoder.mid.attn_1.q.weight",
        settings=settings,
    )


def autoencoder_config_diffusers(
    shapes: Shapes, settings: Settings
) -> AutoencoderConfig:
    """Size an autoencoder in the diffusers naming."""
    return _autoencoder_config(
        shapes,
        block="encoder.down_blocks.{}.resnets.{}.conv1.weight",
        norm="encoder.conv_norm_out.weight",
        attention="encoder.mid_block.attentions.0.group_norm.weight",
        settings=settings,
    )


def _autoencoder_config(
    shapes: Shapes, *, block: str, norm: str, attention: str, settings: Settings
) -> AutoencoderConfig:
    levels = max(1, _count(shapes, block.format("{}", 0)))
    groups = 0  # an autoencoder without normalisation has no groups to speak of
    if norm in shapes:
        groups = _whole("groups", settings.get("norm_num_groups", 32))
    return AutoencoderConfig(
        channels=tuple(shapes[block.format(level, 0)][0] for level in range(levels)),
        blocks_per_level=_count(shapes, block.format(0, "{}")),
        image_channels=shapes["decoder.conv_out.weight"][0],
        latent_channels=shapes["post_quant_conv.weight"][1],
        middle_attention=attention in shapes,
        norm_groups=groups,
        scale_factor=settings.get("scaling_factor", AutoencoderConfig.scale_factor),
    )


def clip_text_config(shapes: Shapes, settings: Settings) -> ClipTextConfig:
    """Size a text transformer in transformers' naming."""
    vocab_size, width = shapes["embeddings.token_embedding.weight"]
    max_tokens = shapes["embeddings.position_embedding.weight"][0]
    if max_tokens < FEWEST_TOKENS:
        raise CheckpointError(
            f"The text encoder of this checkpoint reads {max_tokens} tokens at a time; "
            f"{FEWEST_TOKENS} is the least: a start, one of text and an end."
        )
    heads = settings.get("num_attention_heads", max(1, width // CLIP_HEAD_WIDTH))
    return ClipTextConfig(
        vocab_size=vocab_size,
        width=width,
        layers=_count(shapes, "encoder.layers.{}.mlp.fc1.weight"),
        heads=_whole("attention heads", heads),
        mlp_width=shapes["encoder.layers.0.mlp.fc1.weight"][0],
        max_tokens=max_tokens,
        activation=settings.get("hidden_act", ClipTextConfig.activation),
    )


def _count(shapes: Shapes, pattern: str) -> int:
    """Count how far a numbered name goes, from 0."""
    number = 0
    while pattern.format(number) in shapes:
        number += 1
    return number


def _whole(what: str, value: Any) -> int:
    """Return what settings say how many there are of; refuse what is no number."""
    if type(value) is not int or value < 1:
        raise CheckpointError(
            f"The settings of this checkpoint ask for {shown_value(value)} {what}; "
            "give a whole number above 0."
        )
    return value
