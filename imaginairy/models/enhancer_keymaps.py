"""Upscalers and face restorers as published: their tensors' names, and their sizes.

As in `keymaps`, a table gives {our module: its published module}. What shapes do not
tell (heads, groups) is that of the published weights, unless `settings` says otherwise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from math import isqrt

from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.models.assemble import Part
from imaginairy.models.keymaps import (
    AUTOENCODER_COMPVIS_RESIDUAL,
    COMPVIS_PICTURE_ATTENTION,
    Names,
    _at,
)
from imaginairy.models.sizes import Settings, Shapes, _count
from imaginairy.models.weightfile import Tensors
from imaginairy.networks.codeformer import CodeFormer
from imaginairy.networks.enhancer_config import (
    CodeFormerConfig,
    RRDBNetConfig,
    SRVGGConfig,
)
from imaginairy.networks.rrdbnet import CONVOLUTIONS, DENSE_BLOCKS, RRDBNet
from imaginairy.networks.srvgg import SRVGG

HEAD_WIDTH = 64
"""Channels of one attention head in the published CodeFormer."""
POSITIONS = "position_emb"
"""A published tensor that stands alone; it is read as the `weight` of that name."""

RESIDUAL: Names = {**AUTOENCODER_COMPVIS_RESIDUAL, "shortcut": "conv_out"}
FUSION: Names = {
    **_at("merge", "encode_enc", RESIDUAL),
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


def upscaler_part(tensors: Tensors) -> Part:
    """Tell an upscaler's design and size by its tensors.

    Raises:
        CheckpointError: they are of no design known here.
    """
    shapes = tensors.shapes
    with _lacking(tensors, "Real-ESRGAN upscaler"):
        if "conv_first.weight" in shapes:
            rrdb = rrdbnet_config(shapes)
            return Part(RRDBNet, rrdb, tensors, rrdbnet(rrdb))
        compact = srvgg_config(shapes)
        return Part(SRVGG, compact, tensors, srvgg(compact))


def codeformer_part(tensors: Tensors, settings: Settings | None = None) -> Part:
    """Tell a face restorer's size by its tensors.

    Args:
        settings: `heads` and `norm_groups`, where they are not the published ones.

    Raises:
        CheckpointError: they are no CodeFormer's.
    """
    tensors = _WithPositions(tensors)
    with _lacking(tensors, "CodeFormer"):
        config = codeformer_config(tensors.shapes, settings or {})
        return Part(CodeFormer, config, tensors, codeformer(config))


def rrdbnet_config(shapes: Shapes) -> RRDBNetConfig:
    """Size an RRDBNet; the channels that the picture is folded into tell the scale."""
    channels, folded = shapes["conv_first.weight"][:2]
    image_channels = shapes["conv_last.weight"][0]
    fold = isqrt(folded // image_channels)
    if fold not in (1, 2, 4) or folded != image_channels * fold**2:
        raise CheckpointError(
            f"An upscaler from {folded} channels to {image_channels} is of no known "
            "scale; 1, 2 and 4 are supported."
        )
    return RRDBNetConfig(
        scale=4 // fold,
        image_channels=image_channels,
        channels=channels,
        growth=shapes["body.0.rdb1.conv1.weight"][0],
        blocks=_count(shapes, "body.{}.rdb1.conv1.weight"),
    )


def rrdbnet(config: RRDBNetConfig) -> Names:
    """Name an RRDBNet as Real-ESRGAN does."""
    names = {
        "conv_in": "conv_first",
        "conv_trunk": "conv_body",
        "enlarge1": "conv_up1",
        "enlarge2": "conv_up2",
        "conv_fine": "conv_hr",
        "conv_out": "conv_last",
    }
    for block in range(config.blocks):
        for dense in range(DENSE_BLOCKS):
            ours = f"blocks.{block}.dense.{dense}.convolutions"
            theirs = f"body.{block}.rdb{dense + 1}"
            for index in range(CONVOLUTIONS):
                names[f"{ours}.{index}"] = f"{theirs}.conv{index + 1}"
    return names


def srvgg_config(shapes: Shapes) -> SRVGGConfig:
    """Size a compact upscaler, whose convolutions and activations take turns."""
    channels, image_channels = shapes["body.0.weight"][:2]
    last = _count(shapes, "body.{}.weight") - 1
    return SRVGGConfig(
        scale=isqrt(shapes[f"body.{last}.weight"][0] // image_channels),
        image_channels=image_channels,
        channels=channels,
        layers=last // 2 - 1,
    )


def srvgg(config: SRVGGConfig) -> Names:
    """Name a compact upscaler as Real-ESRGAN does."""
    places = 2 * (config.layers + 1) + 1
    return {f"layers.{place}": f"body.{place}" for place in range(places)}


def codeformer_config(shapes: Shapes, settings: Settings) -> CodeFormerConfig:
    """Size a CodeFormer, by the row of its encoder's blocks above all."""
    levels = _encoder_levels(shapes)
    residuals = [
        [block for block in level if f"{block}.conv1.weight" in shapes]
        for level in levels
    ]
    codes, code_width = shapes["quantize.embedding.weight"]
    tokens, width = shapes[f"{POSITIONS}.weight"]
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
        layers=_count(shapes, "ft_layers.{}.linear1.weight"),
        heads=settings.get("heads", max(1, width // HEAD_WIDTH)),
        mlp_width=shapes["ft_layers.0.linear1.weight"][0],
    )


def _encoder_levels(shapes: Shapes) -> list[list[str]]:
    """Name the encoder's blocks level by level, without those of the middle."""
    levels: list[list[str]] = [[]]
    for place in count(1):
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
        "positions": POSITIONS,
        "embed": "feat_emb",
        "norm_out": "idx_pred_layer.0",
        "choose": "idx_pred_layer.1",
    }
    for layer in range(config.layers):
        names |= _at(f"layers.{layer}", f"ft_layers.{layer}", LAYER)
    levels = range(len(config.channels))
    encoder, decoder = ["conv_in"], ["conv_in", *MIDDLE]
    for level in levels:
        encoder += [f"levels.{level}.downsample"] if level else []
        encoder += _blocks(level, level, config)
    for place, level in enumerate(reversed(levels)):
        decoder += _blocks(place, level, config)
        decoder += [f"levels.{place}.upsample"] if level else []
        fusion = _fusion(config.image_size, level)
        names |= _at(f"decoder.levels.{place}.fusion", fusion, FUSION)
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
            return _at(ours, theirs, RESIDUAL)
        case "attention":
            return _at(ours, theirs, COMPVIS_PICTURE_ATTENTION)
        case "downsample" | "upsample":
            return {ours: f"{theirs}.conv"}
    return {ours: theirs}


def _fusion(image_size: int, level: int) -> str:
    """Name the fusion of a level, which goes by the level's side in pixels."""
    return f"fuse_convs_dict.{image_size >> level}"


class _WithPositions(Tensors):
    """A CodeFormer's tensors, the one that stands alone named like all others."""

    def __init__(self, published: Tensors) -> None:
        self.published = published
        self.names = {
            f"{name}.weight" if name == POSITIONS else name: name
            for name in published.shapes
        }
        shapes = {ours: published.shapes[name] for ours, name in self.names.items()}
        super().__init__(published.origin, shapes)

    def read(self, name: str) -> Tensor:
        return self.published.read(self.names[name])


@contextmanager
def _lacking(tensors: Tensors, network: str) -> Iterator[None]:
    """Turn the lookup of a tensor that is not there into a sentence."""
    try:
        yield
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f"'{tensors.origin}' holds no {network}: the tensor {error} is missing."
        ) from error
