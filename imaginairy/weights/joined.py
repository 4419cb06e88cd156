"""Packed weights that lie in several tensors of a file, given as one each.

Those in 8 bits with what they are multiplied by, as ComfyUI writes them, and those in 4
bits as bitsandbytes does (Dettmers et al. 2023, arXiv:2305.14314).
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imaginairy.eight_bits import EIGHT_BITS, longer
from imaginairy.errors import CheckpointError
from imaginairy.settings import ListOf, Number, OneOf, Schema, Whole, read
from imaginairy.weights.blocks import BLOCKS
from imaginairy.weights.packed import Groups, Packed, Packing, meant
from imaginairy.weights.stored import Shape
from imaginairy.weights.tensors import Tensors

WEIGHT = ".weight"
SCALES = (".scale_weight", ".weight_scale")
"""What stands beside a layer's weight and multiplies it, one number or one a row."""
SAID = (".scale_input", ".input_scale", ".comfy_quant")
"""What else does: how its input might be rounded, and a word on all that."""
MARKER = "scaled_fp8"
"""A tensor that stands for such weights."""
STATE = ".quant_state.bitsandbytes__"
"""What the name of what bitsandbytes says of a weight has after that of the weight."""
FOUR_BITS = ("nf4", "fp4")
MEANING = ".quant_map"
"""What the sixteen numbers of 4 bits stand for."""
LARGEST = ".absmax"
"""What the numbers of each block are multiplied by; and what follows if that is packed
itself."""
NESTED, NESTED_MEANING = ".nested_absmax", ".nested_quant_map"
LONGEST_STATE = 10_000
SIDE = Whole(0, 2**40)
SAID_OF_FOUR_BITS: Schema = {
    "quant_type": OneOf(FOUR_BITS, null=False),
    "blocksize": OneOf(tuple(2**n for n in range(4, 13)), null=False),
    "shape": ListOf(SIDE, most=8, null=False),
    "nested_blocksize": OneOf(tuple(2**n for n in range(4, 13)), null=False),
    "nested_offset": Number(-1e9, 1e9),
}


class _Pack(ABC):
    """One weight that lies in several tensors."""

    called: str
    shape: Shape

    @abstractmethod
    def names(self) -> list[str]:
        """Name the tensors that stand beside it."""

    @abstractmethod
    def read(self, tensors: Tensors) -> Packed:
        """Return it."""


@dataclass(frozen=True)
class _Scaled(_Pack):
    """A weight in 8 bits and what it is multiplied by."""

    weight: str
    scale: str
    shape: Shape
    called: str
    beside: tuple[str, ...]

    def names(self) -> list[str]:
        return [self.scale, *self.beside]

    def read(self, tensors: Tensors) -> Packed:
        scale = tensors.read(self.scale).float()
        return multiplied(tensors.read(self.weight), scale, self.shape)


