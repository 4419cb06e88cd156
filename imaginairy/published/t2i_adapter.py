"""T2I-Adapters as their authors and diffusers name them."""

from imaginairy.networks.t2i_adapter import T2IAdapter, T2IAdapterConfig
from imaginairy.published.naming import (
    Naming,
    OtherDesignError,
    Shapes,
    at,
    count,
    told,
)
from imaginairy.settings import Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

USUAL_SHRINKS, XL_SHRINKS = 8, 16
"""How many times smaller than the hint the first feature map is."""
COLOURS = (3, 1)
"""Channels that hints have."""
BLOCKS = 2
"""Residual blocks of a feature map where all of them are named in one row."""
BLOCK: Names = {"conv1": "block1", "conv2": "block2"}


def t2i_adapter(tensors: Tensors, settings: Settings) -> Part:
    """Read a T2I-Adapter off its tensors.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
    """
    return told(tensors.shapes, NAMINGS).part(T2IAdapter, tensors, settings)


def _sized(
    shapes: Shapes, first: str, channels: list[int], blocks: int, *, light: bool
) -> T2IAdapterConfig:
    """Size an adapter, of which the name of its first layer is known."""
    seen = shapes[f"{first}.weight"][1]
    large = seen % XL_SHRINKS**2 == 0
    shrinks = XL_SHRINKS if large else USUAL_SHRINKS
    colours, rest = divmod(seen, shrinks**2)
    if rest or colours not in COLOURS:
        raise OtherDesignError(f"its first layer takes {seen} channels")
    halves = (2,) if large else tuple(range(1, len(channels)))
    return T2IAdapterConfig(
        tuple(channels), blocks, colours, shrinks, halves, light=light
    )


def _by_stage(config: T2IAdapterConfig, stages: str, blocks: str) -> Names:
    """Name what is numbered by feature map, in it by blocks."""
    names: Names = {}
    for stage, _ in enumerate(config.channels):
        ours, theirs = f"stages.{stage}", f"{stages}.{stage}"
        names |= at(ours, theirs, {"conv_in": "in_conv", "conv_out": "out_conv"})
        for block in range(config.blocks):
            names |= at(f"{ours}.blocks.{block}", f"{theirs}.{blocks}.{block}", BLOCK)
    return names


def diffusers_config(shapes: Shapes, settings: Settings) -> T2IAdapterConfig:
    """Size one whose blocks are numbered by feature map."""
    light = "adapter.conv_in.weight" not in shapes
    first = "adapter.body.0.in_conv" if light else "adapter.conv_in"
    lead = "out_conv" if light else "resnets.0.block1"
    stages = count(shapes, f"adapter.body.{{}}.{lead}.weight")
    channels = [shapes[f"adapter.body.{n}.{lead}.weight"][0] for n in range(stages)]
    blocks = count(shapes, "adapter.body.0.resnets.{}.block1.weight")
    return _sized(shapes, first, channels, blocks, light=light)


def diffusers_names(config: T2IAdapterConfig) -> Names:
    """Name one as diffusers' T2IAdapter does."""
    return {"conv_in": "adapter.conv_in"} | _by_stage(config, "adapter.body", "resnets")


def light_config(shapes: Shapes, settings: Settings) -> T2IAdapterConfig:
    """Size a narrow one as its authors name it."""
    stages = count(shapes, "body.{}.out_conv.weight")
    channels = [shapes[f"body.{n}.out_conv.weight"][0] for n in range(stages)]
    blocks = count(shapes, "body.0.body.{}.block1.weight")
    return _sized(shapes, "body.0.in_conv", channels, blocks, light=True)


def light_names(config: T2IAdapterConfig) -> Names:
    """Name a narrow one as its authors do."""
    return _by_stage(config, "body", "body")


def row_config(shapes: Shapes, settings: Settings) -> T2IAdapterConfig:
    """Size one whose blocks are numbered in one row."""
    row = count(shapes, "body.{}.block1.weight")
    leads = range(0, row, BLOCKS)
    channels = [shapes[f"body.{n}.block1.weight"][0] for n in leads]
    return _sized(shapes, "conv_in", channels, BLOCKS, light=False)


def row_names(config: T2IAdapterConfig) -> Names:
    """Name one as its authors do, all blocks in one row."""
    names = {"conv_in": "conv_in"}
    for stage, _ in enumerate(config.channels):
        ours, first = f"stages.{stage}", BLOCKS * stage
        names[f"{ours}.conv_in"] = f"body.{first}.in_conv"
        for block in range(config.blocks):
            names |= at(f"{ours}.blocks.{block}", f"body.{first + block}", BLOCK)
    return names


NAMINGS = (
    Naming("diffusers", r"adapter\.", diffusers_config, diffusers_names),
    Naming("its authors, narrow", r"body\.0\.body\.", light_config, light_names),
    Naming("its authors", r"conv_in\.|body\.", row_config, row_names),
)
