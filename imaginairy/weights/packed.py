"""Matrices that stay packed in memory, and are unpacked where something computes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

AT_ONCE = 2**20
"""Numbers that a CPU unpacks at a time, which its caches hold."""
LIKE_FLOATS = ("cpu", "mps")
"""Kinds of devices that are quicker, or surer, to turn whole numbers into floats before
they multiply. Others do all in one go, and round as they write."""
TOGETHER = 2**22
"""Numbers that a CPU multiplies by at a time. New memory for all of a matrix would take
as long as to unpack it."""
Groups = tuple[Tensor, Tensor, Tensor | None]
"""Numbers in groups, (blocks, groups, n) of any type, what those of each are multiplied
by, and what is taken off them then, (blocks, groups) in float32."""


@dataclass(frozen=True)
class Packing:
    """A way in which numbers are packed, in blocks of so many."""

    name: str
    numbers: int
    """Of a block."""
    groups: Callable[..., Groups]
    """Gives the groups of blocks, of all the tensors that they lie in, whose first axes
    are the blocks."""

    def unpack(self, *parts: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the numbers of blocks, (blocks, numbers) in float32 or as in `out`."""
        numbers, scales, starts = self.groups(*parts)
        if out is None:
            out = scales.new_empty(len(parts[0]), self.numbers)
        made, by = out.view(numbers.shape), scales[..., None]
        if numbers.device.type in LIKE_FLOATS:
            some = made if out.dtype == torch.float32 else scales.new_empty(made.shape)
            some.copy_(numbers).mul_(by)
            if starts is not None:
                some -= starts[..., None]
            if some is not made:
                made.copy_(some)
        elif starts is None:
            torch.mul(numbers, by, out=made)
        else:
            torch.sub(numbers * by, starts[..., None], out=made)
        return out


