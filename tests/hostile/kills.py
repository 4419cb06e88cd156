"""Kill commands while they write, at random moments, and look at what they leave.

    python -m tests.hostile.kills [--number 60] [--seed 1] [COMMAND]...

One half is killed at a random time, and the other right before a random change that it
makes to the file system.
"""

import argparse
import json
import os
import random
import shlex
import shutil
import signal
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support import surroundings

surroundings.settle()
os.environ["TMPDIR"] = str(surroundings.HOME / "tmp")
(surroundings.HOME / "tmp").mkdir(exist_ok=True)

import cv2  # noqa: E402
from PIL import Image, ImageSequence  # noqa: E402
from pyarrow import parquet  # noqa: E402

from imaginairy.cli.aimg import aimg  # noqa: E402
from imaginairy.cli.stores import Stores  # noqa: E402
from imaginairy.fleet.sinks import open_sink  # noqa: E402
from imaginairy.fleet.sinks.shards import ShardSink  # noqa: E402
from tests.hostile.doors import FEW  # noqa: E402
from tests.hostile.warmed import warmed  # noqa: E402
from tests.hostile.watched import CHANGING, WRITES  # noqa: E402

SETTINGS = surroundings.HOME / "config"
DRAW = f"imagine fruit --model storybook {FEW}"
LIST = f"imagine --prompts-file words.txt --model storybook {FEW}"
COMMANDS = {
    "imagine": f"{DRAW} -r 3",
    "png": f"{DRAW} -r 3 --output-file-extension png",
    "steps": f"{DRAW} --gif --show-work --compare-gif --init-image good.png",
    "grid": f"{DRAW} -r 2 --grid --compilation-anim gif",
    "webp": f"{DRAW} -r 2 --compilation-anim webp",
    "mp4": f"{DRAW} -r 2 --compilation-anim mp4",
    "resume": f"imagine --prompts-file words.txt --resume --model storybook {FEW}",
    "published": f"{LIST} --output out",
    "parquet": f"{LIST} --output out --output-kind parquet",
    "webdataset": f"{LIST} --output out --output-kind webdataset",
    "edit": f"edit good.png fruit --model storybook --mask-prompt fruit {FEW}",
    "again": "again good.png --model storybook --seed 3",
    "upscale": "upscale good.png --model lanczos",
    "fix-faces": "fix-faces good.png",
    "mask": "mask good.png fruit",
    "gallery": "gallery .",
    "default": "models default storybook",
}
"""What is killed, by name."""
WORDS = "a red fox\na bowl of fruit\na scenic landscape\n"
ENOUGH_S = 120


