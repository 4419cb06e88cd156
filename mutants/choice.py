"""Which faults are tried, and which tests each of them is tried with."""

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from mutants.covering import Covering
from mutants.faults import Fault, faults_of

FIRST_S = 12.0
"""Seconds of tests that are tried first; most faults are noticed by these."""
LONGEST_S = 100.0
"""Seconds of tests that are tried with one fault at most, the nearest first."""


def faults_in(paths: Iterable[Path], root: Path) -> list[Fault]:
    """Return all faults of Python files and of those in folders."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [fault for file in files for fault in faults_of(file, root)]


def sample(
    faults: Sequence[Fault], number: int, seed: int, first: Collection[str] = ()
) -> list[Fault]:
    """Choose faults by chance, as many of each kind, and one a line at most.

    Those of the files `first` are taken before all others. The choice among the rest
    stays the same when some of the code changes.
    """
    chosen: list[Fault] = []
    taken: set[tuple[str, int]] = set()
    for near in (True, False):
        kinds: dict[str, list[Fault]] = defaultdict(list)
        for fault in sorted(faults, key=lambda fault: _chance(fault, seed)):
            if (fault.path in first) == near:
                kinds[fault.kind].append(fault)
        while len(chosen) < number and any(kinds.values()):
            for kind in sorted(kinds):
                fault = _next(kinds[kind], taken)
                if fault and len(chosen) < number:
                    taken.add((fault.path, fault.line))
                    chosen.append(fault)
    return chosen


def _next(faults: list[Fault], taken: set[tuple[str, int]]) -> Fault | None:
    while faults:
        fault = faults.pop(0)
        if (fault.path, fault.line) not in taken:
            return fault
    return None


def _chance(fault: Fault, seed: int) -> float:
    return random.Random(f"{seed} {fault.name}").random()


def tests_for(fault: Fault, covering: Covering, root: Path) -> list[str]:
    """Return the tests that run a fault's lines, the nearest and quickest first.

    Of code that runs at import, those that run a line which reads what it sets.
    """
    found = covering.of(fault.path, fault.line, fault.last_line)
    if fault.names:
        found = found | covering.mentioning(fault.names, root)
    reach = _reach(covering)
    word = Path(fault.path).stem.removesuffix("_cmd")

    def distance(test: str) -> tuple[bool, float, str]:
        far = word not in Path(test.partition("::")[0]).stem
        return far, reach[test] * (0.05 + covering.seconds[test]), test

    return sorted(found, key=distance)


def batches(tests: Sequence[str], covering: Covering) -> list[list[str]]:
    """Split tests into those to try first and those to try then, if any."""
    first: list[str] = []
    then: list[str] = []
    left, left_in_all = FIRST_S, LONGEST_S
    for test in tests:
        took = covering.seconds[test]
        if not first or took <= left:
            first.append(test)
            left -= took
        elif took <= left_in_all:
            then.append(test)
        else:
            continue
        left_in_all -= took
    return [batch for batch in (first, then) if batch]


@lru_cache(maxsize=1)
def _reach(covering: Covering) -> dict[str, int]:
    """Return how many lines each test runs: few are near to the point."""
    reach: dict[str, int] = defaultdict(int)
    for lines in covering.lines.values():
        for tests in lines.values():
            for test in tests:
                reach[test] += 1
    return reach
