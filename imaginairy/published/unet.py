"""The denoising UNet of latent diffusion as CompVis and diffusers name it."""

from itertools import count as counted
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.networks.config import Depths, UNetConfig
from imaginairy.networks.unet import UNet
from imaginairy.published.naming import (
    Naming,
    OtherDesignError,
    Shapes,
    at,
    count,
    told,
)
from imaginairy.settings import SIZE, OneOrMore, Schema, Settings, Whole
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

USUAL_HEADS = 8
"""Where transformers project by convolutions, as Stable Diffusion 1.x does."""
HEAD_WIDTH = 64
"""Channels of a head where they project by matrices, as all later ones do."""
READ_GUIDANCE = ("time_embed.cond_proj.weight", "time_embedding.cond_proj.weight")
"""What embeds the guidance scale, where a UNet reads it."""
USUAL_GROUPS = UNetConfig.norm_groups
USUAL_ID_DIM = UNetConfig.id_dim
HEADS = ("num_attention_heads", "attention_head_dim")
"""What settings call the number of heads; diffusers has the second, which is wrong."""
SIZE_OR_NULL = Whole(SIZE.low, SIZE.high, null=True)
SETTINGS: Schema = {
    "num_attention_heads": OneOrMore(SIZE),
    "attention_head_dim": OneOrMore(SIZE),
    "num_head_channels": SIZE_OR_NULL,
    "norm_num_groups": SIZE,
    "addition_time_embed_dim": SIZE_OR_NULL,
    "time_cond_proj_dim": SIZE_OR_NULL,
}
"""What is read of its settings that shapes do not tell."""
MATRIX = 2
"""Axes of a matrix, where a convolution has four."""

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
    "project_out": "proj_out",
}
TRANSFORMER_BLOCK: Names = {
    "norm1": "norm1",
    "self_attention.query": "attn1.to_q",
    "self_attention.key": "attn1.to_k",
    "self_attention.value": "attn1.to_v",
    "self_attention.out": "attn1.to_out.0",
    "norm2": "norm2",
    "cross_attention.query": "attn2.to_q",
    "cross_attention.key": "attn2.to_k",
    "cross_attention.value": "attn2.to_v",
    "cross_attention.out": "attn2.to_out.0",
    "norm3": "norm3",
    "feed_forward.widen": "ff.net.0.proj",
    "feed_forward.narrow": "ff.net.2",
}


def unet(tensors: Tensors, settings: Settings) -> Part:
    """Read a UNet off its tensors.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
        CheckpointError: it is of a kind that is not supported.
    """
    return told(tensors.shapes, NAMINGS).part(UNet, tensors, settings)


def plain_unet(tensors: Tensors, settings: Settings) -> Part:
    """Read a UNet of the first design, whose transformers project by convolutions.

    Raises:
        OtherDesignError: it is one of a later design.
    """
    if projects_by_matrices(tensors.shapes):
        raise OtherDesignError("its transformers project by matrices")
    return unet(tensors, settings)


def compvis_config(shapes: Shapes, settings: Settings) -> UNetConfig:
    """Size a UNet whose blocks and halvings are numbered in one row."""
    depths = transformer_depths(shapes)
    channels: list[int] = []
    down: list[list[int]] = [[]]
    for place in counted(1):
        name = f"input_blocks.{place}.0"
        if f"{name}.op.weight" in shapes:
            down.append([])
        elif f"{name}.in_layers.2.weight" in shapes:
            if not down[-1]:
                channels.append(shapes[f"{name}.in_layers.2.weight"][0])
            down[-1].append(depths.get(f"input_blocks.{place}.1", 0))
        else:
            break
    middle: list[int] = []
    for place in counted():
        name = f"middle_block.{place}"
        if f"{name}.in_layers.2.weight" in shapes:
            middle.append(0)
        elif name in depths:
            middle[-1] = depths[name]
        else:
            break
    places = counted()
    up = [
        [
            depths.get(f"output_blocks.{next(places)}.1", 0)
            for _ in range(len(level) + 1)
        ]
        for level in reversed(down)
    ]
    return _config(
        shapes,
        channels,
        (down, middle, up),
        depths,
        conv_in="input_blocks.0.0.weight",
        conv_out="out.2.weight",
        beside_text="label_emb.0.0.weight",
        settings=settings,
    )


