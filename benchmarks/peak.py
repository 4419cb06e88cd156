"""Measure the most memory that a picture takes: `python -m benchmarks.peak [--xl]`.

Models of random weights at full size draw 512 x 512 pixels in a process of their own,
as usual and with `--low-memory`; the autoencoder of Stable Diffusion 1.5 decodes and
encodes 2048 x 2048 pixels in stripes. What counts is the most that a process ever held
(VmHWM), pages of mapped files included.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.__main__ import saved
from benchmarks.weights import save_random_sd15, save_random_sdxl

PRECISIONS = ("autocast", "full")
PIXELS = 2048
LOW_MEMORY = ("--low-memory",)


def main() -> None:
    """Measure everything and print tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--xl", action="store_true", help="Stable Diffusion XL, too")
    asked = parser.parse_args()
    models: dict[str, Callable[[Path], None]] = {
        "Stable Diffusion 1.5, fp16": partial(save_random_sd15, half=True)
    }
    if asked.xl:
        models["Stable Diffusion XL, bf16"] = save_random_sdxl
    print("| | precision | as usual | `--low-memory` |\n|---|---|---|---|")
    for name, save in models.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            saved(save, folder)
            for precision in PRECISIONS:
                row = [drawn(folder, precision, *low) for low in ((), LOW_MEMORY)]
                print(f"| {name} | {precision} | {' | '.join(row)} |", flush=True)
    print("\n| 2048 x 2048 pixels, in stripes | precision | above the model |")
    print("|---|---|---|")
    for work in ("decode", "encode"):
        for precision in PRECISIONS:
            print(f"| {work} | {precision} | {coded(work, precision)} |", flush=True)


def drawn(folder: Path, precision: str, *options: str) -> str:
    """Return what `imagine` takes, and the processor time."""
    words = ["a bowl", "--model", str(folder), "--steps", "2", "--sampler-type", "ddim"]
    words += ["-w", "512", "-h", "512", "--outdir", str(folder.parent), "-q"]
    command = [sys.executable, "-m", "imaginairy", *words, "--precision", precision]
    megabytes, seconds = cost([*command, *options])
    return f"{megabytes:.0f} MB, {seconds:.0f} s"


def coded(work: str, precision: str) -> str:
    """Return what the autoencoder takes beside its weights."""
    code = f"from benchmarks.stripes import main; main({work!r}, {precision!r}, "
    before, _ = cost([sys.executable, "-c", f"{code}64)"])
    after, seconds = cost([sys.executable, "-c", f"{code}{PIXELS})"])
    return f"{after - before:.0f} MB, {seconds:.0f} s"


def cost(command: Sequence[str]) -> tuple[float, float]:
    """Run a command; return the most megabytes it held and its processor seconds."""
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        sys.exit(f"{command} ended with {running.returncode}.")
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
