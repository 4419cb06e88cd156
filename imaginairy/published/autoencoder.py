"""The KL autoencoder of latent diffusion as CompVis and diffusers name it."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.published.naming import Naming, Shapes, at, count, told
from imaginairy.settings import (
    GROUPS,
    Flag,
    ListOf,
    Number,
    Schema,
    Settings,
    read,
)
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

USUAL_GROUPS = AutoencoderConfig.norm_groups
SCALE = "scaling_factor"
"""What `config.json` calls what latents are multiplied by."""
SHIFT = "shift_factor"
"""What it calls what is taken away from them before."""
MEANS, DEVIATIONS = "latents_mean", "latents_std"
"""What `config.json` calls how latents are normalised, channel by channel."""
UPCAST = "force_upcast"
"""What `config.json` calls it that half precision cannot hold what is computed."""
EACH = {MEANS: Number(text=False), DEVIATIONS: Number(0, text=False)}
SETTINGS: Schema = {
    SCALE: Number(0, null=True),
    SHIFT: Number(text=False, null=True),
    **{name: ListOf(each) for name, each in EACH.items()},
    "norm_num_groups": GROUPS,
    UPCAST: Flag(),
}
"""What is read of its settings that shapes do not tell."""
LATENTS_ENTER = "decoder.conv_in.weight"
"""The tensor that latents meet first when they are decoded, in every naming."""

QUANTISES = "quant_conv."
"""What names have in them of what latents pass through before they are decoded."""
PLACE = "bn.running_mean"
"""The tensor by which places are normalised."""
COUNTED = "bn.num_batches_tracked"
"""What lies beside it and has no say."""

COMPVIS_RESIDUAL: Names = {
    "norm1": "norm1",
    "conv1": "conv1",
    "norm2": "norm2",
    "conv2": "conv2",
    "shortcut": "nin_shortcut",
}
DIFFUSERS_RESIDUAL: Names = {**COMPVIS_RESIDUAL, "shortcut": "conv_shortcut"}
COMPVIS_ATTENTION: Names = {
    "norm": "norm",
    **{
        f"attention.{ours}.{kind}": f"{theirs}.{kind}{laid}"
        for ours, theirs in (
            ("query", "q"), ("key", "k"), ("value", "v"), ("out", "proj_out"),
        )
        for kind, laid in (("weight", "[1x1]"), ("bias", ""))
    },
}  # fmt: skip
DIFFUSERS_ATTENTION: Names = {
    "norm": "group_norm",
    "attention.query": "to_q",
    "attention.key": "to_k",
    "attention.value": "to_v",
    "attention.out": "to_out.0",
}
OUTSIDE: Names = {
    "quantise": "quant_conv",
    "unquantise": "post_quant_conv",
    "normal.mean": PLACE,
    "normal.variance": "bn.running_var",
}
OLD_DIFFUSERS_ATTENTION: Names = {
    "norm": "group_norm",
    "attention.query": "query",
    "attention.key": "key",
    "attention.value": "value",
    "attention.out": "proj_attn",
}


def beginning(shapes: Shapes) -> str | None:
    """Return what stands before the names of an autoencoder among others.

    None where there is no autoencoder.
    """
    starts = [
        name.removesuffix(LATENTS_ENTER)
        for name in shapes
        if name.endswith(LATENTS_ENTER)
    ]
    whole = [start for start in starts if not start or start.endswith(".")]
    return min(whole, key=len, default=None)


def channels_of(shapes: Shapes) -> int | None:
    """Return how many channels the latents of an autoencoder have, of any design."""
    shape = shapes.get(LATENTS_ENTER, ())
    return shape[1] if len(shape) > 1 else None


def autoencoder(tensors: Tensors, settings: Settings) -> Part:
    """Read an autoencoder off its tensors.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
        CheckpointError: settings make no sense.
    """
    channels = tensors.shapes[LATENTS_ENTER][1]
    if settings.get(MEANS) or settings.get(DEVIATIONS):
        said = {MEANS: None, DEVIATIONS: None, **settings}
        each = {
            name: ListOf(number, channels, channels, null=False)
            for name, number in sorted(EACH.items(), key=lambda each: not said[each[0]])
        }
        read(Path(tensors.origin), said, each, "")  # one for each channel of latents
    return told(tensors.shapes, NAMINGS).part(Autoencoder, tensors, settings)


def compvis_config(shapes: Shapes, settings: Settings) -> AutoencoderConfig:
    """Size an autoencoder in the CompVis naming."""
    return _config(
        shapes,
        block="encoder.down.{}.block.{}.conv1.weight",
        up="decoder.up.{level}.block.0.conv1.weight",
        norm="encoder.norm_out.weight",
        attention="encoder.mid.attn_1.q.weight",
        settings=settings,
    )


def diffusers_config(shapes: Shapes, settings: Settings) -> AutoencoderConfig:
    """Size an autoencoder in the diffusers naming."""
    return _config(
        shapes,
        block="encoder.down_blocks.{}.resnets.{}.conv1.weight",
        up="decoder.up_blocks.{coarseness}.resnets.0.conv1.weight",
        norm="encoder.conv_norm_out.weight",
        attention="encoder.mid_block.attentions.0.group_norm.weight",
        settings=settings,
    )


def _config(
    shapes: Shapes,
    *,
    block: str,
    up: str,
    norm: str,
    attention: str,
    settings: Settings,
) -> AutoencoderConfig:
    levels = max(1, count(shapes, block.format("{}", 0)))
    groups = 0  # an autoencoder without normalisation has no groups to speak of
    if norm in shapes:
        groups = settings.get("norm_num_groups", USUAL_GROUPS)
    by_places = PLACE in shapes
    channels = tuple(shapes[block.format(level, 0)][0] for level in range(levels))
    return AutoencoderConfig(
        channels=channels,
        decoder_channels=_of_decoder(shapes, up, channels),
        blocks_per_level=count(shapes, block.format(0, "{}")),
        image_channels=shapes["decoder.conv_out.weight"][0],
        latent_channels=shapes[LATENTS_ENTER][1],
        quantises=any(QUANTISES in name for name in shapes),
        middle_attention=attention in shapes,
        norm_groups=groups,
        scale_factor=settings.get(
            SCALE, 1.0 if by_places else AutoencoderConfig.scale_factor
        ),
        shift=settings.get(SHIFT, AutoencoderConfig.shift),
        by_places=by_places,
        means=settings.get(MEANS, ()),
        deviations=settings.get(DEVIATIONS, ()),
    )


def _of_decoder(shapes: Shapes, up: str, encoder: tuple[int, ...]) -> tuple[int, ...]:
    """Return the channels of a decoder's levels, where they are not the encoder's."""
    if shapes[LATENTS_ENTER][0] == encoder[-1]:
        return ()
    last = len(encoder) - 1
    names = (
        up.format(level=level, coarseness=last - level) for level in range(last + 1)
    )
    return tuple(shapes[name][0] for name in names)


def compvis_names(config: AutoencoderConfig) -> Names:
    """Name an autoencoder as CompVis does, which counts up-levels from the finest."""
    names = {**OUTSIDE}
    levels, blocks = len(config.channels), config.blocks_per_level
    residual = COMPVIS_RESIDUAL
    for half in ("encoder", "decoder"):
        for part in ("conv_in", "norm_out", "conv_out"):
            names[f"{half}.{part}"] = f"{half}.{part}"
        ours, theirs = f"{half}.middle", f"{half}.mid"
        names |= at(f"{ours}.first", f"{theirs}.block_1", residual)
        names |= at(f"{ours}.attention", f"{theirs}.attn_1", COMPVIS_ATTENTION)
        names |= at(f"{ours}.second", f"{theirs}.block_2", residual)
    for level in range(levels):
        ours, theirs = f"encoder.levels.{level}", f"encoder.down.{level}"
        for index in range(blocks):
            names |= at(f"{ours}.blocks.{index}", f"{theirs}.block.{index}", residual)
        names[f"{ours}.downsample"] = f"{theirs}.downsample.conv"
        ours, theirs = f"decoder.levels.{levels - 1 - level}", f"decoder.up.{level}"
        for index in range(blocks + 1):
            names |= at(f"{ours}.blocks.{index}", f"{theirs}.block.{index}", residual)
        names[f"{ours}.upsample"] = f"{theirs}.upsample.conv"
    return names


def diffusers_names(
    config: AutoencoderConfig, attention: Names = DIFFUSERS_ATTENTION
) -> Names:
    """Name an autoencoder as diffusers does."""
    names = {**OUTSIDE}
    residual = DIFFUSERS_RESIDUAL
    for half, side, blocks in (
        ("encoder", "down", config.blocks_per_level),
        ("decoder", "up", config.blocks_per_level + 1),
    ):
        names[f"{half}.conv_in"] = f"{half}.conv_in"
        names[f"{half}.norm_out"] = f"{half}.conv_norm_out"
        names[f"{half}.conv_out"] = f"{half}.conv_out"
        middle = f"{half}.mid_block"
        names |= at(f"{half}.middle.first", f"{middle}.resnets.0", residual)
        names |= at(f"{half}.middle.attention", f"{middle}.attentions.0", attention)
        names |= at(f"{half}.middle.second", f"{middle}.resnets.1", residual)
        for level in range(len(config.channels)):
            ours, theirs = f"{half}.levels.{level}", f"{half}.{side}_blocks.{level}"
            for index in range(blocks):
                names |= at(
                    f"{ours}.blocks.{index}", f"{theirs}.resnets.{index}", residual
                )
            names[f"{ours}.{side}sample"] = f"{theirs}.{side}samplers.0.conv"
    return names


def old_diffusers_names(config: AutoencoderConfig) -> Names:
    """Name an autoencoder as diffusers once did."""
    return diffusers_names(config, OLD_DIFFUSERS_ATTENTION)


def flux_2_names(config: AutoencoderConfig) -> Names:
    """Name an autoencoder as the authors of Flux.2 do, CompVis' with other places."""
    within = {"quantise": "encoder.quant_conv", "unquantise": "decoder.post_quant_conv"}
    return compvis_names(config) | within


def counted(config: AutoencoderConfig) -> Mapping[str, Tensor]:
    """Return what lies in files beside numbers for each place."""
    return {COUNTED: torch.tensor(0)} if config.by_places else {}


FLUX_2 = Naming(
    "Flux.2",
    r"encoder\.quant_conv\.",
    compvis_config,
    flux_2_names,
    constants=counted,
)
COMPVIS = Naming(
    "CompVis", r"(en|de)coder\.(down|up|mid)\.", compvis_config, compvis_names
)
OLD_DIFFUSERS = Naming(
    "old diffusers", r".*\.proj_attn\.weight", diffusers_config, old_diffusers_names
)
DIFFUSERS = Naming(
    "diffusers",
    r"(en|de)coder\.((down|up)_blocks|mid_block)\.",
    diffusers_config,
    diffusers_names,
    constants=counted,
)
NAMINGS = (FLUX_2, OLD_DIFFUSERS, DIFFUSERS, COMPVIS)
