"""What the tests stand on is the same for every user, shell and machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import wait_until

ROOT = Path(__file__).parent.parent
SETTLING = """
import os, signal
from tests.support import surroundings
there = set(os.environ)
surroundings.settle()
print(*sorted(there - set(os.environ)))
print(*sorted(name for name in surroundings.OURS if "/somebody" in os.environ[name]))
print(signal.getsignal(signal.SIGINT).__name__)
surroundings.leave()
print(surroundings.HOME.exists())
"""


def test_a_users_variables_and_an_ignored_ctrl_c_reach_no_test() -> None:
    taken = {
        "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "HF_TOKEN", "HTTPS_PROXY",
        "HUGGING_FACE_HUB_TOKEN", "IMAGINAIRY_MODEL", "LINES", "MAKEFLAGS", "NO_COLOR",
        "PYTHONWARNINGS", "TRANSFORMERS_OFFLINE", "http_proxy", "no_proxy",
    }  # fmt: skip
    left = {"LC_ALL": "C", "TZ": "Asia/Tokyo", "OMP_NUM_THREADS": "1", "NOTES": "mine"}
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "HF_HOME"), "/somebody/s")
    ran = subprocess.run(
        ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-c", SETTLING],
        env=dict.fromkeys(taken, "ignore") | left | places | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        " ".join(sorted(taken)),
        "",
        "default_int_handler",
        "False",
    ]


def test_waiting_ends_with_a_process_that_cannot_bring_it_any_more() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], text=True) as running:
        wait_until(lambda: running.poll() is not None)
        with pytest.raises(AssertionError, match="ended before"):
            wait_until(lambda: False, running)


def test_tests_have_a_home_of_their_own() -> None:
    assert Path.home().name.startswith("imaginairy-tests-")
    assert all(
        os.environ[name].startswith(str(Path.home()))
        for name in ("HF_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
    )
