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

from imaginairy.adapters.suffixes import HADA, LOKR

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Factors:
    """The tensors of an adapter for one layer, as they are stored."""

    by_suffix: Mapping[str, Tensor]
    """By what stands behind the layer's name, in the words of `suffixes`."""
    alpha: float | None = None
    """What the change is scaled by, over the rank; None or 0 for the rank itself."""
    fixed: float | None = None
    """What it is scaled by whatever the rank, where that is said."""
    on_input: bool = False
    """Whether numbers of an (IA)^3 are for what a layer takes in."""

    def __getitem__(self, suffix: str) -> Tensor:
        return self.by_suffix[suffix].float()

    def __contains__(self, suffix: str) -> bool:
        return suffix in self.by_suffix

    def scale(self, rank: int) -> float:
        """Return what a change of a rank is multiplied by."""
        if self.fixed is not None:
            return self.fixed
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
    """What is added to a weight of a shape, at strength 1; None where nothing is."""
    changed: Callable[[Factors, Tensor, float], Tensor] | None = None
    """What becomes of a weight at a strength, where that is no addition."""
    bias: Callable[[Factors, Tensor, Tensor, float], Tensor] | None = None
    """What becomes of a bias beside a weight, where that is more than an addition."""
    mixes: Callable[[Factors, int], bool] | None = None
    """Whether rows of one of so many parts become of rows of others too."""


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
    scale = factors.scale(rank)  # of whole halves alpha says nothing
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
    """(IA)^3 as PEFT stores it: what is multiplied by."""
    offset = factors["ia3_l"].flatten() - 1
    return weight * (1 + strength * _along(offset, weight, reads_in(factors, weight)))


def inhibited_bias(
    factors: Factors, weight: Tensor, bias: Tensor, strength: float
) -> Tensor:
    """The same of a bias, which is a part of the outputs."""
    if reads_in(factors, weight):
        return bias
    return bias.float() * (1 + strength * (factors["ia3_l"].flatten() - 1))


def reads_in(factors: Factors, weight: Tensor) -> int:
    """Return the axis that PEFT's (IA)^3 multiplies: 0, or 1 for inputs."""
    by = factors["ia3_l"]
    if by.ndim == 2:
        return 1 if by.shape[0] == 1 and weight.shape[0] != 1 else 0
    same = weight.shape[0] == weight.shape[1]
    return int(factors.on_input if same else by.numel() == weight.shape[1])


def _along(numbers: Tensor, weight: Tensor, axis: int) -> Tensor:
    if numbers.shape != weight.shape[axis : axis + 1]:
        raise ValueError(f"{tuple(numbers.shape)} numbers for {tuple(weight.shape)}")
    return numbers.reshape([-1 if each == axis else 1 for each in range(weight.ndim)])


def rotated(factors: Factors, weight: Tensor, strength: float) -> Tensor:
    """Diag-OFT: blocks of outputs turned, by Cayley's transform, and rescaled.

    Alpha, where it is above 0, is what the trainers (kohya's, LyCORIS) are given as the
    constraint, which they multiply by the number of outputs: the skew matrices, all
    together, are no longer than that. So is every file in the wild, and so LyCORIS
    computes; the bound is not alpha alone.
    """
    blocks = factors["oft_blocks"]
    skew = blocks - blocks.transpose(1, 2)
    if factors.alpha and factors.alpha > 0:
        most, norm = factors.alpha * weight.shape[0], skew.norm()
        skew = torch.where(norm > most, skew * (most / norm), skew)
    one = torch.eye(blocks.shape[1], device=blocks.device)
    turn = torch.linalg.solve(one - skew, one + skew, left=False)
    turn = strength * turn + (1 - strength) * one
    rows = weight.reshape(blocks.shape[0], blocks.shape[1], -1)
    turned = torch.einsum("knm,kni->kmi", turn, rows).reshape(weight.shape)
    if "rescale" in factors:
        turned = turned * _along(factors["rescale"].flatten(), weight, 0)
    return turned


def rotates_across(factors: Factors, parts: int) -> bool:
    """Tell whether a block reaches from one part of the outputs into another."""
    return len(factors["oft_blocks"]) % parts > 0


def difference(factors: Factors, shape: Shape) -> Tensor:
    """A whole difference of weights."""
    return fitted(factors["diff" if "diff" in factors else "w_norm"], shape)


def exchanged(factors: Factors, weight: Tensor, strength: float) -> Tensor:
    """Other weights in the place of those that are there."""
    other = fitted(factors["set_weight"], tuple(weight.shape))
    return other if strength == 1 else weight + strength * (other - weight)


BIASES = ("diff_b", "b_norm", "up_bias")
"""What is added to biases; it may stand beside any kind."""
MAGNITUDES = ("dora_scale", "magnitude")
"""Make a DoRA of what is added: the length of each row, or of each column, in LyCORIS'
words and in PEFT's."""

KINDS = (
    Kind("LoRA", ("up", "down"), ("up", "down", "mid"), low_rank),
    Kind("LoRA", ("rows_a",), ("rows_a", "rows_b"), low_rank_rows),
    Kind("LoHa", ("hada_w1_a",), HADA, hadamard),
    Kind("LoKr", LOKR, LOKR, kronecker),
    Kind(
        "OFT",
        ("oft_blocks",),
        ("oft_blocks", "rescale"),
        changed=rotated,
        mixes=rotates_across,
    ),
    Kind("GLoRA", ("a1", "b1"), ("a1", "a2", "b1", "b2"), changed=generalised),
    Kind("(IA)^3", ("on_input",), ("weight", "on_input"), changed=inhibited),
    Kind(
        "(IA)^3", ("ia3_l",), ("ia3_l",), changed=inhibited_whole, bias=inhibited_bias
    ),
    Kind("difference", ("w_norm", "diff"), ("w_norm", "diff"), difference),
    Kind("set weight", ("set_weight",), ("set_weight",), changed=exchanged),
    Kind("difference", BIASES, ()),
)
"""The first whose sign is there is the kind."""


def decomposed(
    weight: Tensor, change: Tensor, lengths: Tensor, axis: int, strength: float
) -> Tensor:
    """DoRA: a change of direction; rows or columns have lengths of their own."""
    moved = weight + change
    others = [each for each in range(weight.ndim) if each != axis]
    were = torch.linalg.vector_norm(moved, dim=others, keepdim=True)
    return moved * (1 + strength * (_along(lengths.flatten(), weight, axis) / were - 1))


def kind_of(suffixes: set[str]) -> Kind | None:
    """Return the kind that the suffixes of one layer show."""
    for kind in KINDS:
        if suffixes & {*kind.signs}:
            return kind
    return None
