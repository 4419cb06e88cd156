"""Which tests run which lines: a plugin for pytest, `pytest -p mutants.covering`.

Does nothing without `MUTANTS_STATE`, the folder that what is found is kept in:
`lines-*.jsonl` with the lines that a test ran (processes that it starts included),
`tests-*.jsonl` with each test's outcome and seconds, and at the end `covered`, which
says what code that was.
"""

import ast
import hashlib
import json
import mmap
import os
import re
import sysconfig
import zlib
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mutants import marking

CODE = ("imaginairy", "storybook", "tests")
"""Folders of what a covering is of."""


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


def covering_in(state: Path, root: Path) -> Covering:
    """Read what runs with this plugin have left in a folder."""
    seconds: dict[str, float] = {}
    failed = set()
    for file in state.glob("tests-*.jsonl"):
        for told in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            seconds[told["test"]] = seconds.get(told["test"], 0) + told["seconds"]
            if told["outcome"] != "passed":
                failed.add(told["test"])
    passed = {test: s for test, s in seconds.items() if test not in failed}
    return Covering(_lines_in(state, root, passed), passed)


def _lines_in(
    state: Path, root: Path, passed: Container[str]
) -> dict[str, dict[int, set[str]]]:
    """Read which tests ran a line, of those that passed."""
    marks: dict[int, set[str]] = defaultdict(set)
    for file in state.glob("lines-*.jsonl"):
        for told in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            if (test := told["test"]) in passed:
                for mark in re.finditer(
                    b"\1", zlib.decompress(b64decode(told["marks"]))
                ):
                    marks[mark.start()].add(test)
    lines: dict[str, dict[int, set[str]]] = {}
    for path, place in marking.laid_out(state)[1].items():
        if (root / path).exists():
            said = marking.marks_of(ast.parse((root / path).read_bytes()))
            of = {
                line: set().union(*(marks.get(place + mark, ()) for mark in by))
                for line, by in said.items()
            }
            lines[path] = {line: tests for line, tests in of.items() if tests}
    return lines


def _start() -> mmap.mmap | None:
    """Mark what runs here and in all processes that are started from here on."""
    if "MUTANTS_STATE" not in os.environ:
        return None
    state = Path(os.environ["MUTANTS_STATE"]).resolve()
    state.mkdir(parents=True, exist_ok=True)
    marks = state / f"marks-{os.getpid()}"
    marks.write_bytes(bytes(marking.lay_out(Path.cwd(), state)))
    packages = sysconfig.get_path("purelib")
    try:
        marking.hook_into(Path(packages))
    except OSError as error:
        print(f"Lines that processes of tests run are not known: {error}.")
    os.environ["MUTANTS_MARKS"] = str(marks)
    os.environ["MUTANTS_MARKING"] = marking.__file__
    return marking.begin(marks)


_MARKS = _start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Write down what was marked while a test ran, here and in what it started."""
    if not _MARKS:
        return (yield)
    _MARKS[:] = bytes(len(_MARKS))
    try:
        return (yield)
    finally:
        marks = b64encode(zlib.compress(_MARKS[:], 1)).decode()
        told = {"test": item.nodeid, "marks": marks}
        with (
            Path(os.environ["MUTANTS_MARKS"])
            .with_name(f"lines-{os.getpid()}.jsonl")
            .open("a") as file
        ):
            file.write(json.dumps(told) + "\n")


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