def diffusers_config(shapes: Shapes, settings: Settings) -> UNetConfig:
    """Size a UNet whose blocks are numbered level by level."""
    depths = transformer_depths(shapes)
    levels = count(shapes, "down_blocks.{}.resnets.0.conv1.weight")
    blocks = [
        count(shapes, f"down_blocks.{level}.resnets.{{}}.conv1.weight")
        for level in range(levels)
    ]

    def row(name: str, length: int) -> list[int]:
        return [depths.get(f"{name}.attentions.{n}", 0) for n in range(length)]

    down = [row(f"down_blocks.{n}", length) for n, length in enumerate(blocks)]
    middle = row("mid_block", count(shapes, "mid_block.resnets.{}.conv1.weight"))
    up = [row(f"up_blocks.{n}", 1 + length) for n, length in enumerate(blocks[::-1])]
    return _config(
        shapes,
        [shapes[f"down_blocks.{n}.resnets.0.conv1.weight"][0] for n in range(levels)],
        (down, middle, up),
        depths,
        conv_in="conv_in.weight",
        conv_out="conv_out.weight",
        beside_text="add_embedding.linear_1.weight",
        settings=settings,
    )


def projects_by_matrices(shapes: Shapes) -> bool:
    """Whether the transformers are laid out as in Stable Diffusion 2 and later."""
    return any(
        name.endswith(".proj_in.weight") and len(shape) == MATRIX
        for name, shape in shapes.items()
    )


def transformer_depths(shapes: Shapes) -> dict[str, int]:
    """Count the blocks of every transformer, by its place."""
    blocks: dict[str, set[str]] = {}
    for name in shapes:
        place, _, below = name.partition(".transformer_blocks.")
        if below:
            blocks.setdefault(place, set()).add(below.partition(".")[0])
    return {
        place: next(depth for depth in counted() if str(depth) not in numbers)
        for place, numbers in blocks.items()
    }


