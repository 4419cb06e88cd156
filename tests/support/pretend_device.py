"""A pretend accelerator: it computes on the CPU and is as strict as a GPU.

Torch takes it for a device of its own, through its Python backend for `PrivateUse1`. A
tensor on it lies in this machine's memory, and each operation is done by the CPU's
kernel. But like a GPU it does not compute with tensors that lie elsewhere, its memory
may end, and it is counted what passes between it and the host, and where the host waits
for it.
"""

import ctypes
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils import backend_registration

import imaginairy
from imaginairy.device import DEVICES, Lane

NAME = "pretend"
ON_CPU, ON_OURS = 1, 12
"""Kinds of devices by the DLPack standard: kDLCPU and kDLExtDev."""
WAITS = {
    "_local_scalar_dense": "item",
    **{name: name for name in ("nonzero", "masked_select", "equal", "_unique2")},
}
"""Operations whose result the host has to know before it goes on, and what they are
called here."""
TAKE_INDICES = ("index", "index_put_", "_index_put_impl_")
"""Operations to which a GPU lets the host bring tensors, which are copied."""
ON_THE_CPU = {
    "convolution_overrideable": torch.ops.aten.convolution.default,
    "_copy_from": lambda source, to, *_: to.copy_(source),
}
"""How the CPU does operations that only a backend from outside is asked for."""
WHOLE = (
    "convolution_overrideable",
    "native_group_norm",
    "native_layer_norm",
    "scaled_dot_product_attention",
)
"""Operations that are not to be put together from smaller ones, as for a device without
kernels of its own."""
PACKAGE = Path(imaginairy.__file__).parent


@dataclass
class Pretend:
    """The device while it is plugged in."""

    limit: int | None = None
    """How many bytes it holds; None where there is no end to them."""
    lacks: frozenset[torch.dtype] = frozenset()
    """Types of numbers that it does not know."""
    held: int = 0
    most_held: int = 0
    traffic: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often the host waited for what (`to host`, `item` ...), and how often it
    brought something (`to device`), by the file of the package that asked for it."""
    records: bool = True
    recorded: int = 0
    replayed: int = 0

    def forget(self) -> None:
        """Count from nothing."""
        self.traffic.clear()
        self.most_held = self.held

    def free(self) -> int | None:
        """Return how many bytes can still be held."""
        return None if self.limit is None else self.limit - self.held

    def note(self, what: str) -> None:
        """Count what passes between host and device."""
        frame = sys._getframe(1)
        while frame and not frame.f_code.co_filename.startswith(str(PACKAGE)):
            frame = frame.f_back
        file = Path(frame.f_code.co_filename) if frame else PACKAGE
        self.traffic[what, file.relative_to(PACKAGE).as_posix()] += 1

    def take(self, made: Tensor) -> None:
        """Count what the CPU has just allocated as held, until it is freed.

        Raises:
            torch.OutOfMemoryError: it is more than can be held.
        """
        if made.dtype in self.lacks:
            raise TypeError(f"The {NAME} device does not support {made.dtype}.")
        size = made.untyped_storage().nbytes()
        if self.limit is not None and self.held + size > self.limit:
            raise torch.OutOfMemoryError(
                f"{NAME} out of memory. Tried to allocate {size} bytes. "
                f"It holds {self.limit}, of which {self.free()} are free."
            )
        self.held += size
        self.most_held = max(self.most_held, self.held)
        weakref.finalize(made.untyped_storage(), self._freed, size)

    def _freed(self, size: int) -> None:
        self.held -= size

    def graph(
        self, compute: Callable[[], Tensor], _: torch.device
    ) -> Callable[[], Tensor]:
        """Record what is computed: the same again, from and into the same tensors."""
        result = compute()
        result.fill_(torch.nan)  # what is recorded is not computed yet
        if not self.records:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.recorded += 1

        def replay() -> Tensor:
            self.replayed += 1
            return result.copy_(compute())

        return replay


class _Module:
    """What torch asks of `torch.pretend`."""

    plugged: Pretend | None = None

    def is_initialized(self) -> bool:
        return self.is_available()

    def is_available(self) -> bool:
        return self.plugged is not None

    def device_count(self) -> int:
        return int(self.is_available())

    def current_device(self) -> int:
        return 0

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        """Chance comes from the CPU's generator, which is seeded beside it."""


class _Hook(torch._C._acc.PrivateUse1Hooks):
    def is_available(self) -> bool:
        return MODULE.is_available()

    def has_primary_context(self, device_index: int) -> bool:
        return MODULE.is_available()

    def is_built(self) -> bool:
        return True


def _seen(tensor: Tensor, kind: int) -> Tensor:
    """Return the same numbers, in the same memory, as a tensor of another device.

    A DLPack capsule names the place, the strides and the device, and keeps the memory
    from being freed; before it is opened, it is told another device.
    """
    capsule = torch._C._to_dlpack(tensor.detach())
    start = _pointer(capsule, b"dltensor")
    device = (ctypes.c_int32 * 2).from_address(start + ctypes.sizeof(ctypes.c_void_p))
    device[:] = (kind, 0)
    seen: Tensor = torch._C._from_dlpack(capsule)
    return seen