@dataclass(frozen=True)
class _FourBits(_Pack):
    """A weight in 4 bits, in blocks with what they are multiplied by."""

    weight: str
    state: str
    shape: Shape
    called: str
    block: int
    nested_block: int
    offset: float
    is_nested: bool

    def names(self) -> list[str]:
        ends = (MEANING, LARGEST, *((NESTED, NESTED_MEANING) if self.is_nested else ()))
        return [self.state, *(self.weight + end for end in ends)]

    def read(self, tensors: Tensors) -> Packed:
        blocks = prod(self.shape) // self.block
        data = tensors.read(self.weight).reshape(blocks, self.block // 2)
        meaning = tuple(tensors.read(self.weight + MEANING).float().tolist())
        largest = tensors.read(self.weight + LARGEST)
        if self.is_nested:
            meant = tensors.read(self.weight + NESTED_MEANING).float()
            by = tensors.read(self.weight + NESTED).float()
            by = by.repeat_interleave(self.nested_block)[:blocks]
            largest = meant[largest.int()] * by + self.offset
        packing = Packing(self.called, self.block, partial(_of_four_bits, meaning))
        return Packed(packing, (data, largest.float().view(-1, 1)), self.shape)


def _of_four_bits(meaning: tuple[float, ...], data: Tensor, largest: Tensor) -> Groups:
    """Unpack sixteen numbers of any meaning, the high half of a byte first."""
    numbers = torch.stack([data >> 4, data & 15], dim=-1).flatten(1)
    return meant(meaning, numbers)[:, None], largest, None


def multiplied(weight: Tensor, scale: Tensor, shape: Shape) -> Packed:
    """Return a weight that is multiplied by one number, or by one a row."""
    rows, row = shape[0], prod(shape[1:])
    each = scale.view(-1, 1).expand(rows, 1).contiguous()  # else it cannot be pinned
    parts = weight.reshape(rows, row), each
    called = f"scaled {str(weight.dtype).rpartition('.')[2]}"
    return Packed(Packing(called, row, _times), parts, tuple(shape))


def _times(weight: Tensor, scale: Tensor) -> Groups:
    numbers, least = longer(weight)
    return numbers[:, None], scale * least, None


def bytes_of(kind: str) -> float:
    """Return how many bytes a number takes that is packed in a way, about.

    Args:
        kind: as `Tensors.packed` has it.
    """
    if kind in BLOCKS:
        size, packing = BLOCKS[kind]
        return size / packing.numbers
    return 4.5 / 8 if kind in FOUR_BITS else 1.0


class _Joined(Tensors):
    """The tensors of a file, those that are packed in several as one each."""

    def __init__(self, whole: Tensors, packs: Mapping[str, _Pack]) -> None:
        self.whole, self.packs = whole, packs
        beside = {name for pack in packs.values() for name in pack.names()}
        beside |= {name for name in whole.shapes if _last(name) == MARKER}
        super().__init__(
            whole.origin,
            {
                name: packs[name].shape if name in packs else shape
                for name, shape in whole.shapes.items()
                if name not in beside
            },
        )
        self.metadata = whole.metadata
        self.packed = {name: pack.called for name, pack in packs.items()}
        self.types = {
            name: torch.float32 if name in packs else whole.types[name]
            for name in self.shapes
        }

    @property
    def files(self) -> tuple[Path, ...]:
        return self.whole.files

    def read(self, name: str) -> Tensor:
        pack = self.packs.get(name)
        return self.whole.read(name) if pack is None else pack.read(self.whole)

    def rest(self) -> None:
        self.whole.rest()


def joined(whole: Tensors) -> Tensors:
    """Return the tensors of a file with each packed weight as one.

    Raises:
        CheckpointError: the tensors that one lies in do not belong together.
    """
    packs: dict[str, _Pack] = {}
    for name in whole.shapes:
        weight, state, _ = name.partition(STATE)
        if state and weight in whole.shapes:
            packs[weight] = _four_bits(whole, weight, name)
        for end in SCALES:
            weight = name.removesuffix(end) + WEIGHT
            if name.endswith(end) and whole.types.get(weight) in EIGHT_BITS:
                packs[weight] = _scaled(whole, weight, name)
    is_marked = any(_last(name) == MARKER for name in whole.shapes)
    return _Joined(whole, packs) if packs or is_marked else whole


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _scaled(whole: Tensors, weight: str, scale: str) -> _Pack:
    shape, kind = whole.shapes[weight], str(whole.types[weight]).rpartition(".")[2]
    numbers, is_number = prod(whole.shapes[scale]), whole.types[scale].is_floating_point
    if not shape or not is_number or numbers not in (1, shape[0]):
        raise _broken(whole, weight)
    layer = weight.removesuffix(WEIGHT)
    beside = tuple(layer + end for end in SAID if layer + end in whole.shapes)
    return _Scaled(weight, scale, shape, f"scaled {kind}", beside)


def _four_bits(whole: Tensors, weight: str, state: str) -> _Pack:
    said = _said(whole, state)
    shape, block = tuple(said.get("shape", ())), said.get("blocksize", 64)
    is_nested = weight + NESTED in whole.shapes
    nested_block = said.get("nested_blocksize", 256)
    blocks, rest = divmod(prod(shape), block)
    sizes = {
        weight: blocks * block // 2,
        weight + MEANING: 16,
        weight + LARGEST: blocks,
    }
    if is_nested:
        sizes[weight + NESTED] = -(-blocks // nested_block)
        sizes[weight + NESTED_MEANING] = 256
    there = {name: prod(whole.shapes.get(name, ())) for name in sizes}
    bytes_only = {weight, *((weight + LARGEST,) if is_nested else ())}
    right = all((whole.types.get(n) == torch.uint8) == (n in bytes_only) for n in sizes)
    if rest or sizes != there or not right or "quant_type" not in said:
        raise _broken(whole, weight)
    return _FourBits(
        weight, state, shape, said["quant_type"], block, nested_block,
        said.get("nested_offset", 0.0), is_nested,
    )  # fmt: skip


def _said(whole: Tensors, state: str) -> dict[str, Any]:
    """Return what bitsandbytes says of a weight."""
    if prod(whole.shapes[state]) > LONGEST_STATE or whole.types[state] != torch.uint8:
        raise _broken(whole, state)
    try:
        said = json.loads(bytes(whole.read(state).flatten().tolist()))
        return read(Path(whole.origin), said, SAID_OF_FOUR_BITS, "bitsandbytes")
    except (ValueError, AttributeError, RecursionError) as error:
        raise _broken(whole, state) from error


def _broken(whole: Tensors, name: str) -> CheckpointError:
    return CheckpointError(
        f"'{whole.origin}' packs {name[:120]!r} in several tensors that do not belong "
        "together; download it again."
    )
