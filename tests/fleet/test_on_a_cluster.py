"""A run on a cluster: one local one for all of these, as it takes seconds to start.

What is decided there is tested without any in `test_dispatch.py`.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.fleet.drawer import Drawer
from imaginairy.fleet.events import Event, Progress
from imaginairy.fleet.publisher import Publisher
from imaginairy.fleet.ray_cluster import connected
from imaginairy.fleet.ray_run import Asked, RayRun
from imaginairy.fleet.rows import PromptRow, read_rows
from imaginairy.fleet.sinks import Sink, open_sink
from imaginairy.metadata.read import read_metadata
from imaginairy.pictures import read_picture
from tests.support.cluster import small_cluster
from tests.support.rows import small_row

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]  # what Ray does in this process is not ours to judge


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with small_cluster() as address:
        yield address


@pytest.fixture
def row(tiny_folder: Path) -> Callable[..., PromptRow]:
    """Make a row of a number."""
    return lambda number, **fields: small_row(
        f"fox-{number}", tiny_folder, number, **fields
    )


class Told(list[Event]):
    """What was told of a run, and what is done at that."""

    def __init__(self, on_drawn: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.on_drawn = on_drawn

    def __call__(self, event: Event) -> None:
        self.append(event)
        if event["event"] == "drawn":
            self.on_drawn()

    def of(self, kind: str) -> list[Event]:
        return [event for event in self if event["event"] == kind]


@contextmanager
def run_of(sink: Sink, told: Told, address: str, workers: int = 1) -> Iterator[RayRun]:
    with connected(address) as there:
        publisher = Publisher(Drawer("cpu", batch_size=1), sink)
        progress = Progress(0, told, workers=0)
        yield RayRun(there, publisher, progress, Asked(workers=workers, threads=1))


def pictures(folder: Path) -> dict[str, Any]:
    return {path.stem: read_picture(path) for path in folder.glob("*.png")}


def written(rows: list[PromptRow], file: Path) -> Path:
    """Write rows into a file of prompts."""
    lines = [json.dumps({**row.prompt.to_dict(), "id": row.id}) for row in rows]
    file.write_text("\n".join(lines))
    return file


def asked(file: Path, address: str, out: Path) -> list[str]:
    words = ["--prompts-file", str(file), "--ray", address, "--output", str(out)]
    words += ["--output-file-extension", "png", "--workers", "2", "--batch-size", "1"]
    return [*words, "--json"]


def test_a_run(cluster: str, row: Callable[..., PromptRow], tmp_path: Path) -> None:
    """Workers draw what one process draws, and what fails thrice is noted."""
    rows = [row(number) for number in range(1, 7)]
    bad = row(7, vae=str(tmp_path))
    file, out = written([bad, *rows], tmp_path / "p.jsonl"), tmp_path / "out"
    ran = CliRunner().invoke(imagine_cmd, asked(file, cluster, out))
    assert ran.exit_code == 1
    assert "1 of 7 images could not be generated" in ran.stderr
    alone = Drawer("cpu", batch_size=1).drawn([each.prompt for each in rows])
    drawn = pictures(out)
    assert drawn.keys() == {each.id for each in rows}
    for each, result in zip(rows, alone, strict=True):
        assert drawn[each.id].tobytes() == result.img.tobytes()
    sink = open_sink(out)
    (failed,) = sink.failures()
    assert (failed["id"], failed["tries"]) == ("fox-7", 3)
    assert failed["failed"] == f"'{tmp_path}' holds no weights."
    assert all(each.id in sink.done() for each in rows)
    assert len(list((out / "_manifest").glob("*.jsonl"))) == 1, "they have let go"
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert events[0]["workers"] == 0 and events[-2]["workers"] in (1, 2)
    assert events[-1]["drawn"] == 6


def test_a_worker_that_is_killed(
    cluster: str, row: Callable[..., PromptRow], tmp_path: Path
) -> None:
    """Another takes its place, and what it was at is drawn again."""
    rows = [row(number) for number in range(1, 13)]
    sink = open_sink(tmp_path / "out", extension="png")
    killed: list[int] = []

    def kill_one() -> None:
        if not killed:
            killed.append(run.hands[0].process)
            os.kill(killed[0], signal.SIGKILL)

    told = Told(kill_one)
    with run_of(sink, told, cluster) as run:
        run.draw(rows)
    assert killed
    assert pictures(tmp_path / "out").keys() == {each.id for each in rows}
    assert sorted(event["id"] for event in told.of("drawn")) == sorted(
        each.id for each in rows
    )
    assert told.of("failed") == []


DRIVER = """
import os, signal, sys
from tests.fleet.test_on_a_cluster import Told, open_sink, read_rows, run_of

told = Told(lambda: os.kill(os.getpid(), signal.SIGKILL))
address, file, out = sys.argv[1:]
with run_of(open_sink(out, extension="png"), told, address) as run:
    run.draw(read_rows(file))
"""


def test_a_driver_that_is_killed(
    cluster: str, row: Callable[..., PromptRow], tmp_path: Path
) -> None:
    """Started again, it draws what is not there, and each picture is there once."""
    rows = [row(number) for number in range(1, 13)]
    file, out = written(rows, tmp_path / "p.jsonl"), tmp_path / "out"
    driver = subprocess.run(
        [sys.executable, "-c", DRIVER, cluster, str(file), str(out)]
    )
    assert driver.returncode == -signal.SIGKILL
    sink, told = open_sink(out), Told()
    left = list(sink.done().left(read_rows(file)))
    assert 0 < len(left) < len(rows)
    with run_of(sink, told, cluster) as run:
        run.draw(left)
    assert pictures(out).keys() == {each.id for each in rows}
    assert len(told.of("drawn")) == len(left)
    sink.finish()
    assert all(each.id in open_sink(out).done() for each in rows)


def example(language: str) -> str:
    """Return the example of the page about clusters in a language."""
    page = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", page, re.M | re.S)
    return found


def test_the_example_of_the_page(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its two lines are typed as they stand there; the cluster is the one of tests."""
    monkeypatch.chdir(tmp_path)
    first, second = example("sh").splitlines()
    subprocess.run(["bash", "-euc", first], check=True)
    command, *words = shlex.split(second)
    assert command == "imagine" and "--ray" in words
    ran = CliRunner().invoke(imagine_cmd, words)
    assert ran.exit_code == 0, ran.output
    for name in ("circle", "bowl"):
        says = read_metadata(tmp_path / "pictures" / f"{name}.jpg")
        assert (says["model"], name in says["prompt_text"]) == ("storybook", True)


def test_the_pipeline_of_the_page(cluster: str) -> None:
    session: dict[str, Any] = {}
    exec(compile(example("py"), "docs/cluster.md", "exec"), session)
    rows = session["made"]
    assert sorted(row["label"] for row in rows) == [0, 1]
    for row in rows:
        image = read_picture(row["image"], row["prompt"])
        says = json.loads(row["metadata"])
        assert (row["error"], says["prompt_text"]) == (None, row["prompt"])
        assert image.size == (says["width"], says["height"])
