"""Publishing that is killed wherever it changes something: nothing half or twice."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from imaginairy.fleet.kinds import KINDS
from imaginairy.fleet.sinks import open_sink
from imaginairy.fleet.sinks.opening import HEAD
from imaginairy.fleet.sinks.shards import ShardSink
from imaginairy.fleet.sinks.sink import Sink
from tests.support.patience import HANG_GUARD_S
from tests.support.rows import published, row

ROOT = Path(__file__).parents[2]
ROWS = [row(f"id-{number}", seed=number) for number in range(5)]


class Killed(BaseException):
    """What a process that is killed does no more is done no more."""


class Dying(MemoryFileSystem):
    """A file system whose user dies before, or right after, one of its changes."""

    cachable = False
    left = 1 << 30

    def _counted(self, change: Any, *given: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed
        change(*given)
        self.left -= 1
        if self.left == 0:
            raise Killed

    def pipe_file(self, path: str, value: bytes, **more: Any) -> None:
        self._counted(super().pipe_file, path, value)

    def rm_file(self, path: str) -> None:
        self._counted(super().rm_file, path)


def run(sink: Sink, at: int | None = None) -> bool:
    """Publish the rows that are not there, two at a time; tell whether it died."""
    sink.files.fs = Dying()  # type: ignore[attr-defined]
    sink.files.fs.left = 1 << 30 if at is None else at  # type: ignore[attr-defined]
    try:
        left = list(sink.done().left(ROWS))
        for start in range(0, len(left), 2):
            sink.publish([published(each) for each in left[start : start + 2]])
        sink.finish()
    except Killed:
        return True
    return False


def ids_in(sink: Sink) -> Iterator[str]:
    """Yield the ids of all that lies there under a final name."""
    for name in sink.files.names():
        if name.endswith((".jpg", ".parquet", ".tar")) and not name.startswith("."):
            data = sink.files.read(name)
            if isinstance(sink, ShardSink):
                yield from (each.id for each in sink.unpacked(data or b""))
            else:
                assert data == b"a picture"
                yield name.removesuffix(".jpg")


def all_once(sink: Sink, count: int) -> bool:
    found = Counter(ids_in(sink))
    return len(found) == count == found.total() == len(sink.done())


@pytest.mark.parametrize("kind", KINDS)
def test_wherever_it_dies_the_next_run_completes_it(in_memory: str, kind: str) -> None:
    moments = 0
    for at in range(1, 100):
        place = f"{in_memory}/{at}"
        died = run(open_sink(place, kind), at)
        assert max(Counter(ids_in(open_sink(place))).values(), default=1) == 1
        assert not run(open_sink(place))
        assert all_once(open_sink(place), len(ROWS)), f"killed at {at}"
        moments += died
        if not died:
            break
    assert moments > 10


@pytest.mark.parametrize("kind", ["parquet", "webdataset"])
def test_taking_out_what_is_there_twice_may_die_anywhere(
    in_memory: str, kind: str
) -> None:
    for at in range(1, 100):
        place = f"{in_memory}/{at}"
        for together in (ROWS[:3], ROWS[2:], ROWS[1:2]):
            sink = open_sink(place, kind)
            sink.publish([published(each) for each in together])
        died = run(open_sink(place), at)
        assert {*ids_in(open_sink(place))} == {each.id for each in ROWS}
        assert not run(open_sink(place))
        assert all_once(open_sink(place), len(ROWS)), f"killed at {at}"
        if not died:
            break
    assert at > 10


def test_a_process_that_is_killed_leaves_nothing_half(tmp_path: Path) -> None:
    """In a folder, where files are moved to their names and lines are appended."""
    for at in (7, 40, None):
        moment = [] if at is None else [str(at)]
        command = [sys.executable, "-m", "tests.support.publishes", tmp_path, "9"]
        ran = subprocess.run([*command, *moment], timeout=HANG_GUARD_S, cwd=ROOT)
        assert ran.returncode == (0 if at is None else -signal.SIGKILL)
        for kind in KINDS:
            if (tmp_path / kind / HEAD).exists():
                found = Counter(ids_in(open_sink(tmp_path / kind)))
                assert max(found.values(), default=1) == 1
    for kind in KINDS:
        assert all_once(open_sink(tmp_path / kind), 9)
    assert not list(tmp_path.rglob(".*"))
