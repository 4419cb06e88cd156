"""The commands as a user runs them: in a process of their own, or in this one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result

from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from tests.support.patience import HANG_GUARD_S

Run = Callable[..., Result]


def process(
    command: str, *words: str | Path, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `aimg` or `imagine` as it was installed; one such run a command is enough.

    It shows that the entry point is there, and what only a process has: its exit code,
    both of its streams, and no traceback.
    """
    ran = subprocess.run(
        [str(Path(sys.executable).with_name(command)), *map(str, words)],
        capture_output=True, text=True, cwd=cwd, env=os.environ | environment,
        timeout=HANG_GUARD_S,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran


def run_here(stores: Stores, *words: object, **environment: str) -> Result:
    """Run `aimg` in this process, with models that may be loaded already.

    What would be a traceback in a process is raised.
    """
    runner = CliRunner(env=environment)
    return runner.invoke(aimg, [*map(str, words)], obj=stores, catch_exceptions=False)


def assert_refused(ran: Result, words: str, code: int = 2) -> None:
    """Check that a run ended in one sentence about what is wrong, and with this code.

    Where click says it, the usage stands above the sentence.
    """
    assert (ran.exit_code, ran.stdout) == (code, ""), ran.output
    *usage, said = ran.stderr.splitlines()
    assert words in said, ran.stderr
    assert not usage or usage[0].startswith("Usage: "), ran.stderr
