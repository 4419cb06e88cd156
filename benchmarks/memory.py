"""Measure how memory grows over long runs: `python -m benchmarks.memory`.

Models of random weights at tiny size draw, one step a picture, in a process of their
own; its resident memory is read after each picture. What each further picture takes is
the slope of a straight line through the last four fifths.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tests.support.tiny import tiny_pipeline

SMALL = "-w 64 -h 64 --steps 1 --json -q"
FIRST = 0.2
"""The share of a run in which caches fill."""
MOST = 0.1
"""Megabytes a picture; more is a leak."""


def main() -> None:
    """Measure everything and print a table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--lines", type=int, default=300)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number in (0, 1):
            tiny_pipeline(seed=number).save_pretrained(folder / f"tiny{number}")
        runs: dict[str, Callable[[], Iterator[float]]] = {
            "pictures of one run": partial(one_run, folder, asked.pictures),
            "the same, in batches": partial(in_batches, folder, asked.pictures),
            "swaps of models": partial(swaps, folder, asked.swaps),
            "lines of the shell": partial(shell, folder, asked.lines),
        }
        print("| | number | at the start | at the end | slope |\n|---|---|---|---|---|")
        slopes = [report(name, run()) for name, run in runs.items()]
    if max(slopes) > MOST:
        sys.exit(f"A picture took more than {MOST} MB.")


def report(name: str, sizes: Iterator[float]) -> float:
    """Print what came of a run; return its slope in MB a picture."""
    whole = np.array([*sizes])
    settled = whole[int(FIRST * len(whole)) :]
    slope = float(np.polyfit(np.arange(len(settled)), settled, 1)[0])
    print(
        f"| {name} | {len(whole)} | {settled[0]:.0f} MB | {whole[-1]:.0f} MB "
        f"| {slope:.4f} MB |",
        flush=True,
    )
    return slope


def one_run(folder: Path, pictures: int) -> Iterator[float]:
    """Draw so many pictures, each alone, in a run that can be gone on with."""
    return measured(
        folder,
        f'imagine "a fox" --model tiny0 -r {pictures} --batch-size 1 --resume {SMALL}',
    )


def in_batches(folder: Path, pictures: int) -> Iterator[float]:
    """Draw so many prompts of a file, eight at once, with an animation of each."""
    prompts = [{"prompt": f"fox {number}"} for number in range(pictures)]
    file = prompts_file(folder, prompts)
    return measured(
        folder, f"imagine --prompts-file {file} --model tiny0 --gif {SMALL}"
    )


def swaps(folder: Path, times: int) -> Iterator[float]:
    """Draw with two models in turn, each loaded anew whenever it is its turn."""
    prompts = [{"prompt": "a fox", "model": f"tiny{n % 2}"} for n in range(times + 1)]
    return measured(
        folder, f"imagine --prompts-file {prompts_file(folder, prompts)} {SMALL}"
    )


def shell(folder: Path, lines: int) -> Iterator[float]:
    """Give the shell so many lines, which change models now and then."""
    return measured(
        folder,
        "",
        *(
            f'imagine "a fox" --model tiny{number // 10 % 2} {SMALL}'
            for number in range(lines)
        ),
    )


def prompts_file(folder: Path, prompts: list[dict[str, str]]) -> str:
    """Write prompts, one a line; return the name of the file."""
    (folder / "list.jsonl").write_text("\n".join(map(json.dumps, prompts)))
    return "list.jsonl"


def measured(folder: Path, words: str, *lines: str) -> Iterator[float]:
    """Run `aimg` and yield the megabytes it takes after each picture.

    Args:
        words: what follows `aimg`.
        lines: what is typed into it.
    """
    code = "from imaginairy.cli.aimg import aimg; aimg()"
    command = [sys.executable, "-c", code, *shlex.split(words)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, text=True
    ) as running:
        assert running.stdin and running.stdout
        running.stdin.write("".join(f"{line}\n" for line in lines))
        running.stdin.close()
        for _ in running.stdout:
            yield resident(running.pid)
    if running.returncode:
        sys.exit(f"It ended with {running.returncode}.")


def resident(process: int) -> float:
    """Return the megabytes of memory that a process takes now, on Linux."""
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
