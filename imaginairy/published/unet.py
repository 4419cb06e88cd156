"""The denoising UNet of latent diffusion as CompVis and diffusers name it."""

from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.networks.config import UNetConfig
from imaginairy.networks.unet import UNet
from imaginairy.published.naming import (
    Naming,
    OtherDesignError,
    Shapes,
    at,
    count,
    told,
)
from imaginairy.weights.assemble import Names, Part
from imaginairy.weights.settings import Settings, whole
from imaginairy.weights.weightfile import Tensors

USUAL_HEADS = 8
USUAL_GROUPS = 32

COMPVIS_RESIDUAL: Names = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "shortcut": "skip_connection",
}
DIFFUSERS_RESIDUAL: Names = {
    "norm1": "norm1",
    "conv1": "conv1",
    "time": "time_emb_proj",
    "norm2": "norm2",
    "conv2": "conv2",
    "shortcut": "conv_shortcut",
}
TRANSFORMER: Names = {
    "norm": "norm",
    "project_in": "proj_in",
    "block.norm1": "transformer_blocks.0.norm1",
    "block.self_attention.query": "transformer_blocks.0.attn1.to_q",
    "block.self_attention.key": "transformer_blocks.0.attn1.to_k",
    "block.self_attention.value": "transformer_blocks.0.attn1.to_v",
    "block.self_attention.out": "transformer_blocks.0.attn1.to_out.0",
    "block.norm2": "transformer_blocks.0.norm2",
    "block.cross_attention.query": "transformer_blocks.0.attn2.to_q",
    "block.cross_attention.key": "transformer_blocks.0.attn2.to_k",
    "block.cross_attention.value": "transformer_blocks.0.attn2.to_v",
    "block.cross_attention.out": "transformer_blocks.0.attn2.to_out.0",
    "block.norm3": "transformer_blocks.0.norm3",
    "block.feed_forward.widen": "transformer_blocks.0.ff.net.0.proj",
    "block.feed_forward.narrow": "transformer_blocks.0.ff.net.2",
    "project_out": "proj_out",
}


def unet(tensors: Tensors, settings: Settings) -> Part:
    """Read a UNet off its tensors.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
        CheckpointError: it is of a kind that is not supported.
    """
    return told(tensors.shapes, NAMINGS).part(UNet, tensors, settings)


def compvis_config(shapes: Shapes, settings: Settings) -> UNetConfig:
    """Size a UNet whose blocks and halvings are numbered in one row."""
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
    return _config(
        shapes,
        channels,
        attention,
        blocks,
        conv_in="input_blocks.0.0.weight",
        conv_out="out.2.weight",
        middle="middle_block.1",
        heads=settings.get("num_attention_heads", USUAL_HEADS),
        norm_groups=USUAL_GROUPS,
    )


def diffusers_config(shapes: Shapes, settings: Settings) -> UNetConfig:
    """Size a UNet whose blocks are numbered level by level."""
    levels = count(shapes, "down_blocks.{}.resnets.0.conv1.weight")
    names = [f"down_blocks.{level}" for level in range(levels)]
    heads = settings.get("num_attention_heads") or settings.get("attention_head_dim")
    return _config(
        shapes,
        [shapes[f"{name}.resnets.0.conv1.weight"][0] for name in names],
        [f"{name}.attentions.0.norm.weight" in shapes for name in names],
        [count(shapes, name + ".resnets.{}.conv1.weight") for name in names],
        conv_in="conv_in.weight",
        conv_out="conv_out.weight",
        middle="mid_block.attentions.0",
        # diffusers calls the number of heads their dimension, and keeps the name.
        heads=heads or USUAL_HEADS,
        norm_groups=settings.get("norm_num_groups", USUAL_GROUPS),
    )


