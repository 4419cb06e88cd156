"""Measure runs on a local Ray cluster: `python -m benchmarks.cluster speed`.

`speed` draws the same rows in a plain loop over `imagine`, which saves each image, and
with 1, 2 and 4 workers, each on a simulated node of its own
(`ray.cluster_utils.Cluster`) with one CPU and one thread. Told is the time from the
first image of a run to its last, so that starting and loading do not count, and
processor time of workers and coordinator. Rounds are interleaved, as no machine is as
fast at all times.

`kills` has a worker killed every so many seconds, once also a node and the run itself,
until all images are there: `python -m benchmarks.cluster kills --rows 2000 --every 20`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter
from typing import Any

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.fleet.drawer import Drawer
from imaginairy.fleet.events import Event, Progress
from imaginairy.fleet.publisher import Publisher
from imaginairy.fleet.ray_cluster import NO_STATISTICS, Cluster, silenced
from imaginairy.fleet.ray_run import Asked, RayRun
from imaginairy.fleet.rows import PromptRow
from imaginairy.fleet.sinks import Sink, open_sink

STORE_BYTES = 80 << 20
MODEL = "storybook"
SUBJECTS = ("a red heart on a white background", "photo of a dog", "a bowl of fruit")


def rows_of(count: int, steps: int) -> list[PromptRow]:
    """Return rows of the bundled model, each with a seed of its own."""
    return [
        PromptRow(
            f"picture-{number:05d}",
            ImaginePrompt(
                SUBJECTS[number % len(SUBJECTS)],
                seed=number + 1,
                steps=steps,
                model=MODEL,
                upscale=False,
            ),
        )
        for number in range(count)
    ]


@contextmanager
def nodes(count: int) -> Iterator[Any]:
    """Start a cluster of so many simulated nodes with a CPU each."""
    os.environ |= NO_STATISTICS
    import ray
    from ray.cluster_utils import Cluster as Simulated

    head = {"num_cpus": 0, "object_store_memory": STORE_BYTES}
    simulated = Simulated(initialize_head=True, head_node_args=head)
    try:
        for _ in range(count):
            simulated.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        ray.init(
            address=simulated.address, log_to_driver=False, configure_logging=False
        )
        yield simulated
    finally:
        ray.shutdown()
        simulated.shutdown()


class Clock:
    """Notes when images come, and tells nobody."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.events: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        self.events[event["event"]] += 1
        if event["event"] == "drawn":
            self.at.append(perf_counter())


def run_on(sink: Sink, workers: int, tell: Any, total: int) -> RayRun:
    """Return a run on the cluster that this process is connected to."""
    import ray

    publisher = Publisher(Drawer("cpu", batch_size=1), sink)
    progress = Progress(total, tell, workers=0)
    return RayRun(
        Cluster(ray, None), publisher, progress, Asked(workers=workers, threads=1)
    )


def loop(rows: Sequence[PromptRow], store: ModelStore) -> float:
    """Return the seconds an image takes in a plain loop; the first does not count."""
    with tempfile.TemporaryDirectory() as folder:
        at = []
        prompts = [row.prompt for row in rows]
        for number, result in enumerate(imagine(prompts, store=store, batch_size=1)):
            result.save(Path(folder) / f"{number}.jpg")
            at.append(perf_counter())
    return (at[-1] - at[0]) / (len(at) - 1)


def on_nodes(rows: Sequence[PromptRow], workers: int) -> float:
    """Return the seconds that an image takes a run, once every worker draws.

    What each draws first loads the model, and the last may draw alone, so that both
    ends are left out.
    """
    with tempfile.TemporaryDirectory() as folder, nodes(workers):
        clock = Clock()
        sink = open_sink(Path(folder) / "out")
        run_on(sink, workers, clock, len(rows)).draw(rows)
    at = clock.at[4 * workers : -workers]
    return (at[-1] - at[0]) / (len(at) - 1)


def speed(count: int, steps: int, rounds: int, most: int) -> None:
    """Print how fast runs are beside a plain loop."""
    import torch

    torch.set_num_threads(1)
    store = ModelStore("cpu")
    rows = rows_of(count, steps)
    numbers = [workers for workers in (1, 2, 4) if workers <= most]
    took: dict[int, list[float]] = {number: [] for number in (0, *numbers)}
    loop(rows[:3], store)
    for number in range(rounds):
        took[0].append(loop(rows, store))
        for workers in numbers:
            took[workers].append(on_nodes(rows, workers))
        print(
            f"round {number + 1}: { ({k: round(v[-1], 4) for k, v in took.items()}) }"
        )
    alone, one = median(took[0]), median(took[1])
    print("| drawn by | s an image | beside the loop | efficiency |")
    print("| --- | --- | --- | --- |")
    print(f"| a plain loop | {alone:.3f} | | |")
    for workers in numbers:
        each = median(took[workers])
        ratio, efficiency = each / alone, one / each / workers
        print(
            f"| {workers} worker{'s'[: workers > 1]} | {each:.3f} "
            f"| {ratio:.3f} | {efficiency:.2f} |"
        )


