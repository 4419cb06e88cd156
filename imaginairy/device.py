"""Where to compute, in what precision, and noise that is the same everywhere."""

import gc
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from imaginairy.errors import BadOptionError, DeviceError, in_words
from imaginairy.memory import memory
from imaginairy.precision import Precision, known_precision

LOADED_IN = os.getpid()
"""The process that loaded torch; one that is forked from it has none of its threads."""


class Lane:
    """Copies weights to a device, in turn with what that computes.

    Args:
        device: where to.
    """

    is_beside = False
    """Whether copies run beside what is computed after they were begun."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def copied(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Begin to copy tensors; what comes of that may be used once it `arrived`."""
        return [sent(tensor, self.device) for tensor in tensors]

    def arrived(self) -> None:
        """Let what is computed from now on wait for all copies that were begun."""


class CudaLane(Lane):
    """A second stream of a CUDA device, on which copies run beside what is computed.

    Their memory is the first one's, whose order keeps it from being used again too
    early: the copies wait for what was computed before they were begun, and what is
    computed once they `arrived` waits for them.
    """

    is_beside = True

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def copied(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        copies = [torch.empty_like(each, device=self.device) for each in tensors]
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.stream):
            for copy, tensor in zip(copies, tensors, strict=True):
                copy.copy_(tensor, non_blocking=True)
        return copies

    def arrived(self) -> None:
        torch.cuda.current_stream(self.device).wait_stream(self.stream)


Graph = Callable[[Callable[[], Tensor], torch.device], Callable[[], Tensor]]
"""Records all that is launched while something is computed once, and gives what
launches it again, from the same tensors into the same one."""


def _graph_of_cuda(
    compute: Callable[[], Tensor], device: torch.device
) -> Callable[[], Tensor]:
    torch.cuda.synchronize(device)
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    with torch.cuda.stream(stream):
        # what other threads do meanwhile is not recorded, and does no harm
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            result = compute()
        finally:
            graph.capture_end()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


@dataclass(frozen=True)
class DeviceKind:
    """A kind of device, and what there is to know of its like."""

    name: str
    """As torch has it, and the user."""
    count: Callable[[], int]
    """Tells how many this machine has that this build of torch can use."""
    numbered: bool = False
    """Whether one of several is named by its number, as `cuda:1`."""
    autocast: torch.dtype = torch.float32
    """The type to hold weights in by the precision `autocast`."""
    learns: Callable[[], torch.dtype] = lambda: torch.float32
    """Tells the same of what is learnt with, whose range is to be that of float32."""
    half_format: torch.memory_format = torch.contiguous_format
    """How pictures and the weights that convolve them lie in memory where that is in
    half precision; as measured."""
    convolved_format: torch.memory_format = torch.contiguous_format
    """How pictures lie for networks that do nothing but convolve them, such as
    upscalers, in whatever precision; as measured."""
    free: Callable[[torch.device], int | None] = lambda _: memory()[0]
    """Tells how much of its memory can still be taken; None where nobody says."""
    own: Callable[[torch.device], int | None] = lambda _: None
    """Tells how much memory it has of its own; None where it uses the machine's."""
    let_go: Callable[[], None] = lambda: None
    """Gives back memory that torch keeps for later."""
    runs_ahead: bool = False
    """Whether the host goes on while it computes, until a result is asked for."""
    receives_ahead: bool = False
    """Whether it can be sent tensors as well before it has computed what came first."""
    lane: type[Lane] = Lane
    """What copies weights to it while it computes."""
    pinned: Callable[[Tensor], Tensor] = lambda tensor: tensor
    """Gives a tensor of the host where it can be copied from without the host."""
    graph: Graph | None = None
    """Records what is computed, where that is launched kernel by kernel."""


def _free_of_cuda(device: torch.device) -> int:
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + kept)


def _bfloat16_of_cuda() -> torch.dtype:
    """Return bfloat16 where CUDA devices have units for it, and else float32."""
    has_units = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_units else torch.float32


def _fastest_on_cpu() -> torch.dtype:
    """Return bfloat16 where the processor has units for its products, AMX or AVX-512.

    It has the range of float32, in 16 bits. Elsewhere it is computed as float32 is, and
    converted.
    """
    checks = (  # which torch does not promise to have
        getattr(torch.cpu, f"_is_{unit}_supported", None)
        for unit in ("amx_tile", "avx512_bf16")
    )
    has_units = any(check is not None and check() for check in checks)
    return torch.bfloat16 if has_units else torch.float32


DEVICES = {
    row.name: row
    for row in (
        DeviceKind(
            name="cuda",
            count=lambda: torch.cuda.device_count() if torch.cuda.is_available() else 0,
            numbered=True,
            autocast=torch.float16,  # which every CUDA device computes
            learns=lambda: _bfloat16_of_cuda(),
            half_format=torch.channels_last,
            free=_free_of_cuda,
            own=lambda device: torch.cuda.mem_get_info(device)[1],
            let_go=lambda: torch.cuda.empty_cache(),
            runs_ahead=True,
            receives_ahead=True,
            lane=CudaLane,
            pinned=lambda tensor: tensor.pin_memory(),
            graph=_graph_of_cuda,
        ),
        DeviceKind(
            name="mps",
            count=lambda: int(torch.backends.mps.is_available()),
            let_go=lambda: torch.mps.empty_cache(),
            runs_ahead=True,
        ),
        DeviceKind(
            name="cpu",
            count=lambda: 1,
            autocast=_fastest_on_cpu(),
            learns=lambda: _fastest_on_cpu(),
            half_format=torch.channels_last,
            convolved_format=torch.channels_last,
        ),
    )
}
"""The kinds of devices there are, the fastest first."""


