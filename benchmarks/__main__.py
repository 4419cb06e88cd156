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
from pathlib import Path
from statistics import median

import torch

from benchmarks.weights import save_random_sd15, save_random_sdxl

UNITS = {"peak memory": "MB"}
AIMS = {"step": 1.0, "load": 0.5, "peak memory": 0.8}


def main() -> None:
    """Run everything and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--xl", action="store_true", help="Stable Diffusion XL, too")
    asked = parser.parse_args()
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}, fp32; {asked.pixels} x {asked.pixels} pixels, "
        f"{asked.rounds} rounds, medians.\n"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "sd15"
        save_random_sd15(folder)
        compare(folder, asked.rounds, asked.pixels)
        print()
        if asked.xl:
            folder = Path(temporary) / "sdxl"
            save_random_sdxl(folder)
            compare(folder, asked.rounds, asked.pixels)
            print()
        start_up(Path(temporary), asked.rounds)
        print()
        batches(asked.rounds)


def compare(folder: Path, rounds: int, pixels: int) -> None:
    """Print what a picture of a model costs on both sides."""
    measured: dict[str, list[dict[str, float]]] = {"ours": [], "diffusers": []}
    for _ in range(rounds):
        for side, results in measured.items():
            command = [sys.executable, "-m", "benchmarks.draw", side]
            command += [str(folder), str(pixels)]
            ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            results.append(json.loads(ran.stdout.splitlines()[-1]))
    print("| | ours | diffusers | ratio | aim |\n|---|---|---|---|---|")
    for name in measured["ours"][0]:
        ours = [result[name] for result in measured["ours"]]
        theirs = [result[name] for result in measured["diffusers"]]
        ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
        unit = UNITS.get(name, "s")
        digits = 0 if unit == "MB" else 2
        print(
            f"| {name} | {median(ours):.{digits}f} {unit} "
            f"| {median(theirs):.{digits}f} {unit} | {ratio:.2f} "
            f"| {AIMS.get(name, '')} |"
        )


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
