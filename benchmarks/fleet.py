"""Measure what drawing with several processes costs: `python -m benchmarks.fleet`.

The bundled model draws with one thread in each process. What a picture costs is the
processor time of all processes together, beside a plain loop in one; how much sooner
pictures come is told by the clock, for which the machine has to be quiet. Rounds take
turns, and medians of their ratios are printed as tables in Markdown. `--memory` loads
weights of Stable Diffusion 1.5's size, 4 GB in fp32, and says which memory is whose.
"""

import argparse
import os
import re
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from threading import Event, Thread

import torch

from benchmarks.weights import save_random_sd15
from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.fleet.processes import Processes
from imaginairy.result import ImagineResult

MOST_OVERHEAD = 1.10
LEAST_EFFICIENCY = 0.85
PROCESSOR, CLOCK = 0, 1
Took = tuple[float, float]
"""Seconds of the processors, and by the clock."""
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=24, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="that alone")
    parser.add_argument(
        "--kills", type=float, metavar="S", help="that alone: end a worker so often"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.memory:
        memory()
    elif asked.kills:
        kills(asked.pictures, asked.kills)
    else:
        speed(asked.pictures, asked.rounds)


def prompts(count: int, seed: int = 1, **fields: object) -> list[ImaginePrompt]:
    """Return prompts that differ in their seeds."""
    usual = {"model": "storybook", **fields}
    return [
        ImaginePrompt("a red fox", seed=seed + each, **usual)  # type: ignore[arg-type]
        for each in range(count)
    ]


def workers(number: int, store: ModelStore) -> Processes:
    """Return processes of one thread each."""
    torch.set_num_threads(number)  # which they divide
    made = Processes(store, number, batch_size=1)
    torch.set_num_threads(1)
    return made


def speed(pictures: int, rounds: int) -> None:
    """Measure a plain loop, one process and two in turn."""
    store = ModelStore("cpu")
    rows: dict[str, list[Took]] = {"loop": [], "one": [], "two": []}
    with workers(1, store) as one, workers(2, store) as two:
        for round_ in range(rounds + 1):  # in the first, models are loaded
            asked = prompts(pictures, 1 + round_ * pictures)
            took = {
                "loop": of_loop(asked, store),
                "one": of_processes(asked, one),
                "two": of_processes(asked, two),
            }
            for name, each in took.items():
                rows[name] += [each] if round_ else []
    print("| drawn by | processor time | clock |\n|---|---|---|")
    titles = {"loop": "a plain loop", "one": "1 worker", "two": "2 workers"}
    for name, title in titles.items():
        both = [median(each) / pictures for each in zip(*rows[name], strict=True)]
        print(f"| {title} | {both[0]:.3f} s | {both[1]:.3f} s |")
    overhead = ratio(rows["one"], rows["loop"], PROCESSOR)
    busy = ratio(rows["one"], rows["two"], PROCESSOR)
    sooner = ratio(rows["one"], rows["two"], CLOCK)
    print(f"\nProcessor time of 1 worker / a plain loop: {overhead:.3f}")
    print(f"Processor time of 1 worker / 2 workers: {busy:.3f}")
    print(f"Efficiency of 2 workers by the clock: {sooner / 2:.3f}")
    if overhead > MOST_OVERHEAD or sooner / 2 < LEAST_EFFICIENCY:
        raise SystemExit(
            f"More than {MOST_OVERHEAD} or less than {LEAST_EFFICIENCY}; by the clock "
            "that says something on a quiet machine alone."
        )


def ratio(one: Sequence[Took], other: Sequence[Took], by: int) -> float:
    """Return the median of the ratios of neighbours."""
    return median(a[by] / b[by] for a, b in zip(one, other, strict=True))


def of_loop(asked: Sequence[ImaginePrompt], store: ModelStore) -> Took:
    """Return the processor time and the clock time of a plain loop."""
    used, begun = time.process_time(), time.perf_counter()
    for prompt in asked:
        next(imagine(prompt, store=store))
    return time.process_time() - used, time.perf_counter() - begun


def of_processes(asked: Sequence[ImaginePrompt], processes: Processes) -> Took:
    """Return the same of processes, with the one that waits for them."""
    before = {number: used_by(number) for number in processes.numbers}
    used, begun = time.process_time(), time.perf_counter()
    came = [*processes.outcomes(asked)]
    clock, used = time.perf_counter() - begun, time.process_time() - used
    assert all(isinstance(each, ImagineResult) for each in came)
    theirs = sum(used_by(each) - before.get(each, 0.0) for each in processes.numbers)
    return used + theirs, clock


def used_by(number: int) -> float:
    """Return the processor time of a process, in seconds."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory() -> None:
    """Say which memory of workers is theirs alone, and how much all have together."""
    with tempfile.TemporaryDirectory() as folder:
        save_random_sd15(Path(folder))
        small = {"steps": 2, "width": 64, "height": 64, "sampler_type": "ddim"}
        store = ModelStore("cpu", "full")
        print("| workers | resident, each | not shared, each | all together |")
        print("|---|---|---|---|")
        for number in (1, 2):
            seen: list[list[dict[str, float]]] = []
            with workers(number, store) as processes:
                over = Event()
                watching = Thread(target=watch, args=(processes, number, over, seen))
                watching.start()
                try:
                    asked = prompts(3 * number, model=folder, **small)
                    for came in processes.outcomes(asked):
                        assert isinstance(came, ImagineResult), came
                finally:
                    over.set()
                    watching.join()
            most = {
                name: max(each[name] for maps in seen for each in maps)
                for name in ("Rss", "Anonymous")
            }
            total = max(sum(each["Pss"] for each in maps) for maps in seen)
            print(
                f"| {number} | {most['Rss']:.2f} GB | {most['Anonymous']:.2f} GB "
                f"| {total:.2f} GB |",
                flush=True,
            )


def watch(
    processes: Processes, number: int, over: Event, seen: list[list[dict[str, float]]]
) -> None:
    """Note what memory all processes have at one moment, again and again."""
    while not over.wait(0.5):
        there = processes.numbers
        if len(there) < number:
            continue
        for each in there:
            os.kill(each, signal.SIGSTOP)
        try:
            seen.append([map_of(each) for each in there])
        finally:
            for each in there:
                os.kill(each, signal.SIGCONT)


def map_of(number: int) -> dict[str, float]:
    """Return what of its memory a process has, in GB: as Linux counts pages."""
    text = Path(f"/proc/{number}/smaps_rollup").read_text()
    return {name: int(kb) / 1e6 for name, kb in re.findall(r"(\w+):\s+(\d+) kB", text)}


def kills(pictures: int, every_s: float) -> None:
    """Draw with two workers of which one is ended every so often; all has to come."""
    store = ModelStore("cpu")
    due, ended = time.monotonic() + every_s, 0
    with workers(2, store) as processes:
        seeds = []
        for came in processes.outcomes(prompts(pictures)):
            assert isinstance(came, ImagineResult), came
            seeds.append(came.prompt.seed)
            if time.monotonic() >= due and (there := processes.numbers):
                os.kill(there[ended % len(there)], signal.SIGKILL)
                due, ended = time.monotonic() + every_s, ended + 1
    assert seeds == [*range(1, pictures + 1)], "each once, in order"
    print(f"{pictures} pictures, each once and in order; {ended} workers were killed.")


if __name__ == "__main__":
    main()
