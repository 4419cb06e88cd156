"""Publish rows in every way, and be killed at one of the changes to the file system.

python -m tests.support.publishes FOLDER ROWS [AT]
"""

import os
import signal
import sys
from typing import Any

from imaginairy.fleet.kinds import KINDS
from imaginairy.fleet.sinks import open_sink
from tests.support.rows import published, row

CHANGES = {"os.remove", "os.rename", "os.mkdir"}
TOGETHER = 4
"""Pictures that are published in one call."""


def main(folder: str, count: str, at: str = "-1") -> None:
    """Publish as many rows as there are to be, but for those that are there."""
    left = int(at)

    def hook(event: str, details: tuple[Any, ...]) -> None:
        nonlocal left
        writes = event == "open" and (details[2] or 0) & (os.O_WRONLY | os.O_RDWR)
        if writes or event in CHANGES:
            left -= 1
            if left == -1:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    rows = [row(f"id-{number}", seed=number) for number in range(int(count))]
    for kind in KINDS:
        sink = open_sink(f"{folder}/{kind}", kind)
        todo = list(sink.done().left(rows))
        for start in range(0, len(todo), TOGETHER):
            together = todo[start : start + TOGETHER]
            sink.publish([published(each) for each in together])
        sink.finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
