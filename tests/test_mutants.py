"""The check of the tests itself: which faults it puts in, and what it makes of them."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mutants import choice, marking, report
from mutants.__main__ import main
from mutants.covering import Covering
from mutants.faults import Fault, faults_of

ROOT = Path(__file__).parent.parent
CODE = '''"""A file."""
from typing import TYPE_CHECKING

LIMIT = 3


def small(value: int, least: int = 0, *, loud: bool = False) -> bool:
    """Say whether."""
    if loud:
        print("small", end=".")
    return least <= value and value < LIMIT


def halves(text):
    return [text[:2], text[-1]], max(len(text), 1)
'''
FAULTS = {
    "LIMIT = 4",
    "LIMIT = (2)",
    "def small(value: int, least: int = 1, *, loud: bool = False) -> bool:",
    "def small(value: int, least: int = 0, *, loud: bool = True) -> bool:",
    "if True:",
    "if False:",
    "pass",
    'print("small")',
    "print('smallx', end=\".\")",
    "return (least < value) and value < LIMIT",
    "return least <= value and (value <= LIMIT)",
    "return (least <= value or value < LIMIT)",
    "return least <= value",
    "return value < LIMIT",
    "return [text[:], text[-1]], max(len(text), 1)",
    "return [text[:2], text[0]], max(len(text), 1)",
    "return [text[-1], text[:2]], max(len(text), 1)",
    "return [text[:2], text[-1]], min(len(text), 1)",
    "return [text[:2], text[-1]], max(1, len(text))",
    "return [text[:2], text[-1]], max(len(text), 2)",
    "return None",
}
NOTICED = {
    "LIMIT = 4",
    "LIMIT = (2)",
    "return least <= value and (value <= LIMIT)",
    "return (least <= value or value < LIMIT)",
    "return least <= value",
    "return value < LIMIT",
    "return None",
}
"""By the tests below, of the faults of the first function and what it reads."""
TESTS = """
import subprocess
import sys

import pytest

from imaginairy.it import small

def test_small():
    assert small(2) and not small(3)

@pytest.mark.parametrize("sign", ["a|b"])
def test_least(sign):
    assert not small(0, least=1)

def test_always():
    code = "from imaginairy.it import small; small(9, loud=True)"
    subprocess.run([sys.executable, "-c", code], check=True)
"""


def test_what_is_put_into_code(tmp_path: Path) -> None:
    file = tmp_path / "it.py"
    file.write_text(CODE)
    found = faults_of(file, tmp_path)
    changed = {fault.lines(CODE)[1] for fault in found}
    assert changed >= FAULTS
    assert len({fault.name for fault in found}) == len(found)
    for fault in found:
        ast.parse(fault.put_into(CODE))
        assert fault.put_into(CODE) != CODE
    assert not [fault for fault in found if '"""' in fault.old or fault.line <= 3]


def test_a_fault_keeps_its_name_where_other_code_changes(tmp_path: Path) -> None:
    file = tmp_path / "it.py"
    file.write_text(CODE)
    before = {fault.name for fault in faults_of(file, tmp_path)}
    file.write_text(CODE.replace("LIMIT = 3", "LIMIT = 3\nOTHER = 3"))
    after = {fault.name for fault in faults_of(file, tmp_path)}
    assert before < after and len(after - before) == 2


def test_lines_that_run_are_marked() -> None:
    """Of statements all lines, and of what they hold those of its own that run."""
    code = '''"""A file."""
from __future__ import annotations

double = lambda value: (
    2 * value
)


@(lambda function: function)
def kind(value):
    """Say which."""
    try:
        match 1 / value:
            case 1:
                return (
                    "one"
                )
            case _:
                kind = "other"
    except ZeroDivisionError:
        kind = (
            "none"
        )
    else:
        for _ in (): pass
        return kind
    return kind
'''
    by = marking.marks_of(ast.parse(code))

    def ran(statement: str) -> set[int]:
        exec(made, names)
        marks[:] = bytes(100)
        exec(statement, names)
        return {line for line, each in by.items() if any(marks[10 + m] for m in each)}

    marks = bytearray(100)
    names: dict[str, Any] = {"__marks__": marks}
    made = marking.marked(code.encode(), "it.py", 10)
    assert ran("assert double(4) == 8") == {4, 5, 6}
    assert ran("assert kind(1) == 'one'") == {12, 13, 14, 15, 16, 17, 18, 20}
    assert ran("assert kind(2) == 'other'") == {12, 13, 14, 18, 19, 20, 25, 26}
    assert ran("assert kind(0) == 'none'") == {12, 13, 14, 18, 20, 21, 22, 23, 27}


