"""CodeFormer as published: its tensors' names, and its size.

What shapes do not tell (heads, groups) is that of the published weights, unless
`settings` says otherwise.
"""

from itertools import count as counted
from math import isqrt

from imaginairy.networks.codeformer import CodeFormer
from imaginairy.networks.enhancer_config import CodeFormerConfig
from imaginairy.published.autoencoder import COMPVIS_ATTENTION, COMPVIS_RESIDUAL
from imaginairy.published.naming import Shapes, at, count, lacking
from imaginairy.settings import GROUPS, SIZE, Schema, Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

HEAD_WIDTH = 64
"""Channels of one attention head in the published CodeFormer."""
SETTINGS: Schema = {"heads": SIZE, "norm_groups": GROUPS}
"""What is read of its config.json that shapes do not tell."""
POSITIONS = "position_emb"
"""A published tensor that is no module's."""

RESIDUAL: Names = {**COMPVIS_RESIDUAL, "shortcut": "conv_out"}
FUSION: Names = {
    **at("merge", "encode_enc", RESIDUAL),
    "scale1": "scale.0",
    "scale2": "scale.2",
    "shift1": "shift.0",
    "shift2": "shift.2",
}
LAYER: Names = {
    "norm1": "norm1",
    "attention": "self_attn",
    "attention.out_proj": "self_attn.out_proj",
    "norm2": "norm2",
    "widen": "linear1",
    "narrow": "linear2",
}
MIDDLE = ("middle.0.residual", "middle.0.attention", "middle.1.residual")


def is_codeformer(shapes: Shapes) -> bool:
    """Tell a CodeFormer, whole or not, by its tensors."""
    return "quantize.embedding.weight" in shapes or POSITIONS in shapes


def codeformer_part(tensors: Tensors, settings: Settings | None = None) -> Part:
    """Tell a face restorer's size by its tensors.

    Args:
        settings: `heads` and `norm_groups`, where they are not the published ones.

    Raises:
        CheckpointError: they are no CodeFormer's.
    """
    with lacking(tensors, "CodeFormer"):
        config = codeformer_config(tensors.shapes, settings or {})
        return Part(CodeFormer, config, tensors, codeformer(config))


def codeformer_config(shapes: Shapes, settings: Settings) -> CodeFormerConfig:
    """Size a CodeFormer, by the row of its encoder's blocks above all."""
    levels = _encoder_levels(shapes)
    residuals = [
        [block for block in level if f"{block}.conv1.weight" in shapes]
        for level in levels
    ]
    codes, code_width = shapes["quantize.embedding.weight"]
    tokens, width = shapes[POSITIONS]
    image_size = isqrt(tokens) << (len(levels) - 1)
    return CodeFormerConfig(
        image_size=image_size,
        image_channels=shapes["encoder.blocks.0.weight"][1],
        channels=tuple(shapes[f"{row[0]}.conv1.weight"][0] for row in residuals),
        attention=tuple(
            len(level) > len(row) for level, row in zip(levels, residuals, strict=True)
        ),
        fused=tuple(
            f"{_fusion(image_size, level)}.scale.0.weight" in shapes
            for level in range(len(levels))
        ),
        blocks_per_level=len(residuals[0]),
        norm_groups=settings.get("norm_groups", CodeFormerConfig.norm_groups),
        codes=codes,
        code_width=code_width,
        width=width,
        layers=count(shapes, "ft_layers.{}.linear1.weight"),
        heads=settings.get("heads", max(1, width // HEAD_WIDTH)),
        mlp_width=shapes["ft_layers.0.linear1.weight"][0],
    )


def _encoder_levels(shapes: Shapes) -> list[list[str]]:
    """Name the encoder's blocks level by level, without those of the middle."""
    levels: list[list[str]] = [[]]
    for place in counted(1):
        block = f"encoder.blocks.{place}"
        if f"{block}.conv.weight" in shapes:
            levels.append([])
        elif f"{block}.conv1.weight" in shapes or f"{block}.q.weight" in shapes:
            levels[-1].append(block)
        elif f"encoder.blocks.{place + 1}.weight" in shapes:  # leads out, after a norm
            break
        else:
            raise KeyError(f"{block}.weight")
    del levels[-1][-len(MIDDLE) :]
    return levels


def codeformer(config: CodeFormerConfig) -> Names:
    """Name a CodeFormer as published: blocks and halvings numbered in one row."""
    names = {
        "codebook": "quantize.embedding",
        "positions.weight": POSITIONS,
        "embed": "feat_emb",
        "norm_out": "idx_pred_layer.0",
        "choose": "idx_pred_layer.1",
    }
    for layer in range(config.layers):
        names |= at(f"layers.{layer}", f"ft_layers.{layer}", LAYER)
    levels = range(len(config.channels))
    encoder, decoder = ["conv_in"], ["conv_in", *MIDDLE]
    for level in levels:
        encoder += [f"levels.{level}.downsample"] if level else []
        encoder += _blocks(level, level, config)
    for place, level in enumerate(reversed(levels)):
        decoder += _blocks(place, level, config)
        decoder += [f"levels.{place}.upsample"] if level else []
        fusion = _fusion(config.image_size, level)
        names |= at(f"decoder.levels.{place}.fusion", fusion, FUSION)
    encoder += [*MIDDLE, "norm_out", "conv_out"]
    decoder += ["norm_out", "conv_out"]
    for ours, theirs, row in (
        ("encoder", "encoder", encoder),
        ("decoder", "generator", decoder),
    ):
        for place, module in enumerate(row):
            names |= _in_row(f"{ours}.{module}", f"{theirs}.blocks.{place}")
    return names


def _blocks(place: int, level: int, config: CodeFormerConfig) -> list[str]:
    """List our names of a level's blocks, in the order in which they run."""
    kinds = ("residual", "attention") if config.attention[level] else ("residual",)
    return [
        f"levels.{place}.blocks.{block}.{kind}"
        for block in range(config.blocks_per_level)
        for kind in kinds
    ]


def _in_row(ours: str, theirs: str) -> Names:
    """Name what stands at one place of a row; the last word of ours says what it is."""
    match ours.rpartition(".")[2]:
        case "residual":
            return at(ours, theirs, RESIDUAL)
        case "attention":
            return at(ours, theirs, COMPVIS_ATTENTION)
        case "downsample" | "upsample":
            return {ours: f"{theirs}.conv"}
    return {ours: theirs}


def _fusion(image_size: int, level: int) -> str:
    """Name the fusion of a level, which goes by the level's side in pixels."""
    return f"fuse_convs_dict.{image_size >> level}"
