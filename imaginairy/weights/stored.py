"""Where the tensors of our networks lie among the tensors of a file."""

import re
from dataclasses import dataclass

from torch import Tensor

Names = dict[str, str]
"""Our modules to theirs, whose tensors are called `weight` and `bias` in both; or our
tensors to theirs, where those have a name of their own, lie with others in one or are
turned: `"query.weight": "in_proj_weight[0/3]"` is the first third of the rows,
`"out.weight": "projection[T]"` the transposed matrix."""
Shape = tuple[int, ...]
LAID = re.compile(r"(?P<name>.*?)(\[((?P<part>\d+)/(?P<parts>\d+)|(?P<turned>T))\])?")


@dataclass(frozen=True)
class Stored:
    """A tensor of a file, or a part of one, that fills one of ours."""

    name: str
    part: int = 0
    parts: int = 1
    """How many tensors of ours lie in it, one after the other along its first axis."""
    turned: bool = False
    """Whether it is a matrix whose columns are our rows."""

    def shape(self, ours: Shape) -> Shape:
        """Return the shape of the whole, for one of ours of a shape."""
        if self.turned:
            return ours[::-1]
        return (self.parts * ours[0], *ours[1:]) if self.parts > 1 else ours

    def taken(self, whole: Tensor) -> Tensor:
        """Return ours out of the whole, in the memory where it lies."""
        if self.turned:
            return whole.T
        return whole.chunk(self.parts)[self.part] if self.parts > 1 else whole


def stored_as(ours: str, names: Names) -> Stored:
    """Say where one of our tensors lies."""
    module, _, kind = ours.rpartition(".")
    said = names[ours] if ours in names else f"{names[module]}.{kind}"
    found = LAID.fullmatch(said.removeprefix("."))
    assert found is not None  # any text fits
    name, part, parts, turned = found.group("name", "part", "parts", "turned")
    return Stored(name, int(part or 0), int(parts or 1), turned is not None)