def test_every_kind_has_its_share_and_changed_files_come_first() -> None:
    paths = [ROOT / "imaginairy" / "samplers", ROOT / "imaginairy" / "images.py"]
    faults = choice.faults_in(paths, ROOT)
    chosen = choice.sample(faults, 40, seed=1)
    assert len({(fault.path, fault.line) for fault in chosen}) == 40
    kinds = [fault.kind for fault in chosen]
    assert all(kinds.count(kind) in (2, 3) for kind in {f.kind for f in faults})
    assert choice.sample(faults, 40, seed=1) == chosen
    assert choice.sample(faults, 40, seed=2) != chosen
    first = choice.sample(faults, 40, seed=1, first={"imaginairy/images.py"})
    assert {fault.path for fault in first} == {"imaginairy/images.py"}


def test_which_tests_a_fault_is_tried_with(tmp_path: Path) -> None:
    """Those that run its line; of a constant those that run a line which reads it."""
    file = tmp_path / "imaginairy" / "it.py"
    file.parent.mkdir()
    file.write_text(CODE)
    lines = {9: {"far::all", "test_it.py::b"}, 11: {"test_it.py::a", "far::all"}}
    seconds = {"far::all": 99.5, "test_it.py::a": 2.0, "test_it.py::b": 1.0}
    covering = Covering({"imaginairy/it.py": lines}, seconds)
    found = {f.lines(CODE)[1]: f for f in faults_of(file, tmp_path)}

    def tests(after: str) -> list[str]:
        return choice.tests_for(found[after], covering, tmp_path)

    assert tests("if False:") == ["test_it.py::b", "far::all"]
    assert tests("LIMIT = 4") == ["test_it.py::a", "far::all"]
    assert tests("return value < LIMIT") == ["test_it.py::a", "far::all"]
    assert choice.batches(["a", "b", "c"], Covering({}, {"a": 9, "b": 5, "c": 3})) == [
        ["a", "c"],
        ["b"],
    ]


Ran = subprocess.CompletedProcess[str]