def _config(
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
    if not channels or len(set(blocks)) != 1:
        raise OtherDesignError("its levels have not all as many blocks")
    if len(shapes[f"{middle}.proj_in.weight"]) != 4:
        raise OtherDesignError("its transformers project by matrices")
    if f"{middle}.transformer_blocks.1.norm1.weight" in shapes:
        raise OtherDesignError("its transformers are several blocks deep")
    taken, given = shapes[conv_in][1], shapes[conv_out][0]
    if taken not in (given, 2 * given + 1):
        raise CheckpointError(
            f"The UNet of this checkpoint takes {taken} channels; only ordinary models "
            f"({given}) and inpainting models ({2 * given + 1}) are supported."
        )
    if not isinstance(heads, list):
        heads = [heads] * len(channels)
    return UNetConfig(
        in_channels=taken,
        out_channels=given,
        channels=tuple(channels),
        attention=tuple(attention),
        heads=tuple(whole("attention heads", each) for each in heads),
        blocks_per_level=blocks[0],
        context_dim=shapes[f"{middle}.transformer_blocks.0.attn2.to_k.weight"][1],
        norm_groups=whole("groups", norm_groups),
    )


def compvis_names(config: UNetConfig) -> Names:
    """Name a UNet as CompVis does, which numbers blocks and halvings in one row."""
    names = {
        "time_in": "time_embed.0",
        "time_out": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "norm_out": "out.0",
        "conv_out": "out.2",
        **at("middle.first.residual", "middle_block.0", COMPVIS_RESIDUAL),
        **at("middle.first.transformer", "middle_block.1", TRANSFORMER),
        **at("middle.second.residual", "middle_block.2", COMPVIS_RESIDUAL),
    }
    levels, blocks = len(config.channels), config.blocks_per_level
    for level in range(levels):
        first = 1 + level * (blocks + 1)
        for index in range(blocks):
            ours, theirs = (
                f"down.{level}.blocks.{index}",
                f"input_blocks.{first + index}",
            )
            names |= at(f"{ours}.residual", f"{theirs}.0", COMPVIS_RESIDUAL)
            names |= at(f"{ours}.transformer", f"{theirs}.1", TRANSFORMER)
        names[f"down.{level}.downsample"] = f"input_blocks.{first + blocks}.0.op"
    for up in range(levels):
        for index in range(blocks + 1):
            ours = f"up.{up}.blocks.{index}"
            theirs = f"output_blocks.{up * (blocks + 1) + index}"
            names |= at(f"{ours}.residual", f"{theirs}.0", COMPVIS_RESIDUAL)
            names |= at(f"{ours}.transformer", f"{theirs}.1", TRANSFORMER)
        place = 2 if config.attention[levels - 1 - up] else 1
        last = up * (blocks + 1) + blocks
        names[f"up.{up}.upsample"] = f"output_blocks.{last}.{place}.conv"
    return names


def diffusers_names(config: UNetConfig) -> Names:
    """Name a UNet as diffusers' UNet2DConditionModel does."""
    names = {
        "time_in": "time_embedding.linear_1",
        "time_out": "time_embedding.linear_2",
        "conv_in": "conv_in",
        "norm_out": "conv_norm_out",
        "conv_out": "conv_out",
        **at("middle.first.residual", "mid_block.resnets.0", DIFFUSERS_RESIDUAL),
        **at("middle.first.transformer", "mid_block.attentions.0", TRANSFORMER),
        **at("middle.second.residual", "mid_block.resnets.1", DIFFUSERS_RESIDUAL),
    }
    for level in range(len(config.channels)):
        for side, blocks in (
            ("down", config.blocks_per_level),
            ("up", config.blocks_per_level + 1),
        ):
            ours, theirs = f"{side}.{level}", f"{side}_blocks.{level}"
            for index in range(blocks):
                block = f"{ours}.blocks.{index}"
                names |= at(
                    f"{block}.residual", f"{theirs}.resnets.{index}", DIFFUSERS_RESIDUAL
                )
                names |= at(
                    f"{block}.transformer", f"{theirs}.attentions.{index}", TRANSFORMER
                )
            names[f"{ours}.{side}sample"] = f"{theirs}.{side}samplers.0.conv"
    return names


COMPVIS = Naming(
    "CompVis", r"(in|out)put_blocks\.|middle_block\.", compvis_config, compvis_names
)
DIFFUSERS = Naming(
    "diffusers", r"(down|up)_blocks\.|mid_block\.", diffusers_config, diffusers_names
)
NAMINGS = (COMPVIS, DIFFUSERS)
