"""Kill long runs at random moments, go on with them, and compare what comes of it.

python -m benchmarks.interrupted [--kills 50] [--prompts 150] [--seed 1]

A run with `--resume` is killed (SIGKILL mostly, SIGTERM, Ctrl-C) so many times at
moments taken at random, and then left to end. Its folder has to hold what that of a run
holds that was never interrupted: the same names, seeds and metadata, and the same
images but for rounding, each once, and nothing else.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from imaginairy.manifest import NAME
from imaginairy.metadata.read import read_metadata
from imaginairy.pictures import read_picture
from tests.support.patience import HANG_GUARD_S
from tests.support.pictures import pixels
from tests.support.tiny import save_tiny_pipeline

ROUNDING = 2
SIGNALS = (signal.SIGKILL,) * 4 + (signal.SIGTERM, signal.SIGINT)
OPTIONS = (
    "--model ../tiny -w 64 -h 64 --steps 1 -q --output-file-extension png --gif "
    "--prompts-file ../list.jsonl --resume --arg-schedule prompt_strength[3,7]"
)


def main() -> None:
    """Kill as often as asked and say what came of it, with 1 where it is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--prompts", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        save_tiny_pipeline(folder / "tiny")
        (folder / "list.jsonl").write_text(prompts(asked.prompts))
        cut, whole = folder / "cut", folder / "whole"
        cut.mkdir()
        kills = Counter(interrupt(cut, asked.kills, 2 * asked.prompts, chance))
        whole.mkdir()
        head = (cut / NAME).read_text().splitlines()[0]
        (whole / NAME).write_text(f"{head}\n")
        finish(start(whole))
        shutil.rmtree(folder / "tiny")
        worst = compare(cut, whole)
    by = ", ".join(f"{count} {signal.Signals(of).name}" for of, count in kills.items())
    print(
        f"{sum(kills.values())} kills ({by}), {2 * asked.prompts} images: each once, "
        f"with the names and seeds of a run that was not interrupted; the largest "
        f"difference of a pixel is {worst} of 255."
    )


def prompts(count: int) -> str:
    """Return prompts, some with a seed, some without, some the same."""
    rows: list[dict[str, Any]] = [
        {"prompt": f"a fox {number}", "seed": number} if number % 2 else {"prompt": "a"}
        for number in range(count)
    ]
    return "\n".join(map(json.dumps, rows))


def start(outdir: Path) -> subprocess.Popen[str]:
    """Begin the run, or go on with it."""
    command = [sys.executable, "-m", "imaginairy", *OPTIONS.split(), "--outdir", "."]
    return subprocess.Popen(command, cwd=outdir, stderr=subprocess.PIPE, text=True)


def interrupt(
    outdir: Path, kills: int, pictures: int, chance: random.Random
) -> list[int]:
    """Kill a run so many times and let it end; return the signals that ended it."""
    ended: list[int] = []
    while len(ended) < kills:
        running = start(outdir)
        before = len(list(outdir.glob("*.png")))
        wanted = before + chance.randint(
            0, max(1, (pictures - before) // (kills - len(ended)))
        )
        until = time.monotonic() + HANG_GUARD_S
        while running.poll() is None and time.monotonic() < until:
            if (outdir / NAME).exists() and len(list(outdir.glob("*.png"))) >= wanted:
                break
            time.sleep(0.002)
        time.sleep(chance.random() / 10)
        running.send_signal(chance.choice(SIGNALS))
        running.communicate(timeout=HANG_GUARD_S)
        if running.returncode == 0:
            return ended
        ended.append(
            signal.SIGINT if running.returncode == 130 else -running.returncode
        )
    finish(start(outdir))
    return ended


def finish(running: subprocess.Popen[str]) -> None:
    """Wait for a run that nobody kills."""
    _, said = running.communicate(timeout=10 * HANG_GUARD_S)
    if running.returncode:
        sys.exit(f"It ended with {running.returncode}: {said}")


def compare(cut: Path, whole: Path) -> int:
    """Compare two folders; return the largest difference of a pixel."""
    names = [
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        for folder in (cut, whole)
    ]
    if names[0] != names[1]:
        sys.exit(f"Only in one of them: {sorted({*names[0]} ^ {*names[1]})}")
    saved = [json.loads(line).get("saved") for line in manifest_of(cut)]
    pictures = [path.name for path in sorted(cut.glob("*.png"))]
    if sorted({*filter(None, saved)}) != pictures:
        sys.exit("The manifest does not name all images.")
    worst = 0
    for name in pictures:
        said = [read_metadata(folder / name) for folder in (cut, whole)]
        for each in said:
            del each["created"]
        if said[0] != said[1]:
            sys.exit(f"{name} was made otherwise: {said}")
        one, other = (pixels(read_picture(folder / name)) for folder in (cut, whole))
        worst = max(worst, int(abs(one - other).max()))
    if worst > ROUNDING:
        sys.exit(f"A pixel is {worst} of 255 off.")
    return worst


def manifest_of(folder: Path) -> list[str]:
    """Return the whole lines of a manifest."""
    lines = (folder / NAME).read_text().splitlines()
    return [line for line in lines if line.startswith("{") and line.endswith("}")]


if __name__ == "__main__":
    main()
