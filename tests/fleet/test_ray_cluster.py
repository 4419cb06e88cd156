"""How a cluster is reached and what it has room for, without one."""

import logging
import os
import signal
import socket
import sys
from typing import Any

import pytest

from imaginairy.errors import BadOptionError, ImaginairyError
from imaginairy.fleet import ray_cluster
from imaginairy.fleet.ray_cluster import (
    PRINTS,
    connected,
    end_at_sigterm,
    how,
    places,
    ray_package,
    require_answer,
    require_same,
    settled,
    silenced,
    unchanged,
    versions,
)


def node(*, is_alive: bool = True, **resources: float) -> dict[str, Any]:
    return {"Alive": is_alive, "Resources": resources}


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("local", "local"),
        ("auto", "auto"),
        ("10.0.0.1:6380", "10.0.0.1:6380"),
        ("10.0.0.1", "10.0.0.1:6379"),
        ("head.cluster", "head.cluster:6379"),
        ("[::1]:7", "[::1]:7"),
    ],
)
def test_addresses_as_ray_takes_them(address: str, told: str) -> None:
    assert settled(address) == told


@pytest.mark.parametrize(
    "address",
    [
        *("", ":6379", "host:", "host:0", "host:65536", "host:port", "host:-1"),
        *("a b:1", "http://x:1", "ray://x:1", "user@x:1", "x/path:1", "::1:5"),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadOptionError) as error:
        settled(address)
    assert str(error.value) == (
        f"'{address}' is no address of a Ray cluster; give 'local', or on one of its "
        "machines 'auto' or the HOST:PORT of its head, such as 10.0.0.1:6379."
    )


def test_an_address_at_which_nobody_answers_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        require_answer(address)
    with pytest.raises(ImaginairyError) as error:
        require_answer(address)
    assert str(error.value) == (
        f"Nothing answers at '{address}' (Connection refused); start a cluster there "
        "with 'ray start --head', or give another address."
    )
    for own in ("local", "auto"):
        require_answer(own)


def test_without_ray_it_is_said_what_is_lacking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadOptionError) as error, connected("local"):
        pass
    assert str(error.value) == (
        "A cluster needs Ray, which is not installed; install it with: "
        "pip install 'imaginairy[ray]'"
    )


def test_a_cluster_of_ours_has_room_for_the_workers_and_little_else() -> None:
    said = how("local", 64)
    assert said["num_cpus"] == 64
    assert how("local", None)["num_cpus"] == len(os.sched_getaffinity(0))
    assert said["object_store_memory"] == 128 << 20
    assert said["log_to_driver"] is False
    assert "num_cpus" not in how("auto", 64)


def test_there_is_a_worker_for_each_gpu() -> None:
    nodes = [node(GPU=4, CPU=16), node(GPU=2.0, CPU=8), node(CPU=64)]
    assert places(nodes, is_cpu=False) == (6, 1, 1)
    assert places(nodes, is_cpu=False, workers=9, threads=2) == (9, 1, 2)


def test_machines_that_have_left_have_no_room() -> None:
    nodes = [node(GPU=4), node(is_alive=False, GPU=8), {"Alive": False}]
    assert places(nodes, is_cpu=False).workers == 4
    assert places([], is_cpu=False).workers == 0


def test_without_gpus_there_is_a_worker_for_a_few_cpus() -> None:
    nodes = [node(CPU=8), node(CPU=6)]
    assert places(nodes, is_cpu=False) == (3, 0, 4)
    assert places(nodes, is_cpu=False, threads=1) == (14, 0, 1)
    assert places(nodes, is_cpu=False, threads=6) == (2, 0, 6)
    assert places([node(CPU=2)], is_cpu=False) == (1, 0, 2)
    assert places([node(GPU=8, CPU=4)], is_cpu=True) == (1, 0, 4)


def test_more_workers_have_fewer_cpus_each() -> None:
    assert places([node(CPU=2)], is_cpu=False, workers=2) == (2, 0, 1)
    assert places([node(CPU=8)], is_cpu=False, workers=3) == (3, 0, 2)
    assert places([node(CPU=2)], is_cpu=False, workers=9) == (9, 0, 1)
    assert places([node(CPU=16)], is_cpu=False, workers=2) == (2, 0, 4)


def test_more_threads_than_any_machine_has_are_refused() -> None:
    with pytest.raises(BadOptionError) as error:
        places([node(CPU=4), node(CPU=8)], is_cpu=True, threads=9)
    assert str(error.value) == (
        "No node of the cluster has 9 CPUs for a worker; give 8 threads at most."
    )
    assert places([], is_cpu=True, threads=9) == (0, 0, 9)


def test_workers_have_the_versions_of_this_machine() -> None:
    mine = versions()
    assert set(mine) == {"imaginairy", "torch"}
    assert "+" not in mine["torch"]
    require_same(mine, "there")


@pytest.mark.parametrize("theirs", [{"torch": "1.0"}, {}], ids=["other", "none"])
def test_a_worker_with_another_version_is_refused(
    theirs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = versions()
    with pytest.raises(ImaginairyError) as error:
        require_same({"imaginairy": mine["imaginairy"], **theirs}, "node7")
    assert str(error.value) == (
        f"The worker on node7 has torch {theirs.get('torch', 'none')}, and this "
        f"machine {mine['torch']}; install the same on both, as pictures may differ "
        "otherwise."
    )
    monkeypatch.setattr(ray_cluster, "THE_SAME", ("imaginairy", "no-such-package"))
    assert versions()["no-such-package"] == "none"


def test_what_ray_changes_of_a_process_is_set_back() -> None:
    before = dict(os.environ), sys.excepthook, signal.getsignal(signal.SIGTERM)
    with unchanged():
        os.environ["RAY_OF_THIS_TEST"] = "1"
        os.environ["HOME"] = "/elsewhere"
        sys.excepthook = print
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    after = dict(os.environ), sys.excepthook, signal.getsignal(signal.SIGTERM)
    assert after == before


def test_sigterm_ends_a_process_in_order() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with unchanged():
        end_at_sigterm()
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before


def test_ray_says_nothing_but_errors(capfd: pytest.CaptureFixture[str]) -> None:
    ray_package()
    prints = sys.modules[PRINTS]
    told = {"lines": ["a worker died"], "pid": "raylet", "is_err": False}
    log = logging.getLogger("ray")
    level = log.level
    with silenced():
        assert log.level == logging.ERROR
        prints.print_worker_logs(told, sys.stdout)
    assert log.level == level
    assert capfd.readouterr().out == ""
    prints.print_worker_logs(told, sys.stdout)
    assert "a worker died" in capfd.readouterr().out
