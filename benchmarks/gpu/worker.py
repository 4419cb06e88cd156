"""Measure the cells of one group and print each, as soon as it is known, as JSON.

Run in a process of its own: `python -m benchmarks.gpu.worker GROUP cuda`. The last
argument may be `tiny`.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from statistics import median
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.gpu import flows, networks
from benchmarks.gpu.networks import Size, operations
from benchmarks.gpu.plan import Cell, plan
from benchmarks.gpu.ways import MATRIX, TINY_MATRIX, WAYS, attention_of
from imaginairy.measuring import wait

SIZES = networks.SIZES | flows.SIZES
TINY = networks.TINY | flows.TINY
ROUNDS = 5
READY = {"compiled": 3}
KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}


def seconds(
    once: Callable[[], Any], device: torch.device, budget: float, ready: int = 1
) -> float:
    """Return how long something takes when it is done over and over.

    The median of several rounds; each begins and ends with an idle device.

    Args:
        budget: seconds to take about, at least a few rounds; 0 is for once.
        ready: how often it is done before it is as fast as it gets.
    """

    def timed(times: int) -> float:
        wait(device)
        begun = time.perf_counter()
        for _ in range(times):
            once()
        wait(device)
        return (time.perf_counter() - begun) / times

    if not budget:
        return timed(1)
    timed(ready)  # compiles, records and chooses kernels
    times = max(1, min(1000, int(budget / ROUNDS / max(timed(1), 1e-6))))
    return median(timed(times) for _ in range(ROUNDS))


def measured(
    cell: Cell, size: Size | None, device: torch.device, budget: float
) -> Iterator[dict[str, Any]]:
    """Yield what comes of a cell, most often one row."""
    if cell.way == "attention" and size is not None:
        yield from kernels(cell, size, device, budget)
        return
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with torch.inference_mode(cell.way != "compiled"), torch.no_grad():
        once = WAYS[cell.way](cell, size, device)  # type: ignore[arg-type]
        if device.type == "cuda" and cell.way == "streamed":  # after it was made there
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        took = seconds(once, device, budget, READY.get(cell.way, 1))
    row: dict[str, Any] = {}
    if cell.way == "matmul":
        side = MATRIX if size is None else TINY_MATRIX
        row["tflops"] = 2 * side**3 / took / 1e12
    elif cell.way != "decode":
        took /= size.steps if cell.way == "walk" else 1
        row["tflops"] = operations(size, cell) / took / 1e12
    if device.type == "cuda":
        row["peak_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
    yield {"ms": 1000 * took, **row}


def kernels(
    cell: Cell, size: Size, device: torch.device, budget: float
) -> Iterator[dict[str, Any]]:
    """Yield how fast each kernel attends, where it can."""
    given = attention_of(size, cell, device)
    batch, heads, places, width = given[0].shape
    flops = 4 * batch * heads * places**2 * width
    for name, kernel in KERNELS.items():
        try:
            with sdpa_kernel(kernel), torch.inference_mode():
                once = lambda: scaled_dot_product_attention(*given)  # noqa: E731
                took = seconds(once, device, budget / len(KERNELS))
        except RuntimeError as error:
            yield {"kernel": name, "error": first_line(error)}
        else:
            yield {"kernel": name, "ms": 1000 * took, "tflops": flops / took / 1e12}


def first_line(error: BaseException) -> str:
    """Return what an error says, in a line."""
    said = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {said[0][:200]}"


def main(name: str, place: str, *more: str) -> None:
    """Measure every cell of the group, whatever becomes of the others."""
    device, tiny = torch.device(place), "tiny" in more
    torch.set_float32_matmul_precision("high")
    (group,) = (group for group in plan() if group.name == name)
    sizes, budget = (TINY, 0.01) if tiny else (SIZES, 1.5)
    for cell in group.cells:
        size = sizes.get(cell.size) or (TINY["sd15"] if tiny else None)
        try:
            rows = list(measured(cell, size, device, budget))
        except Exception as error:  # out of memory, or a kernel that is not there
            rows = [{"error": first_line(error)}]
        for row in rows:
            print(json.dumps({**asdict(cell), **row}), flush=True)
        if device.type == "cuda":
            torch._dynamo.reset()
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main(*sys.argv[1:])
