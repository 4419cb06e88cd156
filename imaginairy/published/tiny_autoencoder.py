"""TAESD as its author and as diffusers name it: two rows of numbered layers.

diffusers counts what has no tensors among the layers, but not what bends latents, with
which the author's decoder begins.
"""

import re
from itertools import pairwise

from imaginairy.errors import CheckpointError
from imaginairy.networks.config import TinyAutoencoderConfig
from imaginairy.networks.tiny_autoencoder import TinyAutoencoder
from imaginairy.published.naming import Shapes
from imaginairy.settings import Number, Schema, Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

SCALE = "scaling_factor"
"""What `config.json` calls what latents are multiplied by."""
SETTINGS: Schema = {SCALE: Number(0, null=True)}
"""What is read of its settings that shapes do not tell."""
ENCODER, DECODER = HALVES = "encoder.", "decoder."
LAYERS = "layers."
"""What diffusers puts before the numbers."""
BENDS = 1
"""Layers of the author's decoder before its first tensors."""
BLOCK = r"\d+\.conv\.[024]\.(weight|bias)"
"""What tensors of a block are called, in a half's own naming."""


def is_half(shapes: Shapes) -> bool:
    """Tell a half of a tiny autoencoder in its author's naming by its tensors."""
    return any(re.fullmatch(BLOCK, name) for name in shapes)


def is_decoder(shapes: Shapes) -> bool:
    """Tell which of the author's halves it is that `is_half`."""
    return "0.weight" not in shapes


def is_tiny_autoencoder(shapes: Shapes) -> bool:
    """Tell a tiny autoencoder, of which the decoder at least is there."""
    block = re.compile(rf"decoder\.({LAYERS})?{BLOCK}")
    return any(block.fullmatch(name) for name in shapes)


def tiny_autoencoder(tensors: Tensors, settings: Settings) -> Part:
    """Read a tiny autoencoder off its tensors, of which the encoder's may be lacking.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
        CheckpointError: its halves do not belong together.
    """
    shapes, layers = tensors.shapes, f"{DECODER}{LAYERS}"
    start = LAYERS if any(name.startswith(layers) for name in shapes) else ""
    encoder, decoder = (_blocks(shapes, f"{each}{start}") for each in HALVES)
    if not decoder:
        raise CheckpointError("its decoder has a first convolution and no last one.")
    half = f"{DECODER}{start}"
    first, *_, last = _alone(shapes, half)
    if encoder and len(encoder) != len(decoder):
        raise CheckpointError(
            f"its encoder halves pictures {len(encoder) - 1} times and its decoder "
            f"doubles them {len(decoder) - 1} times; they do not belong together."
        )
    config = TinyAutoencoderConfig(
        width=shapes[f"{half}{first}.weight"][0],
        encoder_blocks=encoder,
        decoder_blocks=decoder,
        image_channels=shapes[f"{half}{last}.weight"][0],
        latent_channels=shapes[f"{half}{first}.weight"][1],
        scale_factor=settings.get(SCALE) or TinyAutoencoderConfig.scale_factor,
    )
    names = tiny_names(config, start)
    return Part(TinyAutoencoder, config, tensors, names, settings=settings)


def _alone(shapes: Shapes, half: str) -> list[int]:
    """Return the numbers of the convolutions of a half that stand in no block."""
    pattern = re.compile(re.escape(half) + r"(\d{1,4})\.weight")
    return sorted(int(each[1]) for each in map(pattern.fullmatch, shapes) if each)


def _blocks(shapes: Shapes, half: str) -> tuple[int, ...]:
    """Count the blocks between each two convolutions that stand in none."""
    return tuple(
        sum(f"{half}{number}.conv.0.weight" in shapes for number in range(first, last))
        for first, last in pairwise(_alone(shapes, half))
    )


def tiny_names(config: TinyAutoencoderConfig, start: str = LAYERS) -> Names:
    """Name a tiny autoencoder as diffusers does, or its author.

    Args:
        start: what stands before the numbers; nothing in its author's naming.
    """
    names: Names = {}
    number = 0

    def block(ours: str, theirs: str) -> None:
        for index in range(3):
            names[f"{ours}.convolutions.{index}"] = f"{theirs}.conv.{2 * index}"

    if config.encoder_blocks:
        half = f"{ENCODER}{start}"
        names["encoder.conv_in"] = f"{half}{number}"
        for level, blocks in enumerate(config.encoder_blocks):
            ours = f"encoder.levels.{level}"
            if level:
                number += 1
                names[f"{ours}.downsample"] = f"{half}{number}"
            for index in range(blocks):
                number += 1
                block(f"{ours}.blocks.{index}", f"{half}{number}")
        names["encoder.conv_out"] = f"{half}{number + 1}"
    half = f"{DECODER}{start}"
    number = 0 if start else BENDS
    names["decoder.conv_in"] = f"{half}{number}"
    number += 2  # what cuts off the negative follows
    for level, blocks in enumerate(config.decoder_blocks):
        ours = f"decoder.levels.{level}"
        for index in range(blocks):
            block(f"{ours}.blocks.{index}", f"{half}{number}")
            number += 1
        if level < len(config.decoder_blocks) - 1:
            names[f"{ours}.upsample"] = f"{half}{number + 1}"
            number += 2
    names["decoder.conv_out"] = f"{half}{number}"
    return names
