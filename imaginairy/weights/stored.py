"""Where the tensors of our networks lie among the tensors of a file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Names = dict[str, str]
"""Our modules to theirs, whose tensors are called `weight` and `bias` in both; or our
tensors to theirs, where those have a name of their own, lie with others in one, are
turned or convolve: `"query.weight": "in_proj_weight[0/3]"` is the first third of the
rows, `"query": "in_proj[0/3]"` of all tensors of a module, `"widen": "linear[3-7/7]"`
the last four sevenths, `"out.weight": "projection[T]"` the transposed matrix,
`"query.weight": "q.weight[1x1]"` the matrix as a convolution of single pixels."""
Shape = tuple[int, ...]
LAID = re.compile(
    r"(?P<name>.*?)"
    r"(\[((?P<part>\d+)(-(?P<end>\d+))?/(?P<parts>\d+)|(?P<turned>T)|"
    r"(?P<convolves>1x1))\])?"
)


@dataclass(frozen=True)
class Stored:
    """A tensor of a file, or a part of one, that fills one of ours."""

    name: str
    part: int = 0
    parts: int = 1
    """In how many parts, as large as each other, its first axis is cut."""
    span: int = 1
    """How many of them, from `part` on, are ours."""
    turned: bool = False
    """Whether it is a matrix whose columns are our rows."""
    convolves: bool = False
    """Whether it is the convolution of single pixels that our matrix is."""

    def shape(self, ours: Shape) -> Shape:
        """Return the shape of the whole, for one of ours of a shape."""
        if self.turned:
            return ours[::-1]
        if self.convolves:
            return (*ours, 1, 1)
        if self.parts == 1:
            return ours
        return (self.parts * ours[0] // self.span, *ours[1:])

    def taken(self, whole: Tensor) -> Tensor:
        """Return ours out of the whole, in the memory where it lies."""
        if self.turned:
            return whole.T
        if self.convolves:
            return whole.flatten(1)
        if self.parts == 1:
            return whole
        rows = len(whole) // self.parts
        return whole[self.part * rows : (self.part + self.span) * rows]

    def laid(self, ours: Tensor) -> Tensor:
        """Return one of ours as it lies there, or in the part of the whole that it is.

        It is what `taken` takes.
        """
        if self.turned:
            return ours.T
        return ours[..., None, None] if self.convolves else ours


def stored_as(ours: str, names: Names) -> Stored:
    """Say where one of our tensors lies."""
    module, _, kind = ours.rpartition(".")
    said = names[ours] if ours in names else _tensor_of(names[module], kind)
    found = LAID.fullmatch(said.removeprefix("."))
    assert found is not None  # any text fits
    name, part, end, parts = found.group("name", "part", "end", "parts")
    turned, convolves = (found[how] is not None for how in ("turned", "convolves"))
    first = int(part or 0)
    span = int(end) - first if end else 1
    return Stored(name, first, int(parts or 1), span, turned, convolves)


def _tensor_of(module: str, kind: str) -> str:
    """Name a tensor of a module, or the part of one that ours is a part of."""
    name, bracket, part = module.partition("[")
    return f"{name}.{kind}{bracket}{part}"


def as_stored(ours: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """Return the tensors of a network as they lie in a file, by their names there."""
    parts: dict[str, dict[int, Tensor]] = {}
    for name, tensor in ours.items():
        place = stored_as(name, names)
        parts.setdefault(place.name, {})[place.part] = place.laid(tensor)
    return {
        name: torch.cat([laid[part] for part in sorted(laid)])
        if len(laid) > 1
        else laid[0].contiguous()
        for name, laid in parts.items()
    }
