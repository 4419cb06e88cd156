"""Put faults into the code and see whether the tests notice: `python -m mutants`.

First the tests run once, to learn which of them runs which line. Then a sample of
faults is tried, each with the tests that run its line. What has been tried is kept in
a folder: a run that was stopped goes on where it was.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mutants import choice, report, trial
from mutants.covering import Covering, covering_in, digest_of
from mutants.faults import Fault

HERE = Path(__file__).parent.parent.resolve()


def main() -> int:
    """Do what the command line says; return the exit code."""
    asked = _arguments()
    root: Path = asked.root.resolve()
    state: Path = (asked.state or root / ".mutants").resolve()
    state.mkdir(parents=True, exist_ok=True)
    if asked.cover or not is_covered(root, state):
        cover(root, state, asked.jobs, asked.tests)
    paths = [path.resolve() for path in asked.paths or [root / "imaginairy"]]
    faults = choice.faults_in(paths, root)
    changed = _changed(root, asked.changed) if asked.changed else set()
    chosen = choice.sample(faults, asked.number, asked.seed, first=changed)
    outcomes = try_all(chosen, root, state, asked)
    said = report.report(chosen, outcomes, root)
    (state / "report.txt").write_text(said + "\n", encoding="utf-8")
    print(said)
    noticed, judged = report.figures(chosen, outcomes)
    return 0 if 100 * noticed >= asked.at_least * judged else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m mutants", description=__doc__)
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        help="Files and folders to put faults into; all of imaginairy by default.",
    )
    parser.add_argument("--number", type=int, default=300, help="How many to try.")
    parser.add_argument("--seed", type=int, default=1, help="Which are chosen.")
    parser.add_argument("--jobs", type=int, default=2, help="How many at a time.")
    parser.add_argument(
        "--minutes", type=float, default=60, help="End after this time."
    )
    parser.add_argument(
        "--tests", nargs="*", default=[], help="Try with these; all by default."
    )
    parser.add_argument(
        "--changed", help="Begin with files that differ from this commit."
    )
    parser.add_argument("--cover", action="store_true", help="Run the tests anew.")
    parser.add_argument(
        "--at-least", type=float, default=0, help="Fail below this many in a hundred."
    )
    parser.add_argument("--root", type=Path, default=HERE, help="Tree that is tested.")
    parser.add_argument(
        "--state", type=Path, help="Where things are kept; .mutants in the tree."
    )
    parser.add_argument(
        "--large",
        nargs="*",
        default=trial.LARGE,
        help="Libraries to import once for all tries.",
    )
    asked = parser.parse_args()
    for path in asked.paths:
        ours = path.resolve().is_relative_to(asked.root.resolve())
        if not path.exists() or not ours:
            parser.error(f"'{path}' is no file or folder of {asked.root}; give one.")
    if asked.number < 1 or asked.jobs < 1:
        parser.error("--number and --jobs are at least 1.")
    return asked


def cover(root: Path, state: Path, jobs: int, tests: list[str]) -> None:
    """Run the tests once and keep which lines each of them runs."""
    for kind in (
        "lines-*.jsonl",
        "marks-*",
        "tests-*.jsonl",
        "covered",
        "outcomes.jsonl",
    ):
        for file in state.glob(kind):
            file.unlink()
    command = [sys.executable, "-m", "pytest", "-p", "mutants.covering", *tests]
    if jobs > 1:
        command += ["--numprocesses", str(jobs), "--dist", "worksteal"]
    around = {"MUTANTS_STATE": str(state), "OMP_NUM_THREADS": "1"}
    around["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(root), str(HERE)]))
    subprocess.run(command, cwd=root, env=os.environ | around)


def is_covered(root: Path, state: Path) -> bool:
    """Whether these tests have been run on this code."""
    covered = state / "covered"
    return covered.exists() and covered.read_text("utf-8") == digest_of(root)


def try_all(
    chosen: list[Fault], root: Path, state: Path, asked: argparse.Namespace
) -> dict[str, str]:
    """Try every fault that was not tried yet; return all outcomes by name.

    A test that fails on the tree as it is, run like this, notices nothing: what it
    seemed to notice is tried again without it.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    trial.import_beforehand(asked.large)
    covering = covering_in(state, root)
    kept = state / "outcomes.jsonl"
    copies = state / "copies"
    end = time.monotonic() + 60 * asked.minutes
    void: set[str] = set()
    while True:
        done = _read(kept)
        left = [fault for fault in chosen if fault.name not in done]
        _Job.covering, _Job.root = covering.without(void), root
        _try(left, kept, copies, asked.jobs, end)
        done = _read(kept)
        failed = {test for row in done.values() for test in row["failed"]}
        void = _fail_anyway(failed, covering, trial.Copy(root, copies / "clean"))
        shutil.rmtree(copies, ignore_errors=True)
        again = [name for name, row in done.items() if void & set(row["failed"])]
        if not again:
            return {name: row["outcome"] for name, row in done.items()}
        print(f"{len(again)} again: these fail without a fault: {sorted(void)}")
        rows = [row for name, row in done.items() if name not in again]
        kept.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _read(kept: Path) -> dict[str, dict[str, Any]]:
    text = kept.read_text(encoding="utf-8") if kept.exists() else ""
    return {row["name"]: row for row in map(json.loads, text.splitlines())}


