"""How torch's threads wait, and how many they are, chosen before torch is loaded.

The OpenMP runtimes that torch ships with (GNU's on Linux, LLVM's and Intel's elsewhere)
let idle threads spin. With another process on the machine a spinning thread keeps the
core that the thread it waits for would need: a picture of 3 seconds then took 20 to 50.
Threads that sleep cost nothing that could be measured on a quiet machine.
"""

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""The variables that say how threads wait; where one is set, the user has chosen."""
COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT")
"""The same for how many there are."""


def set_threads() -> None:
    """Let threads sleep while they wait, and start as many as there are cores for us.

    What the user's environment says stands. Once torch is loaded it is too late, and
    nothing is changed.
    """
    if "torch" in sys.modules:
        return
    if not any(os.environ.get(name) for name in WAITING):
        os.environ["OMP_WAIT_POLICY"] = "passive"
    if not any(os.environ.get(name) for name in COUNTS):
        count = usable_cores()
        if count is not None:
            os.environ["OMP_NUM_THREADS"] = str(count)


def usable_cores(root: Path = Path("/")) -> int | None:
    """Return how many cores this process may keep busy; None where it is not known.

    These are the physical cores that the process may run on, or fewer where a control
    group allows it less time.

    Args:
        root: where the folders `proc` and `sys` are.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None  # elsewhere than on Linux, torch's own choice stands
    allowed = os.sched_getaffinity(0)
    cores = {_siblings(root, number) or str(number) for number in allowed}
    return max(1, math.ceil(min([len(cores), *quotas(root)])))


def _siblings(root: Path, number: int) -> str:
    """Return the numbers of the processors that are threads of the same core."""
    topology = root / f"sys/devices/system/cpu/cpu{number}/topology"
    return _read(topology / "thread_siblings_list")


def quotas(root: Path = Path("/")) -> Iterator[float]:
    """Yield how many cores' time each control group above this process allows it."""
    mounts = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, own = line.split(":", 2)
        for group in (PurePosixPath(own), *PurePosixPath(own).parents):
            below = str(group).lstrip("/")  # a container may see only the root
            if not controllers:  # version 2
                words = _read(mounts / below / "cpu.max").split()
            elif "cpu" in controllers.split(","):
                folder = mounts / controllers / below
                if not folder.is_dir():
                    folder = mounts / "cpu" / below
                files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                words = [_read(folder / file) for file in files]
            else:
                continue
            if len(words) == 2 and all(word.isdigit() for word in words):
                yield int(words[0]) / max(1, int(words[1]))


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
