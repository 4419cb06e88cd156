"""Measure flow transformers on a CPU: `python -m benchmarks flows [--pixels 512]`.

Transformers of real size, packed, whose weights are made one by one at random, predict
in a process of their own. It says where the processor's time goes, which other work
changes least, and the most memory held.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import process_time
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks.gpu import flows
from benchmarks.gpu.packing import packed
from benchmarks.gpu.plan import FLOWS, Cell
from imaginairy.device import choose_dtype
from imaginairy.weights.packed import Packed

CPU = torch.device("cpu")
KINDS = ("Q4_K", "Q8_0", "fp8")
WATCHED = {
    "unpacking": (Packed, "unpacked"),
    "linear": (F, "linear"),
    "attention": (F, "scaled_dot_product_attention"),
}
"""Functions whose time is told, by where they are found."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line of a table for each transformer and way to pack it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks flows")
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--models", default="zimage", help=", ".join(FLOWS))
    parser.add_argument("--packed", default="Q4_K", help=", ".join(KINDS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--tiny", action="store_true", help="sizes that take no time")
    parser.add_argument("--one", action="store_true", help="here, as JSON")
    asked = parser.parse_args(arguments)
    if asked.one:
        print(json.dumps(measured(asked)))
        return
    print(
        f"{asked.threads} threads, torch {torch.__version__}, "
        f"{asked.pixels} x {asked.pixels} pixels.\n\n"
        "| | packed | in | a step | unpacking | products | attention | most memory |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for model in asked.models.split(","):
        for kind in asked.packed.split(","):
            command = [sys.executable, "-m", "benchmarks.flows", "--one"]
            command += ["--models", model, "--packed", kind]
            command += ["--pixels", str(asked.pixels), "--steps", str(asked.steps)]
            command += ["--threads", str(asked.threads)]
            command += ["--tiny"] if asked.tiny else []
            ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            print(line(model, kind, json.loads(ran.stdout.splitlines()[-1])))


def line(model: str, kind: str, row: dict[str, Any]) -> str:
    """Return a line of the table."""
    step, shares = row["step"], [row["unpacking"], row["products"], row["attention"]]
    cells = [model, kind, row["dtype"], f"{step:.1f} s"]
    cells += [f"{share / step:.0%}" for share in shares]
    cells.append(f"{row['peak'] / 1e9:.1f} GB")
    return f"| {' | '.join(cells)} |"


def measured(asked: argparse.Namespace) -> dict[str, Any]:
    """Return what steps of a transformer take here; of times the least."""
    size = (flows.TINY if asked.tiny else flows.SIZES)[asked.models]
    assert isinstance(size, flows.FlowSize)
    torch.set_num_threads(asked.threads)
    dtype = choose_dtype(CPU)
    if not asked.tiny:
        size = replace(size, latents=asked.pixels // 8)
    cell = Cell(asked.models, "ours", "eager", 1, str(dtype).removeprefix("torch."))
    network = packed(size.network("ours"), asked.packed, CPU, dtype)
    once = size.asked("ours", network, size.inputs(cell, CPU))
    rows = []
    with torch.inference_mode():
        for _ in range(asked.steps):
            with watched() as spent:
                begun = process_time()
                once()
                rows.append({"step": process_time() - begun, **spent})
    best = min(rows, key=lambda row: row["step"])
    products = best.pop("linear") - best["unpacking"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {**best, "products": products, "dtype": cell.dtype, "peak": peak}


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Count the seconds that are spent in each of `WATCHED` while the block runs."""
    spent, before = dict.fromkeys(WATCHED, 0.0), dict[str, Callable[..., Any]]()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            begun = process_time()
            found = function(*given, **named)
            spent[name] += process_time() - begun
            return found

        return call

    for name, (place, known) in WATCHED.items():
        before[name] = getattr(place, known)
        setattr(place, known, counted(name, before[name]))
    try:
        yield spent
    finally:
        for name, (place, known) in WATCHED.items():
            setattr(place, known, before[name])


if __name__ == "__main__":
    main()
