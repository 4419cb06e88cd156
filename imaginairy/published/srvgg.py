"""Real-ESRGAN's compact upscaler as published: its tensors' names, and its size."""

import re
from math import isqrt

from imaginairy.errors import CheckpointError
from imaginairy.networks.enhancer_config import SRVGGConfig
from imaginairy.networks.srvgg import SRVGG
from imaginairy.published.naming import Shapes
from imaginairy.published.rrdbnet import COLORED, COLORS
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

NAME = re.compile(r"body\.(\d+)\.(weight|bias)")
"""What all of its tensors are called."""


def is_srvgg(shapes: Shapes) -> bool:
    """Tell a compact upscaler by its tensors, all of which stand in one row."""
    return bool(shapes) and all(map(NAME.fullmatch, shapes))


def srvgg_part(tensors: Tensors) -> Part:
    """Tell a compact upscaler's size by its tensors."""
    config = srvgg_config(tensors.shapes)
    return Part(SRVGG, config, tensors, srvgg(config))


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