def _config(
    shapes: Shapes,
    channels: list[int],
    rows: tuple[list[list[int]], list[int], list[list[int]]],
    depths: dict[str, int],
    *,
    conv_in: str,
    conv_out: str,
    beside_text: str,
    settings: Settings,
) -> UNetConfig:
    down, middle, up = rows
    if len(channels) != len(down) or not depths:
        raise OtherDesignError("it has levels without blocks, or none reads a text")
    transformer = min(depths)
    taken, given = shapes[conv_in][1], shapes[conv_out][0]
    kinds = {
        "ordinary models": given,
        "models led by depth": given + 1,
        "models that edit": 2 * given,
        "inpainting models": 2 * given + 1,
    }
    if taken not in kinds.values():
        *others, last = (f"{kind} ({channels})" for kind, channels in kinds.items())
        raise CheckpointError(
            f"The UNet of this checkpoint takes {taken} channels; only "
            f"{', '.join(others)} and {last} are "
            "supported."
        )
    heads: Any = next(filter(None, map(settings.get, HEADS)), None)
    wide = settings.get("num_head_channels")
    if wide is None and heads is None and projects_by_matrices(shapes):
        wide = HEAD_WIDTH
    if wide is not None:
        heads = [max(1, width // wide) for width in channels]
    if not isinstance(heads, list | tuple):
        heads = [USUAL_HEADS if heads is None else heads] * len(channels)
    if len(heads) != len(channels):
        raise CheckpointError(
            f"The settings of this checkpoint give the attention heads of {len(heads)} "
            f"levels; its UNet has {len(channels)}."
        )
    return UNetConfig(
        in_channels=taken,
        out_channels=given,
        channels=tuple(channels),
        down=tuple(map(tuple, down)),
        middle=tuple(middle),
        up=tuple(map(tuple, up)),
        heads=tuple(heads),
        context_dim=shapes[f"{transformer}.transformer_blocks.0.attn2.to_k.weight"][1],
        added_dim=shapes[beside_text][-1] if beside_text in shapes else None,
        id_dim=settings.get("addition_time_embed_dim", USUAL_ID_DIM),
        norm_groups=settings.get("norm_num_groups", USUAL_GROUPS),
        guidance_dim=_guidance_dim(shapes, settings),
    )


def _guidance_dim(shapes: Shapes, settings: Settings) -> int | None:
    """Return how wide the guidance scale is embedded, where it is."""
    found = next((shapes[name] for name in READ_GUIDANCE if name in shapes), None)
    dim, said = None if found is None else found[1], settings.get("time_cond_proj_dim")
    if said not in (None, dim):
        raise OtherDesignError(
            f"it has time_cond_proj_dim '{said}' among its settings and "
            f"{dim or 'none'} in its weights"
        )
    return dim


def compvis_names(config: UNetConfig) -> Names:
    """Name a UNet as CompVis does, which numbers blocks and halvings in one row."""
    names = {
        "time_in": "time_embed.0",
        "time_out": "time_embed.2",
        "guidance_in.project": "time_embed.cond_proj",
        "beside_text.widen": "label_emb.0.0",
        "beside_text.out": "label_emb.0.2",
        "conv_in": "input_blocks.0.0",
        "norm_out": "out.0",
        "conv_out": "out.2",
    }
    place = counted(1)
    for level, depths in enumerate(config.down):
        for index, depth in enumerate(depths):
            theirs = f"input_blocks.{next(place)}"
            names |= _compvis_block(f"down.{level}.blocks.{index}", theirs, depth)
        names[f"down.{level}.downsample"] = f"input_blocks.{next(place)}.0.op"
    place = counted()
    for index, depth in enumerate(config.middle):
        ours = f"middle.blocks.{index}"
        theirs = f"middle_block.{next(place)}"
        names |= at(f"{ours}.residual", theirs, COMPVIS_RESIDUAL)
        if depth:
            theirs = f"middle_block.{next(place)}"
            names |= transformer_at(f"{ours}.transformer", theirs, depth)
    place = counted()
    for level, depths in enumerate(config.up):
        for index, depth in enumerate(depths):
            theirs = f"output_blocks.{next(place)}"
            names |= _compvis_block(f"up.{level}.blocks.{index}", theirs, depth)
        # Behind the last block's residual, and its transformer if it has one.
        names[f"up.{level}.upsample"] = f"{theirs}.{2 if depth else 1}.conv"
    return names


def _compvis_block(ours: str, theirs: str, depth: int) -> Names:
    return {
        **at(f"{ours}.residual", f"{theirs}.0", COMPVIS_RESIDUAL),
        **transformer_at(f"{ours}.transformer", f"{theirs}.1", depth),
    }


def transformer_at(ours: str, theirs: str, depth: int) -> Names:
    """Name a transformer of some depth at a place of both namings."""
    names = at(ours, theirs, TRANSFORMER)
    for index in range(depth):
        inner = f"{theirs}.transformer_blocks.{index}"
        names |= at(f"{ours}.blocks.{index}", inner, TRANSFORMER_BLOCK)
    return names


def diffusers_names(config: UNetConfig) -> Names:
    """Name a UNet as diffusers' UNet2DConditionModel does."""
    names = {
        "time_in": "time_embedding.linear_1",
        "time_out": "time_embedding.linear_2",
        "guidance_in.project": "time_embedding.cond_proj",
        "beside_text.widen": "add_embedding.linear_1",
        "beside_text.out": "add_embedding.linear_2",
        "conv_in": "conv_in",
        "norm_out": "conv_norm_out",
        "conv_out": "conv_out",
        **_diffusers_row("middle", "mid_block", config.middle),
    }
    for side, levels in (("down", config.down), ("up", config.up)):
        for level, depths in enumerate(levels):
            ours, theirs = f"{side}.{level}", f"{side}_blocks.{level}"
            names |= _diffusers_row(ours, theirs, depths)
            names[f"{ours}.{side}sample"] = f"{theirs}.{side}samplers.0.conv"
    return names


def _diffusers_row(ours: str, theirs: str, depths: Depths) -> Names:
    names: Names = {}
    for index, depth in enumerate(depths):
        block = f"{ours}.blocks.{index}"
        residual, transformer = (
            f"{theirs}.resnets.{index}",
            f"{theirs}.attentions.{index}",
        )
        names |= at(f"{block}.residual", residual, DIFFUSERS_RESIDUAL)
        names |= transformer_at(f"{block}.transformer", transformer, depth)
    return names


COMPVIS = Naming(
    "CompVis", r"(in|out)put_blocks\.|middle_block\.", compvis_config, compvis_names
)
DIFFUSERS = Naming(
    "diffusers", r"(down|up)_blocks\.|mid_block\.", diffusers_config, diffusers_names
)
NAMINGS = (COMPVIS, DIFFUSERS)
