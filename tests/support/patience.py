"""Waiting for what another process or thread does: until it is done, never for a time.

A guard ends what hangs. It is far beyond what a busy machine takes, so that no test
fails by being slow.
"""

import subprocess
import time
from collections.abc import Callable

HANG_GUARD_S = 600.0
"""Only a hang takes so long; how fast things are is no matter here."""
GLANCE_S = 0.01


def wait_until(
    condition: Callable[[], object], running: subprocess.Popen[str] | None = None
) -> None:
    """Return as soon as a condition holds; fail where a process ends without it."""
    until = time.monotonic() + HANG_GUARD_S
    while not condition():
        assert running is None or running.poll() is None, "ended before it was so"
        assert time.monotonic() < until, "it never came to be so"
        time.sleep(GLANCE_S)
