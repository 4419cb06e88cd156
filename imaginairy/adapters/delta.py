"""What an adapter makes of one layer: a kind, its numbers, and which rows are ours."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imaginairy.adapters.kinds import (
    BIASES,
    MAGNITUDES,
    Factors,
    Kind,
    decomposed,
    low_rank,
)
from imaginairy.weights.packed import plain


@dataclass(frozen=True, eq=False)
class Delta:
    """What an adapter makes of the weight and the bias of one layer."""

    kind: Kind
    factors: Factors
    part: int = 0
    parts: int = 1
    """In how many parts, as large as each other, the rows of the file's layer fall,
    which is several layers of ours where they are more than one."""
    span: int = 1
    """How many of them, from `part` on, ours is."""

    def to(self, device: torch.device | str) -> "Delta":
        """Return the same on a device."""
        return replace(self, factors=self.factors.to(device))

    def form(self) -> Hashable:
        """Return what tells of which weights it is a change, without its numbers."""
        tensors = self.factors.by_suffix.items()
        shapes = tuple((name, tuple(tensor.shape)) for name, tensor in tensors)
        rows = self.parts, self.span
        return self.kind.title, rows, self.factors.on_input, shapes

    def fits(self, weight: Tensor, bias: Tensor | None) -> bool:
        """Tell whether it is a change of such a weight, of which no number is read."""
        rows = self._all(weight)
        most = max(rows, weight.numel() // max(1, weight.shape[0]))
        for factor in self.factors.by_suffix.values():
            if not factor.is_floating_point() or not factor.numel():
                return False
            if max(factor.shape, default=0) > most:
                return False  # of a rank that would only fill the memory
        if self.is_thin and weight.ndim == 1:
            return False  # what is made for matrices
        weight, bias = weight.to("meta"), None if bias is None else bias.to("meta")
        try:
            changed, moved = self.to("meta").changed(weight, bias, 1.0)
        except (RuntimeError, ValueError, LookupError):
            return False
        same = moved is None or moved.shape == weight.shape[:1]
        return changed.shape == weight.shape and same

    def mixed(self, weight: Tensor) -> str:
        """Return why it cannot be made of a part alone, in words; nothing if it can."""
        if self.parts == 1:
            return ""
        if self.kind.mixes and self.kind.mixes(self.factors, self.parts):
            return "the blocks of an OFT turn rows of several into each other"
        if self._is_of_columns(self._all(weight)):
            return "the lengths of a DoRA are those of columns that run through all"
        return ""

    @property
    def has_bias(self) -> bool:
        """Whether it adds to the bias, also where there is none."""
        return not {*BIASES}.isdisjoint(self.factors.by_suffix)

    @property
    def is_added(self) -> bool:
        """Whether it is the same whatever else is made of the weight."""
        return self.kind.changed is None and self._lengths is None

    @property
    def is_thin(self) -> bool:
        """Whether it is a product of two thin matrices, and nothing else."""
        others = {"mid", *MAGNITUDES, *BIASES} & {*self.factors.by_suffix}
        return self.kind.added is low_rank and not others

    def thin(self) -> tuple[Tensor, Tensor, float]:
        """Return what maps up, (out, rank), what maps down, and their scale."""
        up, down = (self.factors.by_suffix[name] for name in ("up", "down"))
        return self._ours(up).flatten(1), down, self.factors.scale(down.shape[0])

    def changed(
        self, weight: Tensor, bias: Tensor | None, strength: float
    ) -> tuple[Tensor, Tensor | None]:
        """Return what a weight and a bias become, in float32 where they are others."""
        weight = plain(weight).float()
        if why := self.mixed(weight):
            raise ValueError(why)
        changed = self.changed_weight(weight, strength)
        return changed, self.changed_bias(weight, bias, strength)

    def changed_weight(self, weight: Tensor, strength: float) -> Tensor:
        """Return what a weight in float32 becomes."""
        if self.kind.changed is not None:
            whole = self._among(weight)
            return self._ours(self.kind.changed(self.factors, whole, strength))
        if self.kind.added is None:
            return weight
        rows = self._all(weight)
        change = self._ours(self.kind.added(self.factors, (rows, *weight.shape[1:])))
        lengths = self._lengths
        if lengths is None:
            return weight + strength * change
        axis = 1 if self._is_of_columns(rows) else 0
        lengths = lengths if axis else self._ours(lengths.flatten())
        return decomposed(weight, change, lengths, axis, strength)

    def _is_of_columns(self, rows: int) -> bool:
        """Tell whether it says the lengths of columns, and not of so many rows."""
        if self._lengths is None or self._lengths.shape[0] == rows:
            return False
        return "rows_a" in self.factors or "dora_scale" in self.factors

    @property
    def _lengths(self) -> Tensor | None:
        """Of the rows or columns of what a DoRA makes."""
        found = (name for name in MAGNITUDES if name in self.factors)
        name = next(found, None)
        return None if name is None else self.factors[name]

    def changed_bias(
        self, weight: Tensor, bias: Tensor | None, strength: float
    ) -> Tensor | None:
        """Return what a bias becomes, for which no number of the weight is read."""
        if self.kind.bias is not None and bias is not None:
            whole = self._among(weight), self._among(bias)
            bias = self._ours(self.kind.bias(self.factors, *whole, strength))
        for name in BIASES:
            if name in self.factors:
                more = strength * self._ours(self.factors[name])
                if name == "up_bias":
                    more = more * self.factors.scale(self.factors["down"].shape[0])
                bias = more if bias is None else bias.float() + more
        return bias

    def _ours(self, whole: Tensor) -> Tensor:
        if self.parts == 1:
            return whole
        rows = whole.shape[0] // self.parts
        return whole[self.part * rows : (self.part + self.span) * rows]

    def _all(self, ours: Tensor) -> int:
        """Return how many rows the file's layer has, of one of ours."""
        return self.parts * ours.shape[0] // self.span

    def _among(self, ours: Tensor) -> Tensor:
        """Return the rows of a part among those of others, which do not count."""
        if self.parts == 1:
            return ours
        rows = ours.shape[0] // self.span
        after = self.parts - self.part - self.span
        others = [ours.new_zeros(n * rows, *ours.shape[1:]) for n in (self.part, after)]
        return torch.cat([others[0], ours, others[1]])