def mutants(tree: Path, *arguments: str) -> Ran:
    measured = "MUTANTS_"  # this test itself may be
    around = {k: v for k, v in os.environ.items() if not k.startswith(measured)}
    return subprocess.run(
        [sys.executable, "-m", "mutants", "--root", tree, "--jobs", "1", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=around | {"PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "-p no:randomly"},
    )


def planted(tree: Path, code: str, tests: str) -> Path:
    """Lay down a tree with a file and its tests."""
    for folder in ("imaginairy", "tests"):
        (tree / folder).mkdir(parents=True)
    (tree / "imaginairy" / "__init__.py").write_text("")
    (tree / "imaginairy" / "it.py").write_text(code)
    (tree / "tests" / "test_it.py").write_text(tests)
    (tree / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return tree


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A tree with a file and tests that miss some of its faults, after a run."""
    tree = planted(tmp_path_factory.mktemp("whole") / "tree", CODE, TESTS)
    return tree, mutants(tree, "--at-least", "90", "--changed", "HEAD", "--large")


@pytest.fixture
def tree(tried: tuple[Path, Ran], tmp_path: Path) -> Path:
    """A copy of that tree."""
    return shutil.copytree(tried[0], tmp_path / "tree")


def test_what_tests_do_not_notice_is_named(tree: Path, tried: tuple[Path, Ran]) -> None:
    ran = tried[1]
    assert ran.returncode == 1, ran.stderr
    said = (tree / ".mutants" / "report.txt").read_text()
    assert said in ran.stdout
    assert (
        "All files alike: what has changed since HEAD cannot be told.\n" in ran.stdout
    )
    assert (tree / "imaginairy" / "it.py").read_text() == CODE
    kept = (tree / ".mutants" / "outcomes.jsonl").read_text().splitlines()
    outcomes = {row["name"]: row["outcome"] for row in map(json.loads, kept)}
    known = {f.name: f for f in faults_of(tree / "imaginairy" / "it.py", tree)}
    for name, outcome in outcomes.items():
        fault, after = known[name], known[name].lines(CODE)[1]
        assert (outcome == "no test") == (fault.scope == "halves"), after
        assert (outcome == "noticed") == (after in NOTICED), after
        missed = f"imaginairy/it.py:{fault.line} {fault.scope} ({fault.kind}): "
        assert (missed + outcome in said) == (outcome != "noticed")
    assert set(outcomes.values()) == {"noticed", "not noticed", "no test"}


def test_a_run_goes_on_where_it_was(tree: Path) -> None:
    file = tree / ".mutants" / "outcomes.jsonl"
    rows = file.read_text().splitlines(keepends=True)
    file.write_text("".join(rows[2:]))
    ran = mutants(tree, "--large")
    assert ran.returncode == 0, ran.stderr
    assert re.findall(r"^\d+/\d+ ", ran.stdout, re.M) == ["1/2 ", "2/2 "]
    told = [json.loads(row)["name"] for row in file.read_text().splitlines()]
    assert told == [json.loads(row)["name"] for row in (*rows[2:], *rows[:2])]


def test_a_try_that_does_not_end_is_left_when_the_time_is_over(tmp_path: Path) -> None:
    tests = (
        "from imaginairy.it import always\n"
        "def test_it():\n"
        "    while not always():\n"
        "        pass\n"
    )
    tree = planted(tmp_path / "tree", "def always():\n    return True\n", tests)
    ran = mutants(tree, "--minutes", "0.05", "--large")
    assert ran.returncode == 0, ran.stderr
    assert "The time is over; what is being tried is left." in ran.stdout
    assert not (tree / ".mutants" / "outcomes.jsonl").read_text()


def test_other_code_is_tried_anew(tree: Path) -> None:
    file = tree / "imaginairy" / "it.py"
    file.write_text(CODE.replace("loud:", "aloud:").replace("if loud", "if aloud"))
    ran = mutants(tree, "--number", "1", "--large")
    assert "1 failed" in ran.stdout, "the tests ran, and one asks for what is gone"
    assert re.findall(r"^\d+/\d+ ", ran.stdout, re.M) == ["1/1 "]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["nowhere.py"], "'nowhere.py' is no file or folder of "),
        (["/etc"], "'/etc' is no file or folder of "),
        (["--number", "0"], "--number and --jobs are at least 1."),
    ],
)
def test_bad_use_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["mutants", *typed])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_equivalent_faults_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(name: str) -> Fault:
        return Fault("imaginairy/it.py", "", "flag", 1, 1, 0, 1, name, "x", (), 1)

    one, other = fault("one"), fault("other")
    monkeypatch.setattr(report, "equivalents", lambda: {one.name: "as fast"})
    outcomes = {one.name: "not noticed", other.name: "hung"}
    assert report.figures([one, other, fault("untried")], outcomes) == (1, 1)
    assert report.report([one, other], outcomes, ROOT).startswith("all: 1 of 1 noticed")


def test_faults_called_equivalent_are_faults_of_the_code() -> None:
    known = report.equivalents()
    with report.EQUIVALENT.open(encoding="utf-8") as file:
        paths = {line.split("\t")[1] for line in file.readlines()[1:]}
    found = choice.faults_in([ROOT / path for path in paths], ROOT)
    assert known.keys() <= {fault.name for fault in found}
    assert all(known.values())