def _try(left: list[Fault], kept: Path, copies: Path, jobs: int, end: float) -> None:
    if time.monotonic() > end:
        return
    context = multiprocessing.get_context("fork")
    with (
        context.Pool(jobs, _Job.begin, (copies,)) as pool,
        kept.open("a", encoding="utf-8") as file,
    ):
        tries = pool.imap_unordered(_Job.run, left)
        for number in range(1, len(left) + 1):
            try:
                row = tries.next(timeout=max(0.0, end - time.monotonic()))
            except multiprocessing.TimeoutError:
                print("The time is over; what is being tried is left.", flush=True)
                break
            file.write(json.dumps(row) + "\n")
            file.flush()
            told = (
                f"{row['outcome']}, {row['seconds']} s, {' '.join(row['failed'][:1])}"
            )
            print(f"{number}/{len(left)} {told}", flush=True)


def _fail_anyway(tests: set[str], covering: Covering, copy: trial.Copy) -> set[str]:
    """Return which of these tests fail without a fault."""
    if not tests:
        return set()
    copy.make()
    usual = sum(covering.seconds.get(test, 1) for test in tests)
    _, failed = trial.run_tests(copy.folder, sorted(tests), usual, all_of_them=True)
    return set(failed)


class _Job:
    """One of the processes that try faults, with a copy of the tree of its own."""

    root: Path
    covering: Covering
    copy: trial.Copy

    @classmethod
    def begin(cls, copies: Path) -> None:
        cls.copy = trial.Copy(cls.root, copies / str(os.getpid()))
        cls.copy.make()

    @classmethod
    def run(cls, fault: Fault) -> dict[str, Any]:
        begun = time.monotonic()
        tests = choice.tests_for(fault, cls.covering, cls.root)
        outcome: trial.Outcome = "no test"
        failed: list[str] = []
        cls.copy.put(fault, 1_000_000_000 + int(fault.name[:7], 16))
        for batch in choice.batches(tests, cls.covering):
            usual = sum(cls.covering.seconds[test] for test in batch)
            outcome, failed = trial.run_tests(cls.copy.folder, batch, usual)
            if outcome in report.NOTICED:
                break
        cls.copy.mend(fault)
        took = round(time.monotonic() - begun, 1)
        row = {"name": fault.name, "outcome": outcome, "seconds": took}
        return row | {"tests": len(tests), "failed": failed}


def _changed(root: Path, commit: str) -> set[str]:
    command = ["git", "diff", "--name-only", commit]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if ran.returncode:
        print(f"All files alike: what has changed since {commit} cannot be told.")
    return set(ran.stdout.split())


if __name__ == "__main__":
    sys.exit(main())