class _Operation:
    """One operation: lends the CPU its tensors, and takes what comes of them."""

    def __init__(self, name: str, pretend: Pretend, *, ahead: bool) -> None:
        self.name, self.pretend, self.ahead = name, pretend, ahead
        self.lent: list[tuple[Tensor, Tensor]] = []

    def lend(self, tensor: Tensor) -> Tensor:
        if tensor.device.type == NAME:
            if tensor.numel():
                seen = _seen(tensor, ON_CPU)
            else:  # the CPU's kernel may give it memory
                seen = torch.empty_like(tensor, device="cpu")
            self.lent.append((seen, tensor))
            return seen
        if self.name == "_copy_from":
            if self.lent:
                self.pretend.note("to host")
            else:
                self.pretend.note("sent" if self.ahead else "to device")
        elif self.name in TAKE_INDICES:
            self.pretend.note("to device")
        elif tensor.ndim:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two "
                f"devices, {NAME}:0 and {tensor.device}, in {self.name}."
            )
        self.lent.append((tensor, tensor))
        return tensor

    def take(self, result: Tensor) -> Tensor:
        for seen, tensor in self.lent:
            if result is seen:
                if seen.data_ptr() != tensor.data_ptr():
                    self.pretend.take(seen)
                    tensor.data = _seen(seen, ON_OURS)
                return tensor
        if not any(_within(result, seen) for seen, _ in self.lent):
            self.pretend.take(result)
        return _seen(result, ON_OURS)


def _within(result: Tensor, whole: Tensor) -> bool:
    start, size = whole.data_ptr(), whole.untyped_storage().nbytes()
    return start <= result.data_ptr() < start + size


def _each(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Return a value with its tensors changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_each(change, part) for part in value)
    return value


def _with_tensors(op: torch._ops.OpOverload, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return arguments with a number where that stands for a tensor as one."""
    declared = zip(op._schema.arguments, args, strict=False)
    return tuple(
        torch.tensor(given)
        if isinstance(given, int | float) and isinstance(said.type, torch.TensorType)
        else given
        for said, given in declared
    )


@torch.inference_mode(False)  # so that what it makes may be written to by anyone
def _compute(op: torch._ops.OpOverload, *args: Any, **kwargs: Any) -> Any:
    """Do an operation as the CPU does it."""
    if MODULE.plugged is None:
        raise RuntimeError(f"The {NAME} device is not plugged in.")
    name = op._schema.name.removeprefix("aten::")
    ahead = name == "_copy_from" and args[2:] == (True,)
    operation = _Operation(name, MODULE.plugged, ahead=ahead)
    if operation.name in WAITS:
        MODULE.plugged.note(WAITS[operation.name])
    if kwargs.get("device") is not None:
        kwargs["device"] = torch.device("cpu")
    kwargs.pop("pin_memory", None)
    args = _with_tensors(op, args)
    args = _each(operation.lend, args)
    kwargs = {name: _each(operation.lend, given) for name, given in kwargs.items()}
    result = ON_THE_CPU.get(operation.name, op)(*args, **kwargs)
    return _each(operation.take, result)


MODULE = _Module()
backend_registration._setup_privateuseone_for_python_backend(
    NAME, backend_module=MODULE, hook=_Hook()
)
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_every_operation = torch.library.Library("_", "IMPL")
_every_operation.fallback(_compute, "PrivateUse1")
_named = torch.library.Library("aten", "IMPL")
for _name in WHOLE:
    _operation = getattr(torch.ops.aten, _name).default
    _named.impl(_name, partial(_compute, _operation), "PrivateUse1")


class LateLane(Lane):
    """Copies run beside what is computed, and are there no sooner than is asked."""

    is_beside = True

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.begun: list[tuple[Tensor, Tensor]] = []

    def copied(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        copies = [
            torch.full_like(each, torch.nan, device=self.device) for each in tensors
        ]
        self.begun += zip(copies, tensors, strict=True)
        return copies

    def arrived(self) -> None:
        while self.begun:
            copy, tensor = self.begun.pop()
            copy.copy_(tensor, non_blocking=True)


@contextmanager
def plugged_in(like: str = "cpu", *, limit: int | None = None) -> Iterator[Pretend]:
    """Let this machine have the device, as its fastest, while the block runs.

    Args:
        like: the kind of device whose rules hold for it, such as the type of weights.
        limit: how many bytes it can hold.
    """
    pretend = Pretend(limit, frozenset({torch.float64} if like == "mps" else ()))
    row = replace(
        DEVICES[like],
        name=NAME,
        count=lambda: 1,
        free=lambda _: pretend.free(),
        let_go=lambda: None,
        lane=LateLane if DEVICES[like].lane.is_beside else Lane,
        pinned=lambda tensor: tensor,
        graph=pretend.graph if DEVICES[like].graph else None,
    )
    kinds = dict(DEVICES)
    MODULE.plugged = pretend
    DEVICES.clear()
    DEVICES.update({NAME: row, **kinds})
    try:
        yield pretend
    finally:
        MODULE.plugged = None
        DEVICES.clear()
        DEVICES.update(kinds)
