"""ControlNets as CompVis, diffusers and Control-LoRA name them."""

from collections.abc import Callable
from functools import partial

from imaginairy.networks.config import UNetConfig
from imaginairy.networks.controlnet import ControlNet, ControlNetConfig
from imaginairy.networks.unet import skip_channels
from imaginairy.published.naming import Naming, Shapes, told
from imaginairy.published.unet import (
    compvis_config,
    compvis_names,
    diffusers_config,
    diffusers_names,
)
from imaginairy.settings import Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

UNION: Names = {
    "task": "task_embedding",
    "project": "spatial_ch_projs",
    "kinds_in": "control_add_embedding.linear_1",
    "kinds_out": "control_add_embedding.linear_2",
    "block.norm1": "transformer_layes.0.ln_1",
    "block.attention.query.weight": "transformer_layes.0.attn.in_proj_weight[0/3]",
    "block.attention.query.bias": "transformer_layes.0.attn.in_proj_bias[0/3]",
    "block.attention.key.weight": "transformer_layes.0.attn.in_proj_weight[1/3]",
    "block.attention.key.bias": "transformer_layes.0.attn.in_proj_bias[1/3]",
    "block.attention.value.weight": "transformer_layes.0.attn.in_proj_weight[2/3]",
    "block.attention.value.bias": "transformer_layes.0.attn.in_proj_bias[2/3]",
    "block.attention.out": "transformer_layes.0.attn.out_proj",
    "block.norm2": "transformer_layes.0.ln_2",
    "block.widen": "transformer_layes.0.mlp.c_fc",
    "block.narrow": "transformer_layes.0.mlp.c_proj",
}
"""Of the part that tells kinds of hints apart; `layes` is how it was published."""


def controlnet(tensors: Tensors, settings: Settings) -> Part:
    """Read a ControlNet off its tensors.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
        CheckpointError: it is of a kind that is not supported.
    """
    return told(tensors.shapes, NAMINGS).part(ControlNet, tensors, settings)


def _config(
    shapes: Shapes,
    settings: Settings,
    *,
    unet: Callable[[Shapes, Settings], UNetConfig],
    ends: tuple[str, str],
    hint: Callable[[int], str],
) -> ControlNetConfig:
    """Size a ControlNet, whose way down is sized as that of a UNet."""
    conv_in, conv_out = ends
    down = unet({**shapes, conv_out: shapes[conv_in][1:]}, settings)
    first = shapes[f"{hint(0)}.weight"]
    channels = [first[0]]
    while f"{hint(2 * len(channels))}.weight" in shapes:
        channels.append(shapes[f"{hint(2 * len(channels))}.weight"][0])
    kinds = shapes["task_embedding"][0] if "task_embedding" in shapes else 0
    return ControlNetConfig(
        unet=down, hint_channels=tuple(channels), colours=first[1], kinds=kinds
    )


def _names(
    config: ControlNetConfig,
    *,
    unet: Callable[[UNetConfig], Names],
    hint: Callable[[int], str],
    hint_out: str,
    output: str,
    middle: str,
) -> Names:
    layers = 2 * len(config.hint_channels) - 1
    names = {**unet(config.unet), "hint.conv_in": hint(0), "hint.conv_out": hint_out}
    names |= {f"hint.blocks.{n - 1}": hint(n) for n in range(1, layers)}
    for place, _ in enumerate(skip_channels(config.unet)):
        names[f"outputs.{place}"] = output.format(place)
    names["output_middle"] = middle
    return names | {f"union.{ours}": theirs for ours, theirs in UNION.items()}


def _compvis_hint(place: int) -> str:
    return f"input_hint_block.{2 * place}"


def _diffusers_hint(place: int) -> str:
    below = f"blocks.{place - 1}" if place else "conv_in"
    return f"controlnet_cond_embedding.{below}"


COMPVIS = Naming(
    "CompVis",
    r"input_hint_block\.|input_blocks\.",
    partial(
        _config,
        unet=compvis_config,
        ends=("input_blocks.0.0.weight", "out.2.weight"),
        hint=_compvis_hint,
    ),
    partial(
        _names,
        unet=compvis_names,
        hint=_compvis_hint,
        hint_out="input_hint_block.14",
        output="zero_convs.{}.0",
        middle="middle_block_out.0",
    ),
)
DIFFUSERS = Naming(
    "diffusers",
    r"controlnet_cond_embedding\.|down_blocks\.",
    partial(
        _config,
        unet=diffusers_config,
        ends=("conv_in.weight", "conv_out.weight"),
        hint=_diffusers_hint,
    ),
    partial(
        _names,
        unet=diffusers_names,
        hint=_diffusers_hint,
        hint_out="controlnet_cond_embedding.conv_out",
        output="controlnet_down_blocks.{}",
        middle="controlnet_mid_block",
    ),
)
NAMINGS = (COMPVIS, DIFFUSERS)
