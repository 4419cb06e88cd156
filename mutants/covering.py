"""Which tests run which lines: a plugin for pytest, `pytest -p mutants.covering`.

Does nothing without `MUTANTS_STATE`, the folder that what is found is kept in: data of
`coverage` with the running test as its context (processes that a test starts included),
`tests-*.jsonl` with each test's outcome and seconds, and at the end `covered`, which
says what code that was.
"""

import atexit
import hashlib
import json
import os
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest
from coverage.numbits import numbits_to_nums

CODE = ("imaginairy", "storybook", "tests")
"""Folders of what a covering is of."""
SETTINGS = """[run]
data_file = {state}/lines
parallel = true
source_dirs = {folder}/imaginairy
patch = subprocess
core = ctrace
context = ${{MUTANTS_TEST-}}
disable_warnings = no-data-collected,couldnt-parse,include-ignored
"""


@dataclass(frozen=True, eq=False)
class Covering:
    """What a run of the tests has shown.

    `lines` maps a path and a line to the tests that ran it, `seconds` a test that
    passed to how long it took.
    """

    lines: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]

    def without(self, tests: set[str]) -> "Covering":
        """Return the same without some tests."""
        lines = {
            path: {line: found - tests for line, found in of.items()}
            for path, of in self.lines.items()
        }
        kept = {test: s for test, s in self.seconds.items() if test not in tests}
        return Covering(lines, kept)

    def of(self, path: str, first: int, last: int) -> set[str]:
        """Return the tests that ran a line of a file between two lines."""
        found = self.lines.get(path, {})
        return {t for line in range(first, last + 1) for t in found.get(line, ())}

    def mentioning(self, names: Iterable[str], root: Path) -> set[str]:
        """Return the tests that ran a line, anywhere, that holds one of the names.

        And those of files that hold one themselves.
        """
        pattern = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")
        files = {test.partition("::")[0] for test in self.seconds}
        holding = {
            file
            for file in files
            if (root / file).exists()
            and pattern.search((root / file).read_text("utf-8"))
        }
        found = {test for test in self.seconds if test.partition("::")[0] in holding}
        for path, lines in self.lines.items():
            text = (root / path).read_text(encoding="utf-8").splitlines()
            for line, tests in lines.items():
                if line <= len(text) and pattern.search(text[line - 1]):
                    found |= tests
        return found


def digest_of(root: Path) -> str:
    """Return what changes with the code of a tree and with its tests."""
    files = [f for top in CODE for f in (root / top).rglob("*.py")]
    whole = hashlib.sha256()
    for file in sorted(files):
        whole.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return whole.hexdigest()


def settings_in(state: Path) -> Path:
    """Write the settings that `coverage` is started with here; return their file."""
    state.mkdir(parents=True, exist_ok=True)
    file = state / "coverage.ini"
    file.write_text(SETTINGS.format(state=state, folder=Path.cwd()), encoding="utf-8")
    return file


def covering_in(state: Path, root: Path) -> Covering:
    """Read what runs with this plugin have left in a folder."""
    lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file in state.glob("lines.*"):
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as data:
            for path, test, numbits in data.execute(
                "select file.path, context.context, numbits from line_bits"
                " join file on file.id = file_id"
                " join context on context.id = context_id where context.context != ''"
            ):
                told = path[path.rindex("/imaginairy/") + 1 :]
                for line in numbits_to_nums(numbits):
                    lines[told][line].add(test)
    seconds: dict[str, float] = {}
    failed = set()
    for file in state.glob("tests-*.jsonl"):
        for told in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            seconds[told["test"]] = seconds.get(told["test"], 0) + told["seconds"]
            if told["outcome"] != "passed":
                failed.add(told["test"])
    passed = {test: s for test, s in seconds.items() if test not in failed}
    kept = {
        path: {line: tests & passed.keys() for line, tests in of.items()}
        for path, of in lines.items()
        if (root / path).exists()
    }
    return Covering(kept, passed)


def _start() -> coverage.Coverage | None:
    if "MUTANTS_STATE" not in os.environ:
        return None
    settings = settings_in(Path(os.environ["MUTANTS_STATE"]))
    measured = coverage.Coverage(config_file=settings)
    measured.start()
    # Read anew by each process: the context is the test that started it.
    os.environ["COVERAGE_PROCESS_START"] = str(settings)
    del os.environ["COVERAGE_PROCESS_CONFIG"]
    atexit.register(lambda: (measured.stop(), measured.save()))
    return measured


_MEASURED = _start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Name the test that runs from here on, here and in processes that it starts."""
    if _MEASURED:
        os.environ["MUTANTS_TEST"] = item.nodeid
        _MEASURED.switch_context(item.nodeid)
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write down how a test, its setup or its teardown went."""
    state = os.environ.get("MUTANTS_STATE")
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    controls = worker is None and hasattr(report, "node")  # it was a worker's
    if state and not controls:
        told = {
            "test": report.nodeid,
            "outcome": report.outcome,
            "seconds": round(report.duration, 4),
        }
        with (Path(state) / f"tests-{os.getpid()}.jsonl").open("a") as file:
            file.write(json.dumps(told) + "\n")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Say that all that was to be run has been, and of what code."""
    state = os.environ.get("MUTANTS_STATE")
    worker = hasattr(session.config, "workerinput")
    if state and not worker and not session.shouldstop:
        (Path(state) / "covered").write_text(digest_of(Path.cwd()), encoding="utf-8")
