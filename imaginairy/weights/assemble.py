"""A network filled with the tensors of a file, each where it belongs or refused."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from imaginairy.eight_bits import holds_nan
from imaginairy.errors import CheckpointError
from imaginairy.log import shortened
from imaginairy.settings import Settings
from imaginairy.weights.joined import bytes_of
from imaginairy.weights.leftovers import IGNORED, LEFT_ASIDE, some, unexpected
from imaginairy.weights.packed import Packed, plain
from imaginairy.weights.stored import Names, Shape, Stored, stored_as
from imaginairy.weights.weightfile import Tensors

HALVES = (
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
)
"""Types of weights in half precision, or less."""
FLOATS = (*HALVES, torch.float32, torch.float64)
PICTURES = 4
"""Dimensions of a batch of pictures, and of what convolves them."""
FEW = 32
"""More channels than pictures and latents have, which the first layers read."""


MAPPED = 2**28
"""Bytes of a file that are kept in memory beside their copies while these are made."""


UNPACKING = 6
"""Bytes of a number that are held beside it while it is unpacked, at most."""


@dataclass(frozen=True)
class Part:
    """One network of a checkpoint: its class, its size, and where its tensors lie."""

    network: type[nn.Module]
    config: Any
    tensors: Tensors
    names: Names
    ignored: tuple[str, ...] = (*IGNORED, *LEFT_ASIDE)
    """Patterns of the tensors that may lie there unused."""
    settings: Settings = field(default_factory=dict)
    """What said of its size what shapes do not."""
    title: str = ""
    """What it is called in messages, where that is not the name of its class."""

    @property
    def called(self) -> str:
        """What it is called in messages."""
        return self.title or self.network.__name__

    def load(
        self,
        device: torch.device,
        dtype: torch.dtype,
        *,
        as_stored: Collection[torch.dtype] = (),
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> nn.Module:
        """Build the network around the tensors on disk; see `assemble`."""
        return assemble(
            self.unfilled(),
            self,
            device,
            dtype,
            as_stored=as_stored,
            memory_format=memory_format,
        )

    def check(self) -> None:
        """Compare the network with the tensors, of which none is read.

        Raises:
            CheckpointError: as `assemble`.
        """
        unfilled = self.unfilled().state_dict()
        places = {name: stored_as(name, self.names) for name in unfilled}
        _refuse_misfits(self, unfilled, places)
        for place in places.values():
            _refuse_whole_numbers(self, place, self.tensors.types[place.name])

    def stays_packed(self, network: nn.Module) -> dict[str, float]:
        """Return the bytes of a number of each weight that stays packed, by name.

        Args:
            network: its own, whose weights need not have values.
        """
        found = {}
        for name, _ in network.named_parameters():
            place = stored_as(name, self.names)
            kind = self.tensors.packed.get(place.name)
            layer = network.get_submodule(name.rpartition(".")[0])
            if kind is not None and not place.turned and _casts(layer, name):
                found[name] = bytes_of(kind)
        return found

    def unpacks(self, network: nn.Module, number: int) -> int:
        """Return how many bytes are held while the largest such weight is unpacked.

        Args:
            number: bytes of a number that is unpacked.
        """
        packed = self.stays_packed(network)
        weights = (network.get_parameter(name) for name in packed)
        most = max((weight.numel() for weight in weights), default=0)
        return most * (number + UNPACKING)

    def unfilled(self) -> nn.Module:
        """Build the network on the meta device, where it takes no memory.

        Raises:
            CheckpointError: there is none of such a size.
        """
        try:
            with torch.device("meta"), _Unfilled():
                return self.network(self.config)
        except (
            ValueError,
            RuntimeError,
            TypeError,
            LookupError,
            ArithmeticError,
        ) as error:
            raise CheckpointError(
                f"'{self.tensors.origin}' holds no {self.called} of a workable size "
                f"({error})."
            ) from error


def assemble(
    network: nn.Module,
    part: Part,
    device: torch.device,
    dtype: torch.dtype,
    *,
    as_stored: Collection[torch.dtype] = (),
    memory_format: torch.memory_format = torch.contiguous_format,
) -> nn.Module:
    """Fill a network built on the meta device with tensors mapped in from disk.

    Nothing is initialised, and each tensor is cast and moved once. Packed ones stay so
    where their layer casts them as it computes.

    Args:
        as_stored: types of weights that are left as they lie on disk where their
            layer casts them as it computes; they then take no memory of their own.
        memory_format: how the weights of convolutions lie in memory, and with them all
            that is computed. Of those left as stored only the first ones do, which
            is enough for the latter.

    Raises:
        CheckpointError: a tensor is missing, unexpected, or of another shape.
    """
    unfilled = network.state_dict()
    places = {name: stored_as(name, part.names) for name in unfilled}
    _refuse_misfits(part, unfilled, places)
    filled: dict[str, Tensor] = {}
    mapped = 0
    for name, tensor in unfilled.items():
        place = places[name]
        whole = part.tensors.read(place.name)
        mapped += whole.nbytes
        if mapped > MAPPED:
            part.tensors.rest()
            mapped = 0
        _refuse_whole_numbers(part, place, whole.dtype)
        _refuse_nan(part, place, whole)
        layer = network.get_submodule(name.rpartition(".")[0])
        casts = _casts(layer, name)
        ours = place.taken(whole)
        if casts and isinstance(ours, Packed):
            filled[name] = ours.filling(tuple(tensor.shape), device, dtype)
            continue
        stays = casts and whole.dtype in as_stored
        ours = plain(ours).to(device=device, dtype=None if stays else dtype)
        ours = ours.reshape(tensor.shape)
        if place.turned and not stays:  # so that it computes as those of folders do
            ours = ours.contiguous()
        if ours.ndim == PICTURES and (not as_stored or ours.shape[1] < FEW):
            ours = ours.contiguous(memory_format=memory_format)
        filled[name] = ours
    part.tensors.rest()
    network.load_state_dict(filled, assign=True)
    return network.eval().requires_grad_(False)


def _casts(layer: nn.Module, name: str) -> bool:
    """Tell whether a layer takes that tensor in another type than it computes in."""
    return name.endswith(".weight") and getattr(layer, "casts", False)


def _refuse_misfits(
    part: Part, unfilled: dict[str, Tensor], places: dict[str, Stored]
) -> None:
    """Compare a network with the tensors of its part, by names and shapes."""
    held, prefix = part.tensors.shapes, part.tensors.prefix
    missing, misshapen = [], []
    for name, place in places.items():
        wanted = place.shape(tuple(unfilled[name].shape))
        if place.name not in held:
            missing.append(prefix + place.name)
        elif _squeezed(held[place.name]) != _squeezed(wanted):
            misshapen.append(
                f"{prefix}{place.name} is {shortened(str(held[place.name]))} instead "
                f"of {wanted}"
            )
    left = unexpected(
        [prefix + name for name in held],
        [prefix + place.name for place in places.values()],
        part.ignored,
    )
    problems = [
        f"{len(once)} {problem} ({some(once)})"
        for problem, found in (
            ("missing", missing),
            ("unexpected", left),
            ("misshapen", misshapen),
        )
        if (once := dict.fromkeys(found))
    ]
    if problems:
        raise CheckpointError(
            f"'{part.tensors.origin}' does not fit the {part.called} it seems to hold: "
            f"tensors {'; '.join(problems)}."
        )


def _refuse_whole_numbers(part: Part, place: Stored, dtype: torch.dtype) -> None:
    if not dtype.is_floating_point:
        raise CheckpointError(
            f"'{part.tensors.origin}' holds {part.tensors.prefix}{place.name} as "
            f"{dtype}; only floating-point weights are supported."
        )


def _refuse_nan(part: Part, place: Stored, whole: Tensor) -> None:
    """Refuse NaN where nothing that is computed with it would be NaN."""
    if any(map(holds_nan, whole.parts if isinstance(whole, Packed) else (whole,))):
        raise CheckpointError(
            f"'{part.tensors.origin}' holds NaN in {part.tensors.prefix}{place.name}; "
            "the file is broken: fetch it again or take another."
        )


class _Unfilled(TorchFunctionMode):
    """Leave out the filling of new weights, which does nothing on the meta device."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _squeezed(shape: Shape) -> Shape:
    """Drop the 1 x 1 of a convolution that is a matrix product."""
    return shape[:2] if shape[2:] == (1, 1) else shape
