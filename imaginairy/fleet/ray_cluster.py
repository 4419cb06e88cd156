"""A Ray cluster: how it is reached, what it consists of, and what it is told.

Ray is imported here and nowhere before it is asked for. Nothing is sent to whoever
makes Ray, and what it has to say stays in its own log files.
"""

import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, NamedTuple

from imaginairy.errors import BadOptionError, ImaginairyError, in_words
from imaginairy.version import __version__

LOCAL = "local"
"""The address that stands for a cluster of this machine alone, started for a run."""
AUTO = "auto"
"""The address of the cluster that this machine is a node of."""
USUAL_PORT = 6379
NO_STATISTICS = {"RAY_USAGE_STATS_ENABLED": "0"}
OBJECT_STORE_BYTES = 128 << 20
"""Of a cluster of ours; pictures do not travel through it."""
PRINTS, SHOWS = "ray._private.worker", "_worker_logs_enabled"
"""What Ray prints by, and the switch that its own debugger turns that off with."""
TERMINATED = 128 + signal.SIGTERM
"""The exit code that shells know for it."""
CONNECT_S = 10.0
MOST_THREADS = 4
"""CPUs of a worker without a GPU, where that is not said."""
HOST = r"[\w.-]+|\[[0-9a-fA-F:.]+\]"
THE_SAME = ("imaginairy", "torch")
"""Packages that draw the same picture only where they are the same everywhere."""


class Cluster(NamedTuple):
    """A cluster that is connected to."""

    ray: Any
    dashboard: str | None
    """The address of the page that shows what it does."""


class Place(NamedTuple):
    """Room for workers, each of which takes as much."""

    workers: int
    gpus: int
    """GPUs of each."""
    cpus: int
    """CPUs of each, and threads where it has no GPU."""


def ray_package() -> Any:
    """Import Ray.

    Raises:
        BadOptionError: it is not installed.
    """
    require_package()
    with unchanged():
        import ray
    return ray


def require_package() -> None:
    """Refuse a cluster where Ray is not installed, before anything else is done.

    Raises:
        BadOptionError: it is not.
    """
    if find_spec("ray") is None:
        raise BadOptionError(
            "A cluster needs Ray, which is not installed; install it with: "
            "pip install 'imaginairy[ray]'"
        )


@contextmanager
def connected(address: str, workers: int | None = None) -> Iterator[Cluster]:
    """Connect to a cluster for as long as it is needed; one that is there is used.

    What Ray sets in this process is set back afterwards.

    Args:
        address: `local` starts one of this machine; `auto` finds the one that this
            machine is in; else `HOST:PORT` of the head of that one.
        workers: how many a cluster of ours has room for, if that is more than cores.

    Raises:
        BadOptionError: Ray is not installed, or the address is none.
        ImaginairyError: there is no cluster, or it does not let us in.
    """
    ray = ray_package()
    if ray.is_initialized():
        yield Cluster(ray, None)
        return
    asked = settled(address)
    require_answer(asked)
    with unchanged(), silenced():
        os.environ |= NO_STATISTICS
        try:
            context = ray.init(**how(asked, workers))
        except Exception as error:
            if asked == AUTO:
                raise ImaginairyError(
                    "This machine is part of no Ray cluster; start one with 'ray start "
                    f"--head', or give '{LOCAL}'."
                ) from error
            raise ImaginairyError(
                f"There is no Ray cluster at '{address}' that lets this machine in: "
                f"{in_words(error).strip().partition(chr(10))[0].rstrip('.')}."
            ) from error
        end_at_sigterm()
        try:
            page = getattr(context, "dashboard_url", None)
            yield Cluster(ray, f"http://{page}" if page else None)
        finally:
            ray.shutdown()


def how(address: str, workers: int | None) -> dict[str, Any]:
    """Return how Ray is told to connect, or to start what it connects to."""
    said = {"address": address, "log_to_driver": False, "configure_logging": False}
    if address == LOCAL:
        cpus = max(workers or 0, usable_cpus())
        said |= {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES}
    return said


