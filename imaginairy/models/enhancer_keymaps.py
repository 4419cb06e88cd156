"""Upscalers and face restorers as published: their tensors' names, and their sizes.

As in `keymaps`, a table gives {our module: its published module}. What shapes do not
tell (heads, groups) is that of the published weights, unless `settings` says otherwise.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from math import isqrt

from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.log import log
from imaginairy.models.keymaps import (
    AUTOENCODER_COMPVIS_RESIDUAL,
    COMPVIS_PICTURE_ATTENTION,
    _at,
)
from imaginairy.models.kinds import kind_of, known_kind
from imaginairy.models.sizes import Settings, Shapes, _count
from imaginairy.networks.codeformer import CodeFormer
from imaginairy.networks.enhancer_config import (
    CodeFormerConfig,
    RRDBNetConfig,
    SRVGGConfig,
)
from imaginairy.networks.rrdbnet import CONVOLUTIONS, DENSE_BLOCKS, RRDBNet
from imaginairy.networks.srvgg import SRVGG
from imaginairy.weights.assemble import Names, Part
from imaginairy.weights.weightfile import Tensors

PREFIXES = (
    "", "module.", "netG.", "net_g.", "generator_ema.", "generator.", "params_ema.",
    "params.",
)  # fmt: skip
"""What training programs put before all names of an upscaler."""
RRDB_NAMES = {
    "conv_in": ("conv_first", "conv_first", "model.0"),
    "dense": (
        "body.{block}.rdb{dense}.conv{index}",
        "RRDB_trunk.{block}.RDB{dense}.conv{index}",
        "model.1.sub.{block}.RDB{dense}.conv{index}.0",
    ),
    "conv_trunk": ("conv_body", "trunk_conv", "model.1.sub.{blocks}"),
    "enlarge": ("conv_up{number}", "upconv{number}", "model.{place}"),
    "conv_fine": ("conv_hr", "HRconv", "model.{fine}"),
    "conv_out": ("conv_last", "conv_last", "model.{out}"),
}
"""What the parts of an RRDBNet are called: by Real-ESRGAN, by ESRGAN, and in ESRGAN's
first files, where all that follows the blocks is numbered in one row."""
REAL_ESRGAN: Names = {part: names[0] for part, names in RRDB_NAMES.items()}
FIRST_DENSE = {"block": 0, "dense": 1, "index": 1}
SRVGG_NAME = re.compile(r"body\.(\d+)\.(weight|bias)")
FOLDS = (1, 2, 4)
"""Sides of the squares of pixels that upscalers fold into channels."""
GREY, COLORED = 1, 3
COLORS = {GREY, COLORED}
"""Channels that pictures may have here."""
TRANSPARENT = 4
"""Channels that an upscaler of pictures with transparency takes; of no other kind."""

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
    for prefix in PREFIXES:
        inner = tensors.below(prefix) if prefix else tensors
        if known_kind(inner.shapes):  # some of which extend an RRDBNet
            continue
        with _lacking(tensors, "upscaler"):
            if _named(inner.shapes, "dense", FIRST_DENSE):
                config, style = _rrdbnet(inner.shapes)
                part = Part(RRDBNet, config, inner, rrdbnet(config, style))
            elif inner.shapes and all(map(SRVGG_NAME.fullmatch, inner.shapes)):
                compact = srvgg_config(inner.shapes)
                part = Part(SRVGG, compact, inner, srvgg(compact))
            else:
                continue
        if beside := len(tensors.shapes) - len(inner.shapes):
            log.info("'%s' holds %d more tensors, left aside.", tensors.origin, beside)
        return part
    raise CheckpointError(
        f"'{tensors.origin}' holds {kind_of(tensors.shapes)}; give an upscaler of the "
        "design RRDBNet (ESRGAN, Real-ESRGAN, BSRGAN) or SRVGG (Real-ESRGAN's compact "
        "network)."
    )


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
    tensors = _WithPositions(tensors)
    with _lacking(tensors, "CodeFormer"):
        config = codeformer_config(tensors.shapes, settings or {})
        return Part(CodeFormer, config, tensors, codeformer(config))


def rrdbnet_config(shapes: Shapes) -> RRDBNetConfig:
    """Size an RRDBNet; doublings, and channels of folded pictures, tell the scale.

    Nothing tells those of ESRGAN's first files that enlarge by 3 from those by 2.
    """
    return _rrdbnet(shapes)[0]


def _rrdbnet(shapes: Shapes) -> tuple[RRDBNetConfig, Names]:
    """Size an RRDBNet, and tell what its parts are called."""
    dense = _named(shapes, "dense", FIRST_DENSE) or REAL_ESRGAN["dense"]
    usual = RRDB_NAMES["dense"].index(dense)
    blocks = _count(shapes, f"{dense}.weight".format(block="{}", dense=1, index=1))
    doublings = 0
    while _named(shapes, "enlarge", _places(doublings + 1)):
        doublings += 1
    numbers = {"blocks": blocks, **FIRST_DENSE, **_places(doublings)}
    style = {
        part: _named(shapes, part, numbers) or names[usual]
        for part, names in RRDB_NAMES.items()
    }
    first, inner, last = (
        shapes[f"{style[part]}.weight".format(**numbers)]
        for part in ("conv_in", "dense", "conv_out")
    )
    image_channels, fold = _unfolded(first[1], last[0])
    if fold > 2**doublings:
        raise CheckpointError(
            f"an upscaler that folds squares of {fold} x {fold} pixels and doubles "
            f"{doublings} times makes pictures smaller; none of these can be used."
        )
    config = RRDBNetConfig(
        scale=2**doublings // fold,
        image_channels=image_channels,
        drawn_channels=last[0],
        channels=first[0],
        growth=inner[0],
        blocks=blocks,
        doublings=doublings,
    )
    return config, style


def _places(doublings: int) -> dict[str, int]:
    """Number what follows the blocks, in a row and by itself, by the last doubling."""
    place = 3 * doublings
    return {"number": doublings, "place": place, "fine": place + 2, "out": place + 4}


def _named(shapes: Shapes, part: str, numbers: dict[str, int]) -> str | None:
    """Return which of its names a part of an RRDBNet goes by."""
    for name in RRDB_NAMES[part]:
        if f"{name}.weight".format(**numbers) in shapes:
            return name
    return None


def _unfolded(folded: int, drawn: int) -> tuple[int, int]:
    """Return of how many channels pictures are, and the side of the squares folded."""
    for channels in (drawn, GREY, COLORED):
        for fold in FOLDS:
            fits = folded == channels * fold**2 and {channels, drawn} <= COLORS
            if fits and (folded, drawn) != (TRANSPARENT, COLORED):
                return channels, fold
    raise CheckpointError(
        f"an upscaler from {folded} channels to {drawn} is of no known kind; those of "
        "grey or coloured pictures, folded by 1, 2 or 4, can be used."
    )


def rrdbnet(config: RRDBNetConfig, style: Names = REAL_ESRGAN) -> Names:
    """Name an RRDBNet; what its parts are called is Real-ESRGAN's unless given."""
    numbers = {"blocks": config.blocks, **_places(config.doublings)}
    names = {
        part: style[part].format(**numbers)
        for part in ("conv_in", "conv_trunk", "conv_fine", "conv_out")
    }
    for doubling in range(config.doublings):
        places = _places(doubling + 1)
        names[f"enlarge.{doubling}"] = style["enlarge"].format(**places)
    for block in range(config.blocks):
        for dense in range(DENSE_BLOCKS):
            for index in range(CONVOLUTIONS):
                ours = f"blocks.{block}.dense.{dense}.convolutions.{index}"
                names[ours] = style["dense"].format(
                    block=block, dense=dense + 1, index=index + 1
                )
    return names