def laid(folder: Path) -> None:
    """Lay out what the commands need."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(SETTINGS, ignore_errors=True)
    folder.mkdir()
    shutil.copy(surroundings.HOME / "tmp/good.png", folder / "good.png")
    (folder / "words.txt").write_text(WORDS)


def run(
    words: list[str],
    folder: Path,
    stores: Stores,
    *,
    after: float | None = None,
    at: int | None = None,
) -> tuple[int, int, float, str]:
    """Run a command and kill it, if at all, after a time or at one of its changes.

    Returns:
        How it ended, the changes that it made, the time that it took, and its words.
    """
    papers = Path(os.environ["TMPDIR"]) / "said"
    papers.mkdir(exist_ok=True)
    for name in ("out", "count"):
        (papers / name).write_bytes(b"")
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(words, folder, papers, stores, at)
    wait = ENOUGH_S if after is None else after
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() - began > wait:
            os.kill(child, signal.SIGKILL)
            break
        time.sleep(0.002)
    _, status = os.waitpid(child, 0)
    return (
        os.waitstatus_to_exitcode(status),
        len((papers / "count").read_bytes()),
        time.monotonic() - began,
        (papers / "out").read_text(errors="replace"),
    )


def _become(
    words: list[str], folder: Path, papers: Path, stores: Stores, at: int | None
) -> None:
    code = 70
    try:
        out = os.open(papers / "out", os.O_WRONLY | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(folder)
        count = os.open(papers / "count", os.O_WRONLY | os.O_APPEND)
        left = at

        def hook(event: str, details: tuple[Any, ...]) -> None:
            nonlocal left
            writes = event == "open" and (details[2] or 0) & WRITES
            if writes or event in CHANGING:
                os.write(count, b".")
                if left is not None:
                    left -= 1
                    if left < 0:
                        os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            aimg.main(words, obj=stores)
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        sys.stdout.flush()
    finally:
        os._exit(code)


def faults(folder: Path) -> list[str]:
    """Say which files under final names are not whole."""
    found = []
    for path in [*folder.rglob("*"), *SETTINGS.rglob("*")]:
        if path.is_file() and not path.name.startswith("."):
            try:
                _read(path)
            except Exception as error:
                found.append(f"{path.name}: {type(error).__name__} {error}")
    return found


def _read(path: Path) -> None:
    """Read a file as a user would; raise where it is not whole."""
    data = path.read_bytes()
    match path.suffix:
        case ".mp4":
            frames = cv2.VideoCapture(str(path))
            said = int(frames.get(cv2.CAP_PROP_FRAME_COUNT))
            read = sum(1 for _ in iter(lambda: frames.read()[0], False))
            assert read == said > 0, f"{read} of {said} frames"
        case ".jpg" | ".png" | ".gif" | ".webp":
            with Image.open(path) as image:
                for frame in ImageSequence.Iterator(image):
                    frame.load()
            ends = {".jpg": b"\xff\xd9", ".png": b"IEND\xaeB`\x82", ".gif": b";"}
            assert data.endswith(ends.get(path.suffix, b"")), "cut short"
        case ".html":
            assert data.rstrip().endswith(b"</html>"), "cut short"
        case ".parquet":
            parquet.read_table(path)
        case ".tar":
            with tarfile.open(path) as tar:
                assert len(tar.getnames()) % 3 == 0
        case ".jsonl":
            assert all(isinstance(json.loads(line), dict) for line in data.splitlines())
        case _:
            assert path.name == "words.txt" or data.endswith(b"\n"), "cut short"


def hidden(folder: Path) -> list[str]:
    """Name what is there only while something is written."""
    every = [*folder.rglob(".*"), *SETTINGS.rglob(".*")]
    ours = (path.name for path in every if path.is_file())
    return [name for name in ours if name.endswith(".claim") or ".part" in name]


def killed(
    name: str,
    folder: Path,
    stores: Stores,
    chance: random.Random,
    usual: tuple[int, float],
    kind: str,
) -> tuple[bool, int, list[str]]:
    """Kill a command once; tell whether it was, what it left, and what is wrong."""
    words = shlex.split(COMMANDS[name])
    laid(folder)
    changes, seconds = usual
    moment: dict[str, Any] = {"after": chance.uniform(0, seconds)}
    if kind == "change":
        moment = {"at": chance.randrange(changes)}
    code, *_ = run(words, folder, stores, **moment)
    wrong = faults(folder)
    left = len(hidden(folder))
    again, _, _, said = run(words, folder, stores)
    if again not in (0, 1) or "Traceback" in said:
        wrong.append(f"the next run ends with {again}: {said[-300:]}")
    wrong += faults(folder)
    wrong += [f"still there: {each}" for each in hidden(folder)]
    if name == "resume" and (there := len([*(folder / "outputs").glob("0*.jpg")])) != 3:
        wrong.append(f"{there} pictures of 3")
    if name in ("published", "parquet", "webdataset"):
        wrong += not_once(folder / "out")
    return code == -signal.SIGKILL, left, [f"{moment}: {each}" for each in wrong]


def not_once(output: Path) -> list[str]:
    """Say what of the three prompts is not published exactly once."""
    sink = open_sink(output)
    published = [sink.files.read(name) for name in sink.files.names() if "." in name]
    if isinstance(sink, ShardSink):
        ids = [each.id for shard in published for each in sink.unpacked(shard or b"")]
    else:
        ids = [name for name in sink.files.names() if "." in name]
    known = len(sink.done())
    if len(ids) == len({*ids}) == known == len(WORDS.splitlines()):
        return []
    return [f"{sorted(ids)} are published, and {known} are known"]


def main() -> int:
    """Kill what is asked for; return an exit code."""
    asked = argparse.ArgumentParser()
    asked.add_argument("commands", nargs="*", default=[*COMMANDS])
    asked.add_argument("--number", type=int, default=70)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    chance = random.Random(given.seed)
    folder = Path(tempfile.mkdtemp(dir=os.environ["TMPDIR"])) / "stand"
    stores = warmed()
    laid_first(folder, stores)
    kills = leftovers = failed = 0
    usual: dict[str, tuple[int, float]] = {}
    for number in range(given.number):
        name = given.commands[number % len(given.commands)]
        if name not in usual:
            laid(folder)
            code, changes, seconds, said = run(
                shlex.split(COMMANDS[name]), folder, stores
            )
            assert code in (0, 1), said
            usual[name] = max(1, changes), seconds
        kind = ("time", "change")[number // len(given.commands) % 2]
        was, left, wrong = killed(name, folder, stores, chance, usual[name], kind)
        kills += was
        leftovers += left
        failed += bool(wrong)
        for each in wrong:
            print(f"  {name} {each}", flush=True)
    print(
        f"{kills} kills over {len(given.commands)} commands, {given.number - kills} "
        f"had ended before; {leftovers} hidden files left and cleared by the next run; "
        f"{failed} went wrong"
    )
    shutil.rmtree(folder.parent)
    surroundings.leave()
    return failed != 0


def laid_first(folder: Path, stores: Stores) -> None:
    """Draw the picture that the commands work on."""
    Image.new("RGB", (64, 64), "red").save(surroundings.HOME / "tmp/good.png")
    laid(folder)
    run(shlex.split(f"{DRAW} --output-file-extension png"), folder, stores)
    (drawn,) = (folder / "outputs").glob("0*.png")
    shutil.copy(drawn, surroundings.HOME / "tmp/good.png")


if __name__ == "__main__":
    sys.exit(main())
