"""Read a long list of prompts, publish for each, and see what that takes.

    python -m benchmarks.publishing [--rows 100000] [--kind folder] [--to FOLDER]

Nothing is drawn: 60,000 bytes stand for a picture, or as many as asked for. Each part
runs in a process of its own, so that its memory is its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from imaginairy.fleet.kinds import KINDS
from imaginairy.fleet.rows import Rows
from imaginairy.fleet.sinks import Published, open_sink
from imaginairy.fleet.sinks.notes import fingerprint

PARTS = ("nothing", "read", "publish", "done", "finish")


def main() -> None:
    """Do one part, or each in a process and print what it took."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("part", nargs="?", choices=PARTS)
    asked.add_argument("--rows", type=int, default=100_000)
    asked.add_argument("--bytes", type=int, default=60_000)
    asked.add_argument("--kind", choices=KINDS, default="folder")
    asked.add_argument("--to", type=Path)
    given = asked.parse_args()
    if given.part:
        did(given.part, given.to, given)
        return
    with tempfile.TemporaryDirectory(dir=given.to) as folder:
        with (Path(folder) / "list.jsonl").open("w") as file:
            for number in range(given.rows):
                row = {"id": f"picture-{number}", "prompt": f"a red fox, {number}"}
                file.write(json.dumps(row) + "\n")
        print("part      CPU us a row   MB at the peak")
        for part in PARTS:
            words = [f"--rows={given.rows}", f"--kind={given.kind}", f"--to={folder}"]
            words += [part, f"--bytes={given.bytes}"]
            command = [sys.executable, "-m", "benchmarks.publishing", *words]
            subprocess.run(command, check=True)


def did(part: str, folder: Path, given: argparse.Namespace) -> None:
    """Do a part and print what it took, of the processor and of memory."""
    began = time.process_time()
    if part == "read":
        rows = Rows(folder / "list.jsonl")
        assert sum(1 for _ in rows) == given.rows
        rows.close()
    elif part == "publish":
        publish(folder, given)
    elif part == "done":
        assert len(open_sink(folder / "out").done()) == given.rows
    elif part == "finish":
        open_sink(folder / "out").finish()
    took = (time.process_time() - began) / given.rows * 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{part:10} {took:10.1f} {peak:12.0f}", flush=True)


def publish(folder: Path, given: argparse.Namespace) -> None:
    """Publish a picture of each row, as many together as the sink likes."""
    sink = open_sink(folder / "out", given.kind, pictures=given.rows)
    data = bytes(given.bytes)
    rows = Rows(folder / "list.jsonl")
    waiting = []
    for number, row in enumerate(rows, start=1):
        prompt = fingerprint(row.prompt)
        text = row.prompt.prompt_text
        waiting.append(Published(row.id, data, "jpg", text, (512, 512), prompt, "{}"))
        if len(waiting) == sink.pictures_together or number == given.rows:
            sink.publish(waiting)
            waiting = []
    sink.close()
    rows.close()


if __name__ == "__main__":
    main()