class Packed(Tensor):
    """A tensor whose numbers lie packed, in blocks one after the other.

    What is computed with it is computed with what it unpacks to, which is let go
    again. Its rows, and it itself on another device, stay packed.

    Args:
        parts: what its blocks lie in.
        dtype: what it unpacks to where nothing else is asked for.
    """

    packing: Packing
    parts: tuple[Tensor, ...]
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(
        cls,
        packing: Packing,
        parts: tuple[Tensor, ...],
        shape: tuple[int, ...],
        dtype: torch.dtype = torch.float32,
    ) -> "Packed":
        made: Any = Tensor._make_wrapper_subclass
        return made(cls, shape, dtype=dtype, device=parts[0].device)

    def __init__(
        self,
        packing: Packing,
        parts: tuple[Tensor, ...],
        shape: tuple[int, ...],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.packing, self.parts = packing, parts

    @property
    def nbytes(self) -> int:  # type: ignore[override]
        """Its size in memory, packed."""
        return sum(part.nbytes for part in self.parts)

    def filling(
        self, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype
    ) -> "Packed":
        """Return the same of another shape, on a device, which unpacks to a type."""
        parts = tuple(part.to(device) for part in self.parts)
        return Packed(self.packing, parts, shape, dtype)

    def unpacked(
        self, dtype: torch.dtype | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Return the numbers, as a tensor like any other.

        Args:
            out: where to, of as many numbers.
        """
        shape = len(self.parts[0]), self.packing.numbers
        if out is None:
            out = torch.empty(shape, dtype=dtype or self.dtype, device=self.device)
        made, step = out.view(shape), max(1, AT_ONCE // self.packing.numbers)
        if self.device.type != "cpu":
            step = max(1, len(made))
        for start in range(0, len(made), step):
            blocks = slice(start, start + step)
            self.packing.unpack(*(p[blocks] for p in self.parts), out=made[blocks])
        return out.view(self.shape)

    def like(
        self, each: Callable[[Tensor], Tensor], shape: tuple[int, ...] | None = None
    ) -> "Packed":
        """Return one with something else made of what its blocks lie in."""
        parts = tuple(map(each, self.parts))
        with torch.inference_mode(self.is_inference()):  # as what shares its memory is
            return Packed(self.packing, parts, shape or tuple(self.shape), self.dtype)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        stays = STAYS.get(func.overloadpacket)
        kept = stays(*args, **kwargs) if stays else None
        if kept is not None:
            return kept
        args, kwargs = tree_map(plain, (args, kwargs))
        return func(*args, **kwargs)


@cache
def table(numbers: tuple[float, ...], device: torch.device) -> Tensor:
    """Return what packed numbers stand for, in float32; it is there but once."""
    return torch.tensor(numbers, dtype=torch.float32, device=device)


def meant(numbers: tuple[float, ...], places: Tensor) -> Tensor:
    """Return what stands at places of a table, in float32."""
    found = table(numbers, places.device).index_select(0, places.flatten().int())
    return found.view(places.shape)


def plain(value: Any) -> Any:
    """Return a packed tensor as one like any other, and anything else as it is."""
    return value.unpacked() if isinstance(value, Packed) else value


def _same(packed: Packed, **_: Any) -> Packed:
    return packed.like(lambda part: part)


def _moved(packed: Packed, **wanted: Any) -> Tensor:
    """Return it on another device, or unpacked where another type is asked for."""
    dtype, device = wanted.get("dtype"), wanted.get("device")
    if dtype not in (None, packed.dtype):
        return packed.unpacked(dtype).to(device)
    wait = wanted.get("non_blocking", False)
    return packed.like(lambda part: part.to(device, non_blocking=wait))


def _to(packed: Packed, *given: Any, **wanted: Any) -> Tensor:
    """Do what `Tensor.to` does, in whichever words it is asked."""
    for each in given:
        if isinstance(each, torch.dtype):
            wanted["dtype"] = each
        elif isinstance(each, torch.device):
            wanted["device"] = each
        elif isinstance(each, Tensor):
            wanted |= {"dtype": each.dtype, "device": each.device}
    stays = wanted.get("device") in (None, packed.device) and not wanted.get("copy")
    if stays and wanted.get("dtype") in (None, packed.dtype):
        return packed
    return _moved(packed, **wanted)


def _rows(
    packed: Tensor, axis: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Packed | None:
    """Return rows that are whole blocks."""
    if not isinstance(packed, Packed) or axis or step != 1:
        return None
    first, last, _ = slice(start, end).indices(len(packed))
    row = prod(packed.shape[1:])
    begin, rest = divmod(first * row, packed.packing.numbers)
    stop, more = divmod(max(first, last) * row, packed.packing.numbers)
    if rest or more:
        return None
    shape = (max(first, last) - first, *packed.shape[1:])
    return packed.like(lambda part: part[begin:stop], shape)


def _viewed(packed: Packed, shape: list[int]) -> Packed:
    whole = torch.empty(packed.shape, device="meta").view(shape)
    return packed.like(lambda part: part, tuple(whole.shape))


def _empty(packed: Packed, **wanted: Any) -> Packed | None:
    """Return one of the same size with no numbers yet."""
    device = wanted.get("device")
    if wanted.get("dtype") not in (None, packed.dtype):
        return None
    return packed.like(lambda part: torch.empty_like(part, device=device))


def _copied(packed: Tensor, other: Tensor, non_blocking: bool = False) -> Tensor | None:
    if not (isinstance(packed, Packed) and isinstance(other, Packed)):
        return None
    for ours, theirs in zip(packed.parts, other.parts, strict=True):
        ours.copy_(theirs, non_blocking)
    return packed


def _multiplied(
    input: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor | None:
    """Multiply by some rows after the others, as a CPU does it soonest."""
    if not isinstance(weight, Packed) or weight.device.type != "cpu":
        return None
    width, rows = weight.shape[1], max(1, TOGETHER // weight.shape[1])
    if width % weight.packing.numbers or input.dtype != weight.dtype:
        return None
    flat = input.reshape(-1, width)
    made = flat.new_empty(len(flat), len(weight))
    place = flat.new_empty(min(rows, len(weight)), width)
    for start in range(0, len(weight), rows):
        some = _rows(weight, 0, start, start + rows)
        if some is None:
            return None
        by, into = (
            some.unpacked(out=place[: len(some)]).T,
            made[:, start : start + rows],
        )
        if bias is None:
            torch.mm(flat, by, out=into)
        else:
            torch.addmm(bias[start : start + rows], flat, by, out=into)
    return made.view(*input.shape[:-1], len(weight))


def _looked_up(packed: Tensor, numbers: Tensor, *_: Any, **__: Any) -> Tensor | None:
    """Return the rows of these numbers, of which no others are unpacked."""
    if not isinstance(packed, Packed):
        return None
    blocks, rest = divmod(packed.shape[1], packed.packing.numbers)
    if rest:
        return None
    each = numbers.flatten()[:, None] * blocks
    chosen = (each + torch.arange(blocks, device=each.device)).flatten()
    rows = packed.like(lambda part: part[chosen], (numbers.numel(), packed.shape[1]))
    return rows.unpacked().view(*numbers.shape, packed.shape[1])


_ATEN: Any = torch.ops.aten
STAYS: dict[Any, Callable[..., Tensor | bool | None]] = {
    _ATEN.detach: _same,
    _ATEN.alias: _same,
    _ATEN._to_copy: _moved,
    _ATEN.to: _to,
    _ATEN.is_pinned: lambda packed, *_: all(part.is_pinned() for part in packed.parts),
    _ATEN._pin_memory: lambda packed, *_: packed.like(lambda part: part.pin_memory()),
    _ATEN.slice: _rows,
    _ATEN.view: _viewed,
    _ATEN._unsafe_view: _viewed,
    _ATEN.empty_like: _empty,
    _ATEN.copy_: _copied,
    _ATEN.embedding: _looked_up,
    _ATEN.linear: _multiplied,
}
"""What is done to packed tensors without unpacking them all; None says that it has to
be unpacked."""
