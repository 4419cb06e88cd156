"""The network that draws with its matrices packed: beside the rest, or by itself."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from imaginairy.conversion.destination import Pack
from imaginairy.conversion.metadata import GENERAL
from imaginairy.conversion.single_file import FilePlan
from imaginairy.conversion.source import Source
from imaginairy.families.family import DENOISER
from imaginairy.weights.blocks import BLOCKS
from imaginairy.weights.gguf_writing import KINDS, Laid
from imaginairy.weights.joined import MARKER, SCALES, WEIGHT
from imaginairy.weights.packing import PACKS
from imaginairy.weights.writing import Piece

MATRIX = 2
"""Axes of what is packed; what convolves has more."""
EIGHT_BITS = torch.float8_e4m3fn
SMALL = "Q8_0"
"""How rows are packed that do not fill the blocks that are asked for."""


def with_eight_bits(plan: FilePlan, source: Source) -> FilePlan:
    """Return the plan of a file whose network that draws has its matrices in 8 bits.

    Each is multiplied by a number that lies beside it.
    """
    prefix = source.family.part(DENOISER).prefix
    pieces: list[Piece] = []
    for piece in plan.pieces:
        if piece.name.startswith(prefix) and is_matrix(piece):
            pieces += _in_eight_bits(piece)
        else:
            pieces.append(piece)
    pieces.append(Piece.of(prefix + MARKER, torch.zeros(2).to(EIGHT_BITS)))
    return replace(plan, pieces=pieces)


def is_matrix(piece: Piece) -> bool:
    """Tell whether a tensor is a matrix of numbers of any precision."""
    floats = piece.dtype.is_floating_point
    return piece.name.endswith(WEIGHT) and len(piece.shape) == MATRIX and floats


def _in_eight_bits(piece: Piece) -> list[Piece]:
    def scale(weight: Tensor) -> Tensor:
        largest = weight.float().abs().amax() / torch.finfo(EIGHT_BITS).max
        return torch.where(largest > 0, largest, 1)

    def packed() -> Tensor:
        weight = piece.make()
        return (weight.float() / scale(weight)).to(EIGHT_BITS)

    beside = piece.name.removesuffix(WEIGHT) + SCALES[0]
    return [
        replace(piece, dtype=EIGHT_BITS, make=packed),
        Piece(beside, (), torch.float32, lambda: scale(piece.make())),
    ]


def in_blocks(plan: FilePlan, pack: Pack) -> list[Laid]:
    """Return the tensors of a network that draws by itself, its matrices in blocks.

    Markers that hold nothing are left out.
    """
    held = (piece for piece in plan.pieces if piece.size)
    return [_laid(piece, pack.upper()) for piece in held]


def _laid(piece: Piece, kind: str) -> Laid:
    """Return a tensor in blocks, in small ones where its rows do not fill large ones.

    What no block fits stays as it is.
    """
    for each in dict.fromkeys((kind, SMALL)):
        _, packing = BLOCKS[each]
        if is_matrix(piece) and piece.shape[1] % packing.numbers == 0:
            return Laid(piece.name, piece.shape, each, partial(_packed, piece, each))
    return Laid(piece.name, piece.shape, KINDS[piece.dtype], piece.make)


def _packed(piece: Piece, kind: str) -> Tensor:
    return PACKS[kind](piece.make())


def said_of_blocks(source: Source, plan: FilePlan) -> dict[str, str | int]:
    """Return what a GGUF file says of itself."""
    return {
        f"{GENERAL}architecture": source.written.blocks or source.family.name,
        f"{GENERAL}name": source.title,
        f"{GENERAL}quantization_version": 2,
        **plan.metadata,
    }
