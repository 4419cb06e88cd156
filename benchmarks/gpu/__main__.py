"""Measure a GPU in one call: `python -m benchmarks gpu`, see benchmarks/README.md."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.gpu.plan import Group, plan
from benchmarks.gpu.table import tables

Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Run the plan, group by group, while there is time, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--minutes", type=float, default=9.5)
    parser.add_argument("--only", default="", help="parts of groups' names, by commas")
    parser.add_argument("--json", type=Path, help="a file for all numbers")
    parser.add_argument("--tiny", action="store_true", help="sizes that take no time")
    parser.add_argument("--list", action="store_true", help="name the groups")
    asked = parser.parse_args(arguments)
    groups = [g for g in plan() if any(p in g.name for p in asked.only.split(","))]
    if asked.list:
        print("\n".join(group.name for group in groups))
        return
    end, rows = time.monotonic() + 60 * asked.minutes, list[Row]()
    for group in groups:
        left = end - time.monotonic()
        if left < 5:
            why = "there was no time left; see --only and --minutes"
            rows += [{**asdict(cell), "error": why} for cell in group.cells]
            continue
        command = [sys.executable, "-m", "benchmarks.gpu.worker", group.name]
        command += [asked.device, *(["tiny"] if asked.tiny else [])]
        begun = time.monotonic()
        rows += measured(group, command, min(group.seconds, left))
        print(f"{group.name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
        if asked.json:
            asked.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(tables(rows, about(asked.device)))


def measured(group: Group, command: list[str], limit: float) -> list[Row]:
    """Return the rows that a process gave until its time was over."""
    with tempfile.TemporaryFile("w+") as output:
        running = subprocess.Popen(command, stdout=output, start_new_session=True)
        try:
            code = running.wait(limit)
            why = f"ended with code {code}" if code else ""
        except subprocess.TimeoutExpired:
            why = f"stopped after {limit:.0f} s"
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
        output.seek(0)
        rows = [json.loads(line) for line in output if line.startswith("{")]
    return rows + [
        {**asdict(cell), "error": why}
        for cell in group.cells
        if why and not any(asdict(cell).items() <= row.items() for row in rows)
    ]


def about(device: str) -> str:
    """Say on what it was measured."""
    named = "import sys, torch; print(torch.cuda.get_device_name(sys.argv[1]))"
    command = [sys.executable, "-c", named, device]
    if device.startswith("cuda"):
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        device = ran.stdout.strip() or device
    versions = (f"{name} {version(name)}" for name in ("torch", "diffusers"))
    return ", ".join([device, *versions])


if __name__ == "__main__":
    main()
