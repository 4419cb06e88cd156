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
from mutants.covering import Covering, covering_in
from mutants.faults import Fault

ROOT = Path(__file__).parent.parent.resolve()


def main() -> int:
    """Do what the command line says; return the exit code."""
    asked = _arguments()
    state: Path = asked.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    if asked.cover or not (state / "covered").exists():
        cover(state, asked.jobs, asked.tests)
    faults = choice.faults_in([path.resolve() for path in asked.paths], ROOT)
    if asked.changed:
        changed = _changed(asked.changed)
        near = [fault for fault in faults if fault.path in changed]
        chosen = choice.sample(near, asked.number, asked.seed)
        rest = [fault for fault in faults if fault.path not in changed]
        chosen += choice.sample(rest, asked.number - len(chosen), asked.seed)
    else:
        chosen = choice.sample(faults, asked.number, asked.seed)
    outcomes = try_all(chosen, covering_in(state, ROOT), state, asked)
    said = report.report(chosen, outcomes, ROOT)
    (state / "report.txt").write_text(said + "\n", encoding="utf-8")
    print(said)
    if asked.save:
        report.save_figures(report.figures(chosen, outcomes, asked.seed))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m mutants", description=__doc__)
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        default=[ROOT / "imaginairy"],
        help="Files and folders to put faults into; all of imaginairy by default.",
    )
    parser.add_argument("--number", type=int, default=300, help="How many to try.")
    parser.add_argument("--seed", type=int, default=1, help="Which are chosen.")
    parser.add_argument("--jobs", type=int, default=2, help="How many at a time.")
    parser.add_argument(
        "--minutes", type=float, default=60, help="Begin no more after this time."
    )
    parser.add_argument(
        "--tests", nargs="*", default=[], help="Try with these; all by default."
    )
    parser.add_argument(
        "--changed", help="Begin with files that differ from this commit."
    )
    parser.add_argument("--cover", action="store_true", help="Run the tests anew.")
    parser.add_argument("--save", action="store_true", help="Keep the figures.")
    parser.add_argument(
        "--state", type=Path, default=ROOT / ".mutants", help="Where things are kept."
    )
    return parser.parse_args()


def cover(state: Path, jobs: int, tests: list[str]) -> None:
    """Run the tests once and keep which lines each of them runs."""
    for file in (*state.glob("lines.*"), *state.glob("tests-*.jsonl")):
        file.unlink()
    (state / "outcomes.jsonl").unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-p", "mutants.covering", *tests]
    command += ["--numprocesses", str(jobs), "--dist", "worksteal"]
    around = {"MUTANTS_STATE": str(state), "OMP_NUM_THREADS": "1"}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    subprocess.run(command, cwd=ROOT, env=os.environ | around | {"PYTHONPATH": path})
    (state / "covered").touch()


def try_all(
    chosen: list[Fault], covering: Covering, state: Path, asked: argparse.Namespace
) -> dict[str, str]:
    """Try every fault that was not tried yet; return all outcomes by name.

    A test that fails on the tree as it is, run like this, notices nothing: what it
    seemed to notice is tried again without it.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    trial.import_large_libraries()
    kept = state / "outcomes.jsonl"
    copies = state / "copies"
    end = time.monotonic() + 60 * asked.minutes
    void: set[str] = set()
    while True:
        done = _read(kept)
        left = [fault for fault in chosen if fault.name not in done]
        _Job.covering = covering.without(void)
        _try(left, kept, copies, asked.jobs, end)
        done = _read(kept)
        failed = {test for row in done.values() for test in row["failed"]}
        void = _fail_anyway(failed, covering, copies)
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
    context = multiprocessing.get_context("fork")
    with (
        context.Pool(jobs, _Job.begin, (copies,)) as pool,
        kept.open("a", encoding="utf-8") as file,
    ):
        for number, row in enumerate(pool.imap_unordered(_Job.run, left), 1):
            file.write(json.dumps(row) + "\n")
            file.flush()
            told = (
                f"{row['outcome']}, {row['seconds']} s, {' '.join(row['failed'][:1])}"
            )
            print(f"{number}/{len(left)} {told}", flush=True)
            if time.monotonic() > end:
                break


def _fail_anyway(tests: set[str], covering: Covering, copies: Path) -> set[str]:
    """Return which of these tests fail without a fault."""
    if not tests:
        return set()
    copy = trial.Copy(ROOT, copies / "clean")
    copy.make()
    usual = sum(covering.seconds.get(test, 1) for test in tests)
    _, failed = trial.run_tests(copy.folder, sorted(tests), usual, all_of_them=True)
    return set(failed)


class _Job:
    """One of the processes that try faults, with a copy of the tree of its own."""

    covering: Covering
    copy: trial.Copy

    @classmethod
    def begin(cls, copies: Path) -> None:
        cls.copy = trial.Copy(ROOT, copies / str(os.getpid()))
        cls.copy.make()

    @classmethod
    def run(cls, fault: Fault) -> dict[str, Any]:
        begun = time.monotonic()
        tests = choice.tests_for(fault, cls.covering, ROOT)
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


def _changed(commit: str) -> set[str]:
    command = ["git", "diff", "--name-only", commit]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return set(ran.stdout.split())


if __name__ == "__main__":
    sys.exit(main())
