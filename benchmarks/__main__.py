"""Measure both libraries in turn, several rounds, and print a table of ratios.

`make bench` or `python -m benchmarks [--rounds 3] [--pixels 512] [--xl]`; for a GPU,
`python -m benchmarks gpu`, and `python -m benchmarks flows`. The machine
should have nothing else to do, 12 GB of memory, and in the temporary folder 5 GB of
room, with Stable Diffusion XL 12 GB.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import torch

from benchmarks.draw import OTHERS, SIDES
from benchmarks.others import save_for_others
from benchmarks.weights import save_random_sd15, save_random_sdxl

UNITS = {"peak memory": "MB"}
RATIOS = (
    ("ours", "diffusers"),
    ("ours", "diffusers, bf16"),
    ("ours, full", "diffusers"),
    ("ours, full", "OpenVINO"),
    ("ours", "OpenVINO, bf16"),
    ("ours", "stable-diffusion.cpp, q8_0"),
)
"""What is set against what."""


def main() -> None:
    """Run everything and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--xl", action="store_true", help="Stable Diffusion XL, too")
    parser.add_argument(
        "--others", action="store_true", help="OpenVINO and stable-diffusion.cpp, too"
    )
    asked = parser.parse_args()
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}; {asked.pixels} x {asked.pixels} pixels, "
        f"{asked.rounds} rounds, medians.\n"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "sd15"
        saved(save_random_sd15, folder)
        sides = [*SIDES]
        if asked.others:
            saved(save_for_others, folder)
            sides += OTHERS
        compare(folder, asked.rounds, asked.pixels, sides)
        print()
        if asked.xl:
            folder = Path(temporary) / "sdxl"
            saved(save_random_sdxl, folder)
            sides = ["ours", "diffusers, bf16"]
            compare(folder, asked.rounds, asked.pixels, sides)
            print()
        start_up(Path(temporary), asked.rounds)
        print()
        batches(asked.rounds)


def saved(save: Callable[[Path], None], folder: Path) -> None:
    """Save a model from a process of its own.

    What is started by a process that held much memory seems to have held as much.
    """
    saving = get_context("spawn").Process(target=save, args=(folder,))
    saving.start()
    saving.join()
    if saving.exitcode:
        sys.exit(saving.exitcode)


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
    """Print what help, and the first bundled picture, cost beside the least they need.

    It is processor time, which other work changes less, of pairs in turn.
    """
    drawn = ["a dog", "--model", "storybook", "--outdir", str(folder / "outputs"), "-q"]
    rows = (
        ("`imagine --help`", ["--help"], "import click", 2.2),
        ('`imagine "a dog"`, bundled model, cold', drawn, "import torch", 1.5),
    )
    print("| | seconds | beside | seconds | ratio | aim |\n|---|---|---|---|---|---|")
    for name, arguments, least, aim in rows:
        pairs = [
            (_processor_s("-m", "imaginairy", *arguments), _processor_s("-c", least))
            for _ in range(rounds)
        ]
        ours, theirs = (median(each) for each in zip(*pairs, strict=True))
        ratio = median(one / other for one, other in pairs)
        print(
            f"| {name} | {ours:.2f} | `{least}` | {theirs:.2f} | {ratio:.1f} | {aim} |"
        )


def _processor_s(*arguments: str) -> float:
    """Return the processor time that Python takes for something."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
    elif sys.argv[1:2] == ["flows"]:
        from benchmarks.flows import main as measure_flows

        measure_flows(sys.argv[2:])
    else:
        main()
