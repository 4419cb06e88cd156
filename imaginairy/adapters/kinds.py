"""What adapters make of weights: one row for each kind, formulas as pure functions.

LoRA: Hu et al. 2021 (arXiv:2106.09685); LoHa: Hyeon-Woo et al. 2021 (arXiv:2108.06098);
LoKr, LoCon and their Tucker forms: Yeh et al. 2023 (arXiv:2309.14859); DoRA: Liu et al.
2024 (arXiv:2402.09353); (IA)^3: Liu et al. 2022 (arXiv:2205.05638); GLoRA: Chavan et
al. 2023 (arXiv:2306.07967); OFT: Qiu et al. 2023 (arXiv:2306.07280).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

import torch
from torch import Tensor

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Factors:
    """The tensors of an adapter for one layer, as they are stored."""

    by_suffix: Mapping[str, Tensor]
    """By what stands behind the layer's name, in the words of `suffixes`."""
    alpha: float | None = None
    """What the change is scaled by, over the rank; None or 0 for the rank itself."""
    on_input: bool = False
    """Whether numbers of an (IA)^3 are for what a layer takes in."""

    def __getitem__(self, suffix: str) -> Tensor:
        return self.by_suffix[suffix].float()

    def __contains__(self, suffix: str) -> bool:
        return suffix in self.by_suffix

    def scale(self, rank: int) -> float:
        """Return what a change of a rank is multiplied by."""
        return self.alpha / rank if self.alpha and rank else 1.0

    def to(self, device: torch.device | str) -> "Factors":
        """Return the same on a device; what is there already is not copied."""
        moved = {name: each.to(device) for name, each in self.by_suffix.items()}
        return replace(self, by_suffix=moved)


@dataclass(frozen=True)
class Kind:
    """One kind of adapter."""

    title: str
    signs: tuple[str, ...]
    """Suffixes of which any shows it."""
    takes: tuple[str, ...]
    """All suffixes that it may have, besides those that any kind may."""
    added: Callable[[Factors, Shape], Tensor] | None = None
    """What is added to a weight of a shape, at strength 1; None where a change is no
    such thing."""
    changed: Callable[[Factors, Tensor, float], Tensor] | None = None
    """What becomes of a weight at a strength, where nothing is added to it."""


def fitted(change: Tensor, shape: Shape) -> Tensor:
    """Return a change in the shape of the weight that it belongs to.

    Raises:
        ValueError: it belongs to another one.
    """
    rows = change.shape[:1] == shape[:1] and change.ndim == 2
    same = _squeezed(tuple(change.shape)) == _squeezed(shape)
    if not same and not (rows and change.numel() == prod(shape)):
        raise ValueError(f"a change of {tuple(change.shape)} for a weight of {shape}")
    return change.reshape(shape)


def _squeezed(shape: Shape) -> Shape:
    while shape[-1:] == (1,) and len(shape) > 1:
        shape = shape[:-1]
    return shape


def low_rank(factors: Factors, shape: Shape) -> Tensor:
    """LoRA; of a convolution LoCon, with a middle in its Tucker form."""
    up, down = factors["up"].flatten(1), factors["down"]
    scale = factors.scale(down.shape[0])
    if "mid" in factors:
        change = torch.einsum("mnkl,om,ni->oikl", factors["mid"], up, down.flatten(1))
    else:
        change = up @ down.flatten(1)
    return fitted(scale * change, shape)


def low_rank_rows(factors: Factors, shape: Shape) -> Tensor:
    """LoRA of the rows of an embedding."""
    first, second = factors["rows_a"], factors["rows_b"]
    return fitted(factors.scale(first.shape[0]) * (second @ first).T, shape)


def hadamard(factors: Factors, shape: Shape) -> Tensor:
    """LoHa: the product, number by number, of two matrices of low rank."""
    halves = []
    for half in ("1", "2"):
        a, b = factors[f"hada_w{half}_a"], factors[f"hada_w{half}_b"]
        if f"hada_t{half}" in factors:
            middle = factors[f"hada_t{half}"]
            halves.append(torch.einsum("ijkl,jn,io->onkl", middle, b, a))
        else:
            halves.append(a @ b)
    scale = factors.scale(factors["hada_w1_b"].shape[0])
    return fitted(scale * halves[0] * halves[1], shape)