def usable_cpus() -> int:
    """Return how many CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def settled(address: str) -> str:
    """Return an address as Ray takes it, with the usual port where it gives none.

    Raises:
        BadOptionError: it is none.
    """
    if address in (LOCAL, AUTO):
        return address
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = port, str(USUAL_PORT)
    is_port = port.isdecimal() and 0 < int(port) < 1 << 16
    if not is_port or not re.fullmatch(HOST, host):
        raise BadOptionError(
            f"'{address}' is no address of a Ray cluster; give '{LOCAL}', or on one of "
            f"its machines '{AUTO}' or the HOST:PORT of its head, such as "
            "10.0.0.1:6379."
        )
    return f"{host}:{port}"


def require_answer(address: str) -> None:
    """Refuse an address at which nobody answers; Ray would try for minutes.

    Raises:
        ImaginairyError: nobody does.
    """
    if address in (LOCAL, AUTO):
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or in_words(error)
        raise ImaginairyError(
            f"Nothing answers at '{address}' ({reason}); start a cluster there with "
            "'ray start --head', or give another address."
        ) from error


@contextmanager
def unchanged() -> Iterator[None]:
    """Set back what Ray changes of a process: its variables, hooks and handlers."""
    before, hook = dict(os.environ), sys.excepthook
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM) if is_main else None
    try:
        yield
    finally:
        sys.excepthook = hook
        if is_main and handler is not None:
            signal.signal(signal.SIGTERM, handler)
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ |= before


def end_at_sigterm() -> None:
    """Let SIGTERM end this process in order, as Ctrl-C does, and without Ray's report.

    `unchanged` sets it back.
    """

    def end(*_: object) -> None:
        raise SystemExit(TERMINATED)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)


@contextmanager
def silenced() -> Iterator[None]:
    """Let Ray log nothing but errors, and print nothing.

    It prints of each worker that died on standard output, where our events are.
    """
    log, prints = logging.getLogger("ray"), sys.modules.get(PRINTS)
    level, shows = log.level, getattr(prints, SHOWS, None)
    log.setLevel(logging.ERROR)
    if shows is not None:
        setattr(prints, SHOWS, False)
    try:
        yield
    finally:
        log.setLevel(level)
        if shows is not None:
            setattr(prints, SHOWS, shows)


def places(
    nodes: Sequence[Mapping[str, Any]],
    *,
    is_cpu: bool,
    workers: int | None = None,
    threads: int | None = None,
) -> Place:
    """Return how many workers the nodes of a cluster have room for.

    One for each GPU; where there is none, or none is wanted, one for each few CPUs.

    Args:
        nodes: as `ray.nodes()` tells of them.
        is_cpu: whether GPUs are left alone.
        workers: how many are asked for.
        threads: CPUs of each.

    Raises:
        BadOptionError: no node has so many CPUs.
    """
    alive = [node.get("Resources", {}) for node in nodes if node.get("Alive")]
    gpus = 0 if is_cpu else sum(int(node.get("GPU", 0)) for node in alive)
    if gpus:
        return Place(workers or gpus, 1, threads or 1)
    cpus = [int(node.get("CPU", 0)) for node in alive]
    most = max(cpus, default=0)
    if threads is None:
        threads = max(1, min(MOST_THREADS, most))
        if workers:
            threads = max(1, min(threads, sum(cpus) // workers))
    elif cpus and threads > most:
        raise BadOptionError(
            f"No node of the cluster has {threads} CPUs for a worker; give {most} "
            "threads at most."
        )
    room = sum(count // threads for count in cpus)
    return Place(workers or room, 0, threads)


def versions() -> dict[str, str]:
    """Return what is installed here of what has to be the same everywhere."""
    found = {"imaginairy": __version__}
    for name in THE_SAME[1:]:
        try:
            found[name] = version(name).partition("+")[0]  # of whichever build
        except PackageNotFoundError:
            found[name] = "none"
    return found


def require_same(theirs: Mapping[str, str], where: str) -> None:
    """Refuse a worker that may draw other pictures than this machine.

    Args:
        theirs: the worker's `versions`.
        where: its machine.

    Raises:
        ImaginairyError: one of the packages is of another version there.
    """
    mine = versions()
    for name in THE_SAME:
        if theirs.get(name) != mine[name]:
            raise ImaginairyError(
                f"The worker on {where} has {name} {theirs.get(name, 'none')}, and "
                f"this machine {mine[name]}; install the same on both, as pictures "
                "may differ otherwise."
            )