def choose_device(name: str | None = None) -> torch.device:
    """Return the device of that name, or the fastest there is: cuda, mps, then cpu.

    Raises:
        BadOptionError: this machine or this build of torch has no such device.
    """
    if name is None:
        return torch.device(next(row.name for row in DEVICES.values() if row.count()))
    kind, colon, index = in_words(name).partition(":")
    row = DEVICES.get(kind)
    there = row.count() if row else 0
    if row and colon and not (row.numbered and re.fullmatch("[0-9]{1,9}", index)):
        there = 0
    if not there or int(index or 0) >= there:
        usable = ", ".join(row.name for row in DEVICES.values() if row.count())
        raise BadOptionError(
            f"Device '{in_words(name)}' is not available here; choose from: {usable}."
        )
    return torch.device(name)


def choose_dtype(
    device: torch.device, precision: Precision = "autocast", *, learning: bool = False
) -> torch.dtype:
    """Return the type to hold weights in: float32, or by `autocast` what its row says.

    Args:
        learning: whether something is learnt with them.

    Raises:
        BadOptionError: there is no such precision.
    """
    row = DEVICES[device.type]
    if known_precision(precision) == "full":
        return torch.float32
    return row.learns() if learning else row.autocast


def memory_format(device: torch.device, dtype: torch.dtype) -> torch.memory_format:
    """Return how pictures of a type lie in the memory of a device.

    In float32 they lie channel by channel, which gives the same numbers everywhere.
    """
    row = DEVICES.get(device.type)  # there is none for tensors without values
    if row is None or dtype == torch.float32:
        return torch.contiguous_format
    return row.half_format


def laid_to_be_convolved(pictures: Tensor) -> Tensor:
    """Return pictures as they lie best for a network that only convolves them."""
    return pictures.contiguous(
        memory_format=DEVICES[pictures.device.type].convolved_format
    )


def computes_in(network: nn.Module) -> torch.dtype:
    """Return the type that a network computes in.

    It is the widest of what biases and norms are held in; weights that are multiplied
    by may lie in any, and are cast.
    """
    weights = [*network.parameters()]
    vectors = [each.dtype for each in weights if each.ndim == 1]
    return max(vectors or [each.dtype for each in weights], key=_bytes)


def _bytes(dtype: torch.dtype) -> int:
    return dtype.itemsize


def free_bytes(device: torch.device) -> int | None:
    """Return how much memory can still be taken, or None where nobody says."""
    return DEVICES[device.type].free(device)


def runs_ahead(device: torch.device) -> bool:
    """Tell whether the host need not wait for what a device computes."""
    return DEVICES[device.type].runs_ahead


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device, without waiting for it where that can be."""
    kind = DEVICES.get(device.type)
    return tensor.to(device, non_blocking=kind is not None and kind.receives_ahead)


def lane_of(device: torch.device) -> Lane:
    """Return what copies weights to a device while it computes."""
    return DEVICES[device.type].lane(device)


def pinned(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the host from where a device copies it fastest."""
    try:
        return DEVICES[device.type].pinned(tensor)
    except RuntimeError:  # more than the system lets be kept so
        return tensor


def forget(device: torch.device) -> None:
    """Give back what nothing refers to any more, such as what a failure held."""
    gc.collect()
    let_go(device)


def let_go(device: torch.device) -> None:
    """Give back the memory of a device that torch keeps for later."""
    DEVICES[device.type].let_go()


@contextmanager
def exact_float32() -> Iterator[None]:
    """Let what is convolved in float32 be multiplied in float32, as on a CPU.

    CUDA's library of convolutions otherwise keeps 10 bits of the 23 (TF32).
    """
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before


def is_forked() -> bool:
    """Tell whether this process was forked from the one that loaded torch."""
    return os.getpid() != LOADED_IN


def compute_after_fork(device: torch.device) -> None:
    """Make a forked process able to compute, with one thread.

    The threads that torch computes with are not copied by a fork, and waiting for them
    would never end; a GPU cannot be used by two processes through one context.

    Raises:
        DeviceError: the device is no CPU.
    """
    if device.type != "cpu":
        raise DeviceError(
            f"The device '{device}' cannot be used in a process that was forked after "
            "torch was loaded; start processes with "
            "multiprocessing.get_context('spawn'), or take the device 'cpu'."
        )
    torch.set_num_threads(1)


class SeededNoise:
    """Standard normal noise of one prompt, drawn on the CPU whatever the device.

    The first draw is that of `torch.Generator().manual_seed(seed)`, so that a seed
    means the same picture on every device, in any order and beside any other prompt.
    """

    def __init__(self, seed: int, shape: Sequence[int], device: torch.device) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.shape = tuple(shape)
        self.device = device

    def __call__(self) -> Tensor:
        """Draw the next noise, float32, on the device."""
        return sent(torch.randn(self.shape, generator=self.generator), self.device)


def spherical_mix(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Go a share of the way along the arc between two noises (Shoemake 1985, slerp).

    Unlike a straight mix it keeps the deviation of noise.
    """
    cosine = torch.nn.functional.cosine_similarity(
        first.flatten(), second.flatten(), dim=0
    )
    angle = torch.arccos(cosine.clamp(-1, 1))
    if torch.sin(angle).abs() < 1e-6:
        return first + share * (second - first)
    start = torch.sin((1 - share) * angle) / torch.sin(angle)
    end = torch.sin(share * angle) / torch.sin(angle)
    return start * first + end * second