def srvgg_config(shapes: Shapes) -> SRVGGConfig:
    """Size a compact upscaler, whose convolutions and activations take turns."""
    channels, image_channels = shapes["body.0.weight"][:2]
    last = max(int(name.split(".")[1]) for name in shapes)
    if "body.1.weight" not in shapes and "body.2.weight" in shapes:
        raise CheckpointError(
            "an SRVGG whose activations have no weights may be of two kinds, which "
            "nothing in its file tells apart; only those with PReLU can be used."
        )
    outgoing = shapes[f"body.{last}.weight"][0]
    for drawn in {image_channels, COLORED}:
        scale = isqrt(outgoing // drawn)
        if outgoing == drawn * scale**2 and {image_channels, drawn} <= COLORS:
            return SRVGGConfig(
                scale=scale,
                image_channels=image_channels,
                drawn_channels=drawn,
                channels=channels,
                layers=last // 2 - 1,
            )
    raise CheckpointError(
        f"an SRVGG from {image_channels} channels to {outgoing} is of no known scale; "
        "those of grey or coloured pictures can be used."
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
    """Turn the lookup of a tensor that is not there into a sentence, and say where."""
    try:
        yield
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f"'{tensors.origin}' holds no {network}: the tensor {error} is missing."
        ) from error
    except CheckpointError as error:
        raise CheckpointError(f"'{tensors.origin}' cannot be used: {error}") from error
