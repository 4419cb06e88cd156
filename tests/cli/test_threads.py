"""How many threads compute, and how they wait for each other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imaginairy.cli.threads import (
    COUNTS,
    WAITING,
    quotas,
    set_threads,
    usable_cores,
)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter in which nobody chose anything yet."""
    clean = {key: os.environ[key] for key in os.environ if key not in WAITING + COUNTS}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=clean | environment,
        check=True,
    )


def written(root: Path, files: dict[str, str]) -> Path:
    """Write the files that a kernel shows, below a folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def nobody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said about threads, and torch is not loaded yet."""
    for name in WAITING + COUNTS:
        monkeypatch.setenv(name, "")  # so that all is as it was afterwards
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "torch", raising=False)


def chosen() -> dict[str, str]:
    return {name: os.environ[name] for name in WAITING + COUNTS if name in os.environ}


@pytest.mark.usefixtures("nobody_chose")
@pytest.mark.parametrize(
    ("said", "added"),
    [
        ({}, {"OMP_WAIT_POLICY", "OMP_NUM_THREADS"}),
        ({"OMP_NUM_THREADS": "3"}, {"OMP_WAIT_POLICY"}),
        ({"MKL_NUM_THREADS": "3"}, {"OMP_WAIT_POLICY"}),
        ({"OMP_THREAD_LIMIT": "3"}, {"OMP_WAIT_POLICY"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_NUM_THREADS"}),
        ({"GOMP_SPINCOUNT": "7"}, {"OMP_NUM_THREADS"}),
        ({"KMP_BLOCKTIME": "7"}, {"OMP_NUM_THREADS"}),
        ({"OMP_WAIT_POLICY": "", "MKL_NUM_THREADS": "1"}, {"OMP_WAIT_POLICY"}),
    ],
)
def test_what_the_user_chose_stands(
    said: dict[str, str], added: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    set_threads()
    ours = {"OMP_WAIT_POLICY": "passive"}
    if usable_cores() is not None:
        ours["OMP_NUM_THREADS"] = str(usable_cores())
    assert chosen() == said | {name: ours[name] for name in added & set(ours)}


@pytest.mark.usefixtures("nobody_chose")
def test_nothing_is_changed_once_torch_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)
    set_threads()
    assert chosen() == {}


@pytest.mark.parametrize("command", ["aimg", "imagine"])
def test_torch_of_a_command_waits_so(command: str, tmp_path: Path) -> None:
    entry = {
        "aimg": "from imaginairy.cli.aimg import aimg; aimg(['version'])",
        "imagine": "from imaginairy.cli.imagine_cmd import imagine_cmd\n"
        "imagine_cmd(['a fox', '--model', 'none', '--log-level', 'error'])",
    }[command]
    code = f"""
try:
    {entry.replace(chr(10), chr(10) + "    ")}
except SystemExit:
    import torch
    print("threads", torch.get_num_threads())
"""
    ran = python(code, OMP_DISPLAY_ENV="TRUE")
    assert f"threads {usable_cores() or ''}" in ran.stdout
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in ran.stderr.replace("='", " = '")


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, []),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, []),
        (
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"},
            [1.5],
        ),
        (  # as systemd nests them: each may be narrower than the one below it
            {
                "proc/self/cgroup": "0::/a.slice/b.scope\n",
                "sys/fs/cgroup/a.slice/b.scope/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/a.slice/cpu.max": "25000 50000\n",
            },
            [4.0, 0.5],
        ),
        (  # a container that is shown its path outside but only its own folder
            {
                "proc/self/cgroup": "0::/docker/c0ffee\n",
                "sys/fs/cgroup/cpu.max": "200000 100000\n",
            },
            [2.0],
        ),
        (  # version 1
            {
                "proc/self/cgroup": "5:memory:/m\n4:cpu,cpuacct:/docker/c0ffee\n0::/\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            [3.0],
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/own\n",
                "sys/fs/cgroup/cpu/own/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/own/cpu.cfs_period_us": "100000\n",
            },
            [],
        ),
    ],
)
def test_limits_of_control_groups(
    files: dict[str, str], cores: list[float], tmp_path: Path
) -> None:
    assert list(quotas(written(tmp_path, files))) == cores


@pytest.mark.parametrize(
    ("quota", "cores"), [("20000", 1), ("250000", 3), ("400000", 4), ("900000", 4)]
)
def test_a_limit_narrower_than_the_cores_counts(
    quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = set(range(8))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: allowed, raising=False)
    pairs = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    files = {pairs.format(n): f"{n % 4},{n % 4 + 4}\n" for n in allowed}
    files |= {"proc/self/cgroup": "0::/\n"}
    files |= {"sys/fs/cgroup/cpu.max": f"{quota} 100000\n"}
    assert usable_cores(written(tmp_path, files)) == cores


def test_cores_and_not_their_threads_are_counted(tmp_path: Path) -> None:
    processors = range(os.cpu_count() or 1)
    topology = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    written(tmp_path, {topology.format(n): "0-7\n" for n in processors})
    known = hasattr(os, "sched_getaffinity")  # elsewhere, torch decides
    assert usable_cores(tmp_path) == (1 if known else None)
    assert usable_cores(tmp_path / "empty") == (
        len(os.sched_getaffinity(0)) if known else None
    )
