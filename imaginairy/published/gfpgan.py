"""GFPGAN as published: its tensors' names, and its size read off their shapes."""

from imaginairy.errors import CheckpointError
from imaginairy.networks.enhancer_config import GFPGANConfig
from imaginairy.networks.gfpgan import GFPGAN
from imaginairy.published.naming import Shapes, at, count
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

START = "stylegan_decoder.constant_input.weight"
FIRST_DESIGN = "conv_body_first.0.weight"
"""A tensor of version 1, whose layers are others."""
UNUSED = (r"stylegan_decoder\.style_mlp\..*", r"toRGB\..*")
"""What only training needs: the way from random numbers to styles, and pictures of the
coarser levels."""

RESIZING: Names = {"conv1": "conv1", "conv2": "conv2", "shortcut": "skip"}
STEERING: Names = {"conv1": "0", "conv2": "2"}
PICTURE: Names = {
    "conv": "modulated_conv",
    "conv.modulation": "modulated_conv.modulation",
    "offset": "",
}
STYLED: Names = {**PICTURE, "noise": ""}


def is_gfpgan(shapes: Shapes) -> bool:
    """Tell a GFPGAN, of whichever version, by its tensors."""
    return START in shapes


def gfpgan_part(tensors: Tensors) -> Part:
    """Tell a GFPGAN's size by its tensors.

    Raises:
        CheckpointError: it is of the first version, or lacks what tells its size.
    """
    if FIRST_DESIGN in tensors.shapes:
        raise CheckpointError(
            f"'{tensors.origin}' is a GFPGAN of version 1, which is of another design; "
            "versions 1.2, 1.3 and 1.4 can be used."
        )
    try:
        config = gfpgan_config(tensors.shapes)
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f"'{tensors.origin}' holds no whole GFPGAN: the tensor {error} is missing."
        ) from error
    return Part(GFPGAN, config, tensors, gfpgan(config), UNUSED)


def gfpgan_config(shapes: Shapes) -> GFPGANConfig:
    """Size a GFPGAN, by what enlarges its pictures level by level."""
    finer = "stylegan_decoder.style_convs.{}.modulated_conv.weight"
    levels = count(shapes, "conv_body_down.{}.conv1.weight")
    width = shapes["stylegan_decoder.style_conv1.modulated_conv.modulation.weight"][1]
    channels = [shapes[finer.format(2 * level)][1] for level in range(levels)]
    return GFPGANConfig(
        channels=(*reversed(channels), shapes[START][1]),
        image_channels=shapes["conv_body_first.weight"][1],
        style_width=width,
    )


def gfpgan(config: GFPGANConfig) -> Names:
    """Name a GFPGAN as published."""
    decoder = "stylegan_decoder"
    names = {
        "conv_in": "conv_body_first",
        "conv_middle": "final_conv",
        "style": "final_linear",
        "generator.start": f"{decoder}.constant_input",
        "generator.noises": f"{decoder}.noises",
        **at("generator.conv_in", f"{decoder}.style_conv1", STYLED),
        **at("generator.picture_in", f"{decoder}.to_rgb1", PICTURE),
    }
    for level in range(len(config.channels) - 1):
        enlarge, refine = (
            f"{decoder}.style_convs.{2 * level + place}" for place in range(2)
        )
        names |= {
            **at(f"shrink.{level}", f"conv_body_down.{level}", RESIZING),
            **at(f"grow.{level}", f"conv_body_up.{level}", RESIZING),
            **at(f"scale.{level}", f"condition_scale.{level}", STEERING),
            **at(f"shift.{level}", f"condition_shift.{level}", STEERING),
            **at(f"generator.enlarge.{level}", enlarge, STYLED),
            **at(f"generator.refine.{level}", refine, STYLED),
            **at(f"generator.pictures.{level}", f"{decoder}.to_rgbs.{level}", PICTURE),
        }
    return {ours: theirs.removesuffix(".") for ours, theirs in names.items()}
