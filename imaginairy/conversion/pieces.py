"""The tensors of a network as they are written: renamed, cast, changed one by one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.published.naming import Naming
from imaginairy.weights.assemble import Part
from imaginairy.weights.packed import plain
from imaginairy.weights.stored import Stored, stored_as
from imaginairy.weights.writing import Piece

WEIGHT, BIAS = "weight", "bias"
"""What the tensors of a layer are called."""
KEPT = re.compile(
    r".*\.(position_ids|num_batches_tracked)|logit_scale|text_projection(\.weight)?"
    r"|transformer\.resblocks\.\d+\..*"
    r"|model\.(layers\.\d+\..*|norm\.weight)|encoder\.embed_tokens\.weight"
)
"""What stands in files of text encoders and VAEs, is not read, and goes from one file
into another of the same naming."""


class Change(Protocol):
    """What becomes of a layer. The two are written apart, so they are asked apart."""

    def weight(self, weight: Tensor) -> Tensor:
        """Return what becomes of the weight; both float32."""

    def bias(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Return what becomes of the bias beside a weight that is still unchanged."""


Changes = Mapping[str, Change]
"""By the layers of a network."""


@dataclass(frozen=True)
class Moved:
    """One of our tensors, and where it goes."""

    ours: str
    target: Stored


@dataclass(frozen=True)
class Plan:
    """What is written of a network."""

    pieces: list[Piece]
    read: set[str]
    """Names of the tensors that they are made of."""


def pieces_of(
    part: Part,
    naming: Naming[Any],
    dtype: torch.dtype | None = None,
    changes: Changes | None = None,
    *,
    prefix: str = "",
) -> Plan:
    """Plan how a network is written; none of its tensors is read before its turn.

    Args:
        naming: whose names it is given.
        dtype: in which type; None leaves each as it is stored.
        changes: what becomes of its layers before.
        prefix: what stands before all names.

    Raises:
        CheckpointError: a tensor is missing, unexpected, or of another shape.
    """
    part.check()
    names = naming.names(part.config)
    layers = _Layers(part, dtype, changes or {})
    read = {place.name for place in layers.places.values()}
    kept = {
        name
        for name in part.tensors.shapes
        if part.names == names and name not in read and KEPT.fullmatch(name)
    }
    groups: dict[str, dict[int, Moved]] = {}
    for alias, ours in aliases(layers.shapes, naming.spare(part.config)):
        target = stored_as(alias, names)
        if target.name not in kept:
            groups.setdefault(target.name, {})[target.part] = Moved(ours, target)
    pieces = [
        layers.piece(prefix, [group[n] for n in sorted(group)])
        for group in groups.values()
    ]
    for name in sorted(kept):
        hollow, make = layers.hollow(name), partial(layers.as_it_is, name)
        pieces.append(_announced(prefix + name, hollow, dtype, make))
    for name, tensor in naming.constants(part.config).items():
        if name not in kept:
            pieces.append(Piece.of(prefix + name, tensor))
    return Plan(pieces, read | kept)


def aliases(
    ours: Mapping[str, object], spare: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return the names of tensors that are written, and those of ours that they hold.

    Args:
        spare: modules that no network has, and those of ours that stand there.
    """
    more = [
        (name.replace(stands, module, 1), name)
        for module, stands in spare.items()
        for name in ours
        if name.startswith(f"{stands}.")
    ]
    return [*((name, name) for name in ours), *more]


def _announced(
    name: str, like: Tensor, dtype: torch.dtype | None, make: Callable[[], Tensor]
) -> Piece:
    written = dtype if dtype and like.is_floating_point() else like.dtype
    return Piece(name, tuple(like.shape), written, make)


class _Layers:
    """The layers of a network in a file, and what becomes of them."""

    def __init__(self, part: Part, dtype: torch.dtype | None, changes: Changes) -> None:
        self.tensors, self.dtype, self.changes = part.tensors, dtype, changes
        state = part.unfilled().state_dict()
        self.shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        self.places = {name: stored_as(name, part.names) for name in self.shapes}

    def piece(self, prefix: str, group: list[Moved]) -> Piece:
        """Return what is written of tensors of ours that are one there."""

        def made(read: Callable[[str], Tensor]) -> Tensor:
            laid = [moved.target.laid(read(moved.ours)) for moved in group]
            return torch.cat(laid) if len(laid) > 1 else laid[0]

        def hollow(ours: str) -> Tensor:
            return self._taken(ours, self.hollow)

        name = prefix + group[0].target.name
        return _announced(name, made(hollow), self.dtype, partial(made, self.became))

    def hollow(self, name: str) -> Tensor:
        """Return a tensor of the file without its numbers."""
        shape, dtype = self.tensors.shapes[name], self.tensors.types[name]
        return torch.empty(shape, dtype=dtype, device="meta")

    def as_it_is(self, name: str) -> Tensor:
        """Return a tensor of the file in the type that is written."""
        return self._cast(self._read(name), self.dtype, name)

    def became(self, ours: str) -> Tensor:
        """Return one of ours as it becomes, in the type that is written."""
        tensor = self._taken(ours, self._read)
        module, _, kind = ours.rpartition(".")
        name = self.places[ours].name
        change = self.changes.get(module)
        if change is None:
            return self._cast(tensor, self.dtype, name)
        weight = self._in_full(f"{module}.{WEIGHT}")
        if kind == BIAS:
            whole = change.bias(weight, self._in_full(ours))
        else:
            whole = change.weight(weight)
        return self._cast(whole.reshape(tensor.shape), self.dtype or tensor.dtype, name)

    def _read(self, name: str) -> Tensor:
        """Return a tensor of the file, unpacked."""
        return plain(self.tensors.read(name))

    def _taken(self, ours: str, read: Callable[[str], Tensor]) -> Tensor:
        """Return one of ours as it is stored, without axes that ours has not."""
        source, shape = self.places[ours], self.shapes[ours]
        taken = source.taken(read(source.name))
        return taken.reshape(shape) if taken.ndim > len(shape) else taken

    def _in_full(self, ours: str) -> Tensor:
        """Return one of ours in float32."""
        tensor = self._taken(ours, self._read)
        return tensor.reshape(self.shapes[ours]).float()

    def _cast(self, tensor: Tensor, dtype: torch.dtype | None, name: str) -> Tensor:
        """Return numbers in another type; whole ones stay as they are.

        Raises:
            CheckpointError: some are too large for it.
        """
        if dtype in (None, tensor.dtype) or not tensor.is_floating_point():
            return tensor
        became = tensor.to(dtype)
        narrow = dtype == torch.float16
        if narrow and not became.isfinite().all() and tensor.isfinite().all():
            kind = str(dtype).rpartition(".")[2]
            raise CheckpointError(
                f"'{self.tensors.origin}' becomes too large for {kind} in "
                f"{self.tensors.prefix}{name}; write it as bf16 or fp32."
            )
        return became