def kronecker(factors: Factors, shape: Shape) -> Tensor:
    """LoKr: the Kronecker product of two matrices, each whole or of low rank."""
    halves, rank = [], 0
    for half in ("1", "2"):
        if f"lokr_w{half}" in factors:
            halves.append(factors[f"lokr_w{half}"])
            continue
        a, b = factors[f"lokr_w{half}_a"], factors[f"lokr_w{half}_b"]
        rank = b.shape[0]
        if f"lokr_t{half}" in factors:
            middle = factors[f"lokr_t{half}"]
            halves.append(torch.einsum("ijkl,io,jn->onkl", middle, a, b))
        elif len(shape) > 2 and half == "2":
            halves.append((a @ b).reshape(a.shape[0], -1, *shape[2:]))
        else:
            halves.append(a @ b)
    first, second = halves
    first = first.reshape(*first.shape, *[1] * (second.ndim - first.ndim))
    scale = factors.scale(rank) if rank else 1.0  # of whole halves alpha says nothing
    return fitted(scale * torch.kron(first, second.contiguous()), shape)


def generalised(factors: Factors, weight: Tensor, strength: float) -> Tensor:
    """GLoRA: a product with the weight itself beside what is added."""
    a1, a2, b1, b2 = (factors[name].flatten(1) for name in ("a1", "a2", "b1", "b2"))
    shape = tuple(weight.shape)
    if a1.shape[0] != shape[1] or b1.shape[0] != shape[0]:  # as older files have them
        a1, a2, b1, b2 = a2, a1, b2, b1
    scale = factors.scale(b1.shape[1])
    through = torch.einsum("oi...,ir,rj->oj...", weight, a1, a2)
    return weight + strength * scale * (fitted(through, shape) + fitted(b1 @ b2, shape))


def inhibited(factors: Factors, weight: Tensor, strength: float) -> Tensor:
    """(IA)^3: inputs or outputs made stronger or weaker, each by a number."""
    by = _along(factors["weight"].flatten(), weight, 1 if factors.on_input else 0)
    return weight * (1 + strength * by)


def inhibited_whole(factors: Factors, weight: Tensor, strength: float) -> Tensor:
    """(IA)^3 as PEFT stores it: what is multiplied by, in the shape of its axis."""
    by = factors["ia3_l"]
    on_input = by.ndim > 1 and by.shape[0] == 1 and by.shape[1] == weight.shape[1]
    offset = _along(by.flatten() - 1, weight, 1 if on_input else 0)
    return weight * (1 + strength * offset)


def _along(numbers: Tensor, weight: Tensor, axis: int) -> Tensor:
    if numbers.shape != weight.shape[axis : axis + 1]:
        raise ValueError(f"{tuple(numbers.shape)} numbers for {tuple(weight.shape)}")
    return numbers.reshape([-1 if each == axis else 1 for each in range(weight.ndim)])


def rotated(factors: Factors, weight: Tensor, strength: float) -> Tensor:
    """Diag-OFT: blocks of outputs turned, by Cayley's transform."""
    blocks = factors["oft_blocks"]
    skew = blocks - blocks.transpose(1, 2)
    if factors.alpha:
        norm = skew.norm()
        skew = torch.where(norm > factors.alpha, skew * (factors.alpha / norm), skew)
    one = torch.eye(blocks.shape[1], device=blocks.device)
    turn = torch.linalg.solve(one - skew, one + skew, left=False)
    turn = strength * turn + (1 - strength) * one
    rows = weight.reshape(blocks.shape[0], blocks.shape[1], -1)
    turned = torch.einsum("knm,kni->kmi", turn, rows).reshape(weight.shape)
    if "rescale" in factors:
        by = 1 + strength * (factors["rescale"].flatten() - 1)
        turned = turned * _along(by, weight, 0)
    return turned


def difference(factors: Factors, shape: Shape) -> Tensor:
    """A whole difference of weights."""
    return fitted(factors["diff" if "diff" in factors else "w_norm"], shape)


def nothing(factors: Factors, shape: Shape) -> Tensor:
    """Only biases differ."""
    return torch.zeros((), device=next(iter(factors.by_suffix.values())).device)


def exchanged(factors: Factors, weight: Tensor, strength: float) -> Tensor:
    """Other weights in the place of those that are there."""
    other = fitted(factors["set_weight"], tuple(weight.shape))
    return other if strength == 1 else weight + strength * (other - weight)


BIASES = ("diff_b", "b_norm", "up_bias")
"""What is added to biases; it may stand beside any kind."""
MAGNITUDE = "magnitude"
"""Makes a DoRA of what is added: the length of each row, or of each column."""

LOKR = (("w", ""), ("w", "_a"), ("w", "_b"), ("t", ""))

