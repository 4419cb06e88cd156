"""Measure both libraries in turn, several rounds, and print a table of ratios.

`make bench` or `python -m benchmarks [--rounds 3] [--pixels 512] [--xl]`; for a GPU,
`python -m benchmarks gpu`. The machine
should have nothing else to do, 12 GB of memory, and in the temporary folder 5 GB of
room, with Stable Diffusion XL 12 GB.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch

from benchmarks.draw import SIDES
from benchmarks.weights import save_random_sd15, save_random_sdxl

UNITS = {"peak memory": "MB"}
RATIOS = (
    ("ours", "diffusers"),
    ("ours", "diffusers, bf16"),
    ("ours, full", "diffusers"),
)
"""What is set against what."""


def main() -> None:
    """Run everything and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--xl", action="store_true", help="Stable Diffusion XL, too")
    asked = parser.parse_args()
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}; {asked.pixels} x {asked.pixels} pixels, "
        f"{asked.rounds} rounds, medians.\n"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "sd15"
        save_random_sd15(folder)
        compare(folder, asked.rounds, asked.pixels, [*SIDES])
        print()
        if asked.xl:
            folder = Path(temporary) / "sdxl"
            save_random_sdxl(folder)
            sides = ["ours", "diffusers, bf16"]
            compare(folder, asked.rounds, asked.pixels, sides)
            print()
        start_up(Path(temporary), asked.rounds)
        print()
        batches(asked.rounds)


def compare(folder: Path, rounds: int, pixels: int, sides: Sequence[str]) -> None:
    """Print what a picture of a model costs on each side."""
    measured: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, results in measured.items():
            command = [sys.executable, "-m", "benchmarks.draw", side]
            command += [str(folder), str(pixels)]
            ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            results.append(json.loads(ran.stdout.splitlines()[-1]))
    pairs = [pair for pair in RATIOS if measured.keys() >= set(pair)]
    heads = [*sides, *(f"{one} / {other}" for one, other in pairs)]
    print(f"| | {' | '.join(heads)} |\n|{'---|' * (1 + len(heads))}")
    for name in measured["ours"][0]:
        unit = UNITS.get(name, "s")
        digits = 0 if unit == "MB" else 2
        cost = {
            side: [result[name] for result in results]
            for side, results in measured.items()
        }
        cells = [f"{median(each):.{digits}f} {unit}" for each in cost.values()]
        for one, other in pairs:
            ratio = median(a / b for a, b in zip(cost[one], cost[other], strict=True))
            cells.append(f"{ratio:.2f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def start_up(folder: Path, rounds: int) -> None:
    """Print how long a user waits for help, and for the first bundled picture."""
    commands = {
        "`imagine --help`": ["--help"],
        "`imagine \"a dog\"`, bundled model, cold": [
            "a dog", "--model", "storybook", "--outdir", str(folder / "outputs"), "-q",
        ],
    }  # fmt: skip
    print("| | seconds |\n|---|---|")
    for name, arguments in commands.items():
        seconds = []
        for _ in range(rounds):
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "imaginairy", *arguments],
                stdout=subprocess.DEVNULL,
                check=True,
            )
            seconds.append(time.perf_counter() - begun)
        print(f"| {name} | {median(seconds):.2f} |")


def batches(rounds: int) -> None:
    """Print how many pictures of the bundled model a second are drawn at once."""
    command = [sys.executable, "-m", "benchmarks.batch", str(rounds)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    rates = json.loads(ran.stdout.splitlines()[-1])
    print("| | alone | four at once | ratio |\n|---|---|---|---|")
    print(
        f"| storybook, pictures a second | {rates['alone']:.2f} "
        f"| {rates['together']:.2f} | {rates['ratio']:.2f} |"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["gpu"]:
        from benchmarks.gpu.__main__ import main as measure_gpu

        measure_gpu(sys.argv[2:])
    else:
        main()