def kills(count: int, steps: int, every: float, out: Path) -> None:
    """Let workers, a node and the run itself be killed until all images are there."""
    begun, killed = monotonic(), Counter[str]()
    with nodes(2) as simulated:
        address = simulated.address
        while True:
            words = [str(count), str(steps), str(every), str(out), address]
            words.append(str(int(not killed["run"])))
            ran = subprocess.run(
                [sys.executable, "-m", "benchmarks.cluster", "driver", *words],
                stdout=subprocess.PIPE,
                text=True,
            )
            said = [json.loads(line) for line in ran.stdout.splitlines()]
            killed["worker"] += sum(each.get("killed", 0) for each in said)
            print(f"a run ended with {ran.returncode}: {said[-1:]}", flush=True)
            if ran.returncode == 0:
                break
            killed["run"] += 1
            lost = simulated.list_all_nodes()[-1]
            simulated.remove_node(lost, allow_graceful=False)
            killed["node"] += 1
            simulated.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    report(count, out, killed, monotonic() - begun)


def driver(
    count: int, steps: int, every: float, out: Path, address: str, again: bool
) -> None:
    """Be one run: kill a worker now and then, and once, half-way, this process."""
    import ray

    os.environ |= NO_STATISTICS
    ray.init(address=address, log_to_driver=False, configure_logging=False)
    sink = open_sink(out)
    left = list(sink.done().left(rows_of(count, steps)))
    clock, over = Clock(), threading.Event()

    def tell(event: Event) -> None:
        clock(event)
        if again and clock.events["drawn"] >= count // 2:
            print(json.dumps({"drawn": clock.events["drawn"]}), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    run = run_on(sink, 2, tell, len(left))

    def kill_now_and_then() -> None:
        turn = 0
        while not over.wait(every):
            there = [hand.process for hand in run.hands if hand.is_there]
            if there:
                os.kill(there[turn % len(there)], signal.SIGKILL)
                turn += 1
                print(json.dumps({"killed": 1}), flush=True)

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        with silenced():
            run.draw(left)
    finally:
        over.set()
        killer.join()
    sink.finish()
    failed = clock.events["failed"]
    print(json.dumps({"drawn": clock.events["drawn"], "failed": failed}), flush=True)


def report(count: int, out: Path, killed: Counter[str], seconds: float) -> None:
    """Print whether each image is there once, and the manifest right."""
    wanted = {row.id for row in rows_of(count, 1)}
    files = [path.stem for path in out.glob("*.jpg")]
    noted: Counter[str] = Counter()
    failed = 0
    for part in (out / "_manifest").glob("*.jsonl"):
        for line in part.read_text().splitlines():
            note = json.loads(line)
            failed += "failed" in note
            noted[note["id"]] += "file" in note
    there = open_sink(out).done()
    odd = [path.name for path in out.rglob("*") if ".part" in path.name]
    right = set(files) == wanted == set(noted) and set(noted.values()) == {1}
    right &= len(files) == len(there) == count and all(id in there for id in wanted)
    print(f"{seconds:.0f} s, killed: {dict(killed)}")
    print(f"files {len(files)}, of other names {len(set(files) - wanted)}")
    print(f"in the manifest {len(noted)}, twice {sum(n > 1 for n in noted.values())}")
    print(f"failed {failed}, left half {len(odd)}")
    print("right" if right and not odd and not failed else "WRONG")


def main() -> None:
    if sys.argv[1:2] == ["driver"]:
        count, steps, every, out, address, again = sys.argv[2:]
        numbers = int(count), int(steps), float(every)
        driver(*numbers, Path(out), address, again == "1")
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["speed", "kills"])
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=4, help="workers at most")
    parser.add_argument("--every", type=float, default=20.0, help="seconds")
    parser.add_argument("--out", type=Path, help="an empty folder, for `kills`")
    asked = parser.parse_args()
    if asked.what == "speed":
        speed(asked.rows, asked.steps, asked.rounds, asked.most)
        return
    with tempfile.TemporaryDirectory() as folder:
        out = asked.out or Path(folder) / "out"
        kills(asked.rows, asked.steps, asked.every, out)


if __name__ == "__main__":
    main()