KINDS = (
    Kind("LoRA", ("up", "down"), ("up", "down", "mid"), low_rank),
    Kind("LoRA", ("rows_a",), ("rows_a", "rows_b"), low_rank_rows),
    Kind(
        "LoHa",
        ("hada_w1_a",),
        tuple(f"hada_{x}" for x in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")),
        hadamard,
    ),
    Kind(
        "LoKr",
        ("lokr_w1", "lokr_w1_a", "lokr_w2", "lokr_w2_a"),
        tuple(f"lokr_{x}{half}{y}" for half in "12" for x, y in LOKR),
        kronecker,
    ),
    Kind("OFT", ("oft_blocks",), ("oft_blocks", "rescale"), changed=rotated),
    Kind("GLoRA", ("a1", "b1"), ("a1", "a2", "b1", "b2"), changed=generalised),
    Kind("(IA)^3", ("on_input",), ("weight", "on_input"), changed=inhibited),
    Kind("(IA)^3", ("ia3_l",), ("ia3_l",), changed=inhibited_whole),
    Kind("difference", ("w_norm", "diff"), ("w_norm", "diff"), difference),
    Kind("set weight", ("set_weight",), ("set_weight",), changed=exchanged),
    Kind("difference", BIASES, (), nothing),
)
"""The first whose sign is there is the kind."""


def decomposed(
    weight: Tensor, change: Tensor, magnitude: Tensor, strength: float
) -> Tensor:
    """DoRA: a change of direction, and lengths of the rows or columns of their own."""
    moved = weight + change
    of_rows = magnitude.shape[0] == weight.shape[0]
    axis = 0 if of_rows else 1
    others = [each for each in range(weight.ndim) if each != axis]
    lengths = moved.norm(dim=others, keepdim=True)
    wanted = _along(magnitude.flatten(), weight, axis)
    return moved * (1 + strength * (wanted / lengths - 1))


@dataclass(frozen=True, eq=False)
class Delta:
    """What an adapter makes of the weight and the bias of one layer."""

    kind: Kind
    factors: Factors
    part: int = 0
    parts: int = 1
    """How many layers of ours are one in the file; ours is one of them."""

    def to(self, device: torch.device | str) -> "Delta":
        """Return the same on a device."""
        return replace(self, factors=self.factors.to(device))

    def fits(self, weight: Tensor, bias: Tensor | None) -> bool:
        """Tell whether it is a change of such a weight, of which no number is read."""
        hollow = replace(self, factors=self.factors.to("meta"))
        weight = weight.to("meta")
        try:
            changed = hollow.weight(weight, 1.0)
            moved = hollow.bias(None if bias is None else bias.to("meta"), 1.0)
        except (RuntimeError, ValueError, LookupError):
            return False
        rows = weight.shape[:1]
        return changed.shape == weight.shape and (moved is None or moved.shape == rows)

    @property
    def is_added(self) -> bool:
        """Whether it is the same whatever else is made of the weight."""
        return self.kind.added is not None and MAGNITUDE not in self.factors

    @property
    def is_thin(self) -> bool:
        """Whether it is a product of two thin matrices, and nothing else."""
        others = {"mid", MAGNITUDE, *BIASES} & {*self.factors.by_suffix}
        return self.kind.added is low_rank and not others

    def thin(self) -> tuple[Tensor, Tensor, float]:
        """Return what maps up, (out, rank), what maps down, and their scale."""
        up, down = (self.factors.by_suffix[name] for name in ("up", "down"))
        return self._ours(up).flatten(1), down, self.factors.scale(down.shape[0])

    def weight(self, weight: Tensor, strength: float) -> Tensor:
        """Return what a weight becomes, in float32."""
        weight = weight.float()
        if self.kind.changed is not None:
            if self.parts > 1:
                raise ValueError("a part of what cannot be taken apart")
            return self.kind.changed(self.factors, weight, strength)
        assert self.kind.added is not None
        rows = self.parts * weight.shape[0]
        change = self._ours(self.kind.added(self.factors, (rows, *weight.shape[1:])))
        if MAGNITUDE in self.factors:
            magnitude = self.factors[MAGNITUDE]
            if self.parts > 1 and magnitude.shape[0] == rows:
                magnitude = self._ours(magnitude)
            return decomposed(weight, change, magnitude, strength)
        return weight + strength * change

    def bias(self, bias: Tensor | None, strength: float) -> Tensor | None:
        """Return what a bias becomes, in float32 where it is another."""
        for name in BIASES:
            if name in self.factors:
                more = strength * self._ours(self.factors[name])
                if name == "up_bias":
                    more = more * self.factors.scale(self.factors["down"].shape[0])
                bias = more if bias is None else bias.float() + more
        return bias

    def _ours(self, whole: Tensor) -> Tensor:
        return whole.chunk(self.parts)[self.part] if self.parts > 1 else whole


def kind_of(suffixes: set[str]) -> Kind | None:
    """Return the kind that the suffixes of one layer show."""
    for kind in KINDS:
        if suffixes & {*kind.signs}:
            return kind
    return None
